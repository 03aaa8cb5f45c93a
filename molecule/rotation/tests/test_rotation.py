# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access, and authorities replaced while a client asks without a pause. The tests run in this order, each on the state that the one before left."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from common_tests import served_certificate
from fleet import (
    asked_without_a_pause,
    assert_changed_nothing,
    hosts_of,
    issuer_of,
    kept,
    place_for_copies,
    revoked,
    who_gets_in,
)
from playbook import Run, play
from testinfra_helpers import address_of, client_bundle

ROTATE = "playbooks/rotate_ca.yml"
# `oldest` does not admit the group ci.
GROUPS = "{{ ['clients', 'ops'] + ([] if inventory_hostname == 'oldest' else ['ci']) }}"
ALICE, BOB = {"name": "alice"}, {"name": "bob"}
OLGA = {"name": "olga", "group": "ops"}
CI = {"name": "ci", "group": "ci", "validity": "8h", "renew_before": "2h"}
# Nothing listens at port 1: the host cannot be reached by Ansible, and continues answering Docker's clients.
NEWEST_IS_AWAY = {"ansible_port": "{{ 1 if inventory_hostname == 'newest' else 22 }}"}


@pytest.fixture(name="hosts", scope="module")
def both_hosts() -> dict[str, Any]:
    return hosts_of("docker_hosts")


def site(*clients: dict[str, Any], **variables: Any) -> Run:
    return play(docker_daemon_access_groups=GROUPS, docker_client_cert_clients=list(clients), **variables)


def rotate(authority: str, *clients: dict[str, Any], execute: bool = True, **variables: Any) -> Run:
    return play(
        playbook=ROTATE,
        docker_rotate_ca_authority=authority,
        docker_rotate_ca_execute=execute,
        docker_daemon_access_groups=GROUPS,
        docker_client_cert_clients=list(clients),
        **variables,
    )


@pytest.fixture(autouse=True, scope="module")
def _place_for_copies() -> Generator[None, None, None]:
    with place_for_copies():
        yield


EVERYWHERE = {"oldest", "newest"}


def test_group_is_withdrawn_from_one_host(hosts: dict[str, Any]) -> None:
    for client in ("alice", "bob", "olga", "ci"):
        assert who_gets_in(hosts, client_bundle(client)) == EVERYWHERE
    run = site(ALICE, BOB, OLGA, CI)
    assert run.returncode == 0, run.output
    assert "Collect the checks" not in run.output
    assert who_gets_in(hosts, client_bundle("ci")) == {"newest"}
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE


def test_client_of_hours_has_a_certificate_of_hours() -> None:
    certificate = x509.load_pem_x509_certificate(Path(client_bundle("ci").certificate).read_bytes())
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life.total_seconds() == 8 * 3600 + 300  # begins five minutes back


def test_member_of_a_shared_group_is_revoked_and_the_others_stay(hosts: dict[str, Any]) -> None:
    thief, former = kept("bob"), kept("alice")
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site(ALICE, revoked(BOB), OLGA, CI)
    assert run.returncode == 0, run.output
    assert "bob is shut out, clients-g1 is refused" in run.output
    assert who_gets_in(hosts, thief) == set()
    assert who_gets_in(hosts, former) == set()
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    assert who_gets_in(hosts, client_bundle("olga")) == EVERYWHERE
    assert not client_bundle("bob").directory.exists()
    assert restarts == {"oldest": 2, "newest": 2}
    # The entry is removed later, which admits no client.
    assert_changed_nothing(site(ALICE, OLGA, CI))
    assert who_gets_in(hosts, thief) == set()


def test_client_alone_in_its_group_is_revoked_and_another_is_let_in_again(hosts: dict[str, Any]) -> None:
    thief = kept("olga")
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site(ALICE, BOB, revoked(OLGA), CI)
    assert run.returncode == 0, run.output
    assert who_gets_in(hosts, thief) == set()
    assert who_gets_in(hosts, client_bundle("bob")) == EVERYWHERE
    assert restarts == {"oldest": 1, "newest": 1}


def test_host_that_is_away_is_named_and_drops_the_client_when_it_is_back(hosts: dict[str, Any]) -> None:
    thief = kept("ci")
    run = site(ALICE, BOB, OLGA, revoked(CI), **NEWEST_IS_AWAY)
    assert run.returncode != 0
    assert "MAY STILL ADMIT ci" in run.output and "newest" in run.output.split("MAY STILL ADMIT ci")[0].splitlines()[-1]
    assert who_gets_in(hosts, thief) == {"newest"}
    run = site(ALICE, BOB, OLGA, revoked(CI))
    assert run.returncode == 0, run.output
    assert who_gets_in(hosts, thief) == set()
    assert who_gets_in(hosts, client_bundle("olga")) == EVERYWHERE


