# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocation on hosts with the listener proxy: by a revocation list and a reload, in a limited run, and in a mixed fleet. In this order."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from fleet import (
    asked_without_a_pause,
    assert_changed_nothing,
    hosts_of,
    issuer_of,
    kept,
    ledger,
    place_for_copies,
    restarts_of,
    revoked,
    who_gets_in,
)
from playbook import Run, play
from testinfra_helpers import Bundle, client_bundle

ALICE, BOB = {"name": "alice"}, {"name": "bob"}
WENDY = {"name": "wendy", "group": "watchers"}
ALL = {"gate", "turnstile"}
#: The list of clients once bob is revoked.
WITHOUT_BOB = [ALICE, revoked(BOB), WENDY]
#: What gate cannot have any more with the listener dockerd.
GATE_BY_DOCKERD: dict[str, Any] = {
    "docker_daemon_listener": "{{ 'dockerd' if inventory_hostname == 'gate' else 'proxy' }}",
    "docker_daemon_group_rights": {},
}


@pytest.fixture(scope="module", autouse=True)
def copies() -> Generator[None, None, None]:
    with place_for_copies():
        yield


@pytest.fixture(name="hosts", scope="module")
def all_hosts() -> dict[str, Any]:
    return hosts_of("docker_hosts")


@pytest.fixture(name="thief", scope="module")
def copy_of_bobs_bundle() -> Bundle:
    run = play(docker_client_cert_clients=[ALICE, BOB, WENDY])
    assert run.returncode == 0, run.output
    return kept("bob")


def site(*options: str, **variables: Any) -> Run:
    return play(*options, docker_client_cert_clients=WITHOUT_BOB, **variables)


def certificate_of(client: str) -> str:
    with open(client_bundle(client).certificate, encoding="ascii") as stream:
        return stream.read()


def test_check_mode_names_the_reload_and_changes_nothing(hosts: dict[str, Any], thief: Bundle) -> None:
    assert who_gets_in(hosts, thief) == ALL
    run = site("--check")
    assert run.returncode == 0, run.output
    assert run.output.count("revocation list of clients-g1, proxy reload, restart no") == 2, run.output
    assert who_gets_in(hosts, thief) == ALL


def test_limited_run_shuts_out_where_it_works_and_names_the_other_host(hosts: dict[str, Any], thief: Bundle) -> None:
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site("--limit", "gate,localhost")
    assert run.returncode != 0
    assert "REVOKED, AND STILL ADMITTED: bob can connect with certificates of clients-g1 on turnstile" in run.output
    assert "STILL ADMITS bob: this run does not include the host" in run.output
    assert run.output.count("and a certificate with a revoked serial number is refused") == 1, run.output  # gate
    assert who_gets_in(hosts, thief) == {"turnstile"}
    assert set(restarts.values()) == {0}
    again = site("--limit", "gate,localhost")
    assert again.returncode != 0
    assert "NOT VERIFIED: bob is revoked, and turnstile may still admit it by clients-g1" in again.output, again.output
    assert "STILL ADMIT" not in again.output.replace("AND PERHAPS STILL ADMITTED", "")


def test_status_and_verify_know_which_host_lacks_the_list(hosts: dict[str, Any]) -> None:
    status = play(playbook="playbooks/status.yml", docker_client_cert_clients=WITHOUT_BOB)
    assert status.returncode != 0
    assert "revocation-list-outdated" in status.output and "revoked-admitted" in status.output, status.output
    assert "bob is revoked, and turnstile still admits clients-g1" in status.output
    verification = play(playbook="playbooks/verify.yml", docker_client_cert_clients=WITHOUT_BOB)
    assert "NOT VERIFIED: 1 of 2 hosts (turnstile)" in verification.output, verification.output
    assert "STILL ADMITS bob, which is revoked, by clients-g1" in verification.output
    assert "every revoked client is shut out" in verification.output  # gate


def test_whole_run_shuts_out_everywhere_and_the_others_notice_nothing(hosts: dict[str, Any], thief: Bundle) -> None:
    before, former = certificate_of("alice"), kept("alice")
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site()
    assert run.returncode == 0, run.output
    assert who_gets_in(hosts, thief) == set()
    assert who_gets_in(hosts, former) == ALL
    assert certificate_of("alice") == before
    assert "OU=clients-g1" in issuer_of("alice")
    assert set(restarts.values()) == {0}
    assert [entry for entry in ledger() if entry["event"] == "revoked-serial-signed"]
    line = [entry for entry in ledger() if entry["event"] == "certificate-revoked"][-1]
    assert (line["client"], line["authority"]) == ("bob", "clients-g1")
    assert "bob is shut out, its certificate of clients-g1 is refused" in run.output, run.output
    recorded = [entry["hosts"] for entry in ledger() if entry["event"] == "revocation-verified"]
    assert recorded == [["gate"], ["turnstile"]]
    assert_changed_nothing(site())
    limited = site("--limit", "gate,localhost")
    assert limited.returncode == 0 and "bob" not in limited.output, limited.output
    status = play(playbook="playbooks/status.yml", docker_client_cert_clients=WITHOUT_BOB)
    assert "revoked-" not in status.output and "revocation-list-outdated" not in status.output, status.output
    verification = play(playbook="playbooks/verify.yml", docker_client_cert_clients=WITHOUT_BOB)
    assert verification.returncode == 0, verification.output
    for check in ("revoked-client-of-clients", "limited-watchers", "upgraded-connection"):
        assert verification.output.count(check) == 2, verification.output


def test_host_that_leaves_the_proxy_refuses_by_a_new_authority(hosts: dict[str, Any], thief: Bundle) -> None:
    """dockerd checks no lists, and the certificate is valid for a year."""
    before = certificate_of("alice")
    run = site(**GATE_BY_DOCKERD)
    assert run.returncode == 0, run.output
    assert "gate: new authority, restart of dockerd; turnstile: revocation list, new authority, reload" in run.output
    assert who_gets_in(hosts, thief) == set()
    assert certificate_of("alice") != before
    assert who_gets_in(hosts, client_bundle("alice")) == ALL
    assert_changed_nothing(site(**GATE_BY_DOCKERD))


def test_mixed_fleet_revokes_by_both_ways(hosts: dict[str, Any]) -> None:
    clients = [ALICE, BOB, WENDY]
    run = play(docker_client_cert_clients=clients, **GATE_BY_DOCKERD)
    assert run.returncode == 0, run.output
    thief = kept("bob")
    assert who_gets_in(hosts, thief) == ALL
    turnstile = {"turnstile": hosts["turnstile"]}
    with restarts_of(turnstile) as restarts:
        run = site(**GATE_BY_DOCKERD)
    assert run.returncode == 0, run.output
    assert restarts == {"turnstile": 0}
    assert who_gets_in(hosts, thief) == set()
    assert who_gets_in(hosts, client_bundle("alice")) == ALL
    back = play()
    assert back.returncode == 0, back.output
    assert who_gets_in(hosts, thief) == set()