def test_server_authority_is_planned_first_and_nothing_changes(hosts: dict[str, Any]) -> None:
    before = {name: served_certificate(address_of(host)) for name, host in hosts.items()}
    run = rotate("server", ALICE, BOB, OLGA, execute=False)
    assert_changed_nothing(run)
    assert "Phase 1 of 3, trust" in run.output and "docker_rotate_ca_execute=true" in run.output
    assert before == {name: served_certificate(address_of(host)) for name, host in hosts.items()}


def test_server_authority_keeps_the_old_generation_while_a_host_is_away(hosts: dict[str, Any]) -> None:
    former = kept("alice")
    with asked_without_a_pause(hosts, "alice"):
        run = rotate("server", ALICE, BOB, OLGA, **NEWEST_IS_AWAY)
    assert run.returncode != 0
    assert "retire of the rotation of server must not begin: newest:" in run.output, run.output
    assert "OU=server-g2" in served_certificate(address_of(hosts["oldest"])).issuer.rfc4514_string()
    assert "OU=server-g1" in served_certificate(address_of(hosts["newest"])).issuer.rfc4514_string()
    # Who has not got the new ca.pem cannot know the host that was reissued, and still knows the other.
    assert who_gets_in(hosts, former) == {"newest"}


def test_server_authority_is_replaced_when_the_host_is_back(hosts: dict[str, Any]) -> None:
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = rotate("server", ALICE, BOB, OLGA)
    assert run.returncode == 0, run.output
    assert restarts == {"oldest": 0, "newest": 1}
    for host in hosts.values():
        assert "OU=server-g2" in served_certificate(address_of(host)).issuer.rfc4514_string()
    assert Path(client_bundle("alice").ca).read_text().count("BEGIN CERTIFICATE") == 1
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    again = rotate("server", ALICE, BOB, OLGA)
    assert_changed_nothing(again)
    assert "Complete: server-g2 signs" in again.output


def test_client_authority_waits_for_a_certificate_that_nobody_renewed(hosts: dict[str, Any]) -> None:
    forgotten = kept("bob")
    with asked_without_a_pause(hosts, "alice"):
        run = rotate("clients", ALICE, OLGA, docker_rotate_ca_again_after="0s")
    assert run.returncode != 0
    assert "localhost/bob: the certificate of bob from clients-g2" in run.output, run.output
    assert "OU=clients-g3" in issuer_of("alice")
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    assert who_gets_in(hosts, forgotten) == EVERYWHERE


def test_client_authority_is_replaced_when_everybody_is_renewed(hosts: dict[str, Any]) -> None:
    former = kept("bob")
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = rotate("clients", ALICE, BOB, OLGA)
    assert run.returncode == 0, run.output
    assert restarts == {"oldest": 1, "newest": 1}
    assert who_gets_in(hosts, former) == set()
    for client in ("alice", "bob", "olga"):
        assert who_gets_in(hosts, client_bundle(client)) == EVERYWHERE
    assert "former-client-of-clients-g2" not in run.output or "ADMITTED" not in run.output
    assert_changed_nothing(site(ALICE, BOB, OLGA))


def test_all_authorities_are_replaced_in_one_run(hosts: dict[str, Any]) -> None:
    former = kept("alice")
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = rotate("all", ALICE, BOB, OLGA, docker_rotate_ca_again_after="0s")
    assert run.returncode == 0, run.output
    # Once a phase, for all authorities together.
    assert restarts == {"oldest": 3, "newest": 3}
    assert who_gets_in(hosts, former) == set()
    for client in ("alice", "bob", "olga"):
        assert who_gets_in(hosts, client_bundle(client)) == EVERYWHERE
    assert_changed_nothing(site(ALICE, BOB, OLGA))
    assert_changed_nothing(rotate("all", ALICE, BOB, OLGA))


def test_rotation_stops_for_copies_of_bundles_and_continues(hosts: dict[str, Any]) -> None:
    run = rotate("all", ALICE, BOB, OLGA, docker_rotate_ca_again_after="0s", docker_rotate_ca_stop_after="trust")
    assert run.returncode == 0, run.output
    assert "Stopped before the phase reissue" in run.output and "copy the bundles of alice, bob, olga" in run.output
    first = kept("alice")
    run = rotate("all", ALICE, BOB, OLGA, docker_rotate_ca_stop_after="reissue")
    assert run.returncode == 0, run.output
    assert "Stopped before the phase retire" in run.output
    assert who_gets_in(hosts, first) == EVERYWHERE  # it trusts the new certificates of the hosts
    second = kept("alice")
    assert_changed_nothing(rotate("all", ALICE, BOB, OLGA, docker_rotate_ca_stop_after="reissue"))
    run = rotate("all", ALICE, BOB, OLGA)
    assert run.returncode == 0, run.output
    assert (who_gets_in(hosts, first), who_gets_in(hosts, second)) == (set(), EVERYWHERE)
