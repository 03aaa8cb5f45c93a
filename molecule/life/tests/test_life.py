# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a fleet: installed, forgotten, renewed, opened to a group, a client shut out, its authorities replaced, grown, removed.

In this order, each on what the one before left. No container is ever restarted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from common_tests import served_certificate
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
    with_ca_of,
)
from playbook import Run, on_day, play
from testinfra_helpers import (
    Bundle,
    address_of,
    answers_without_certificate,
    client_bundle,
    container_identity,
    curl,
    docker,
    ephemeral_directory,
    is_listening,
)

# The authorities live for 1095 days, certificates for 90, so both are near their end today.
# Days from today.
FIRST_DAY, LAST_RENEWAL, TODAY = -830, -70, 0
EVERYWHERE = {"oldest", "newest"}
ALICE, BOB = {"name": "alice"}, {"name": "bob", "validity": "60d"}
OLGA, OSCAR = {"name": "olga", "group": "ops"}, {"name": "oscar", "group": "ops"}
OLD_AUTHORITY = {
    "names": ["foreign"],
    "host": "foreign",
    "certificate_path": "/root/ca.pem",
    "key_path": "/root/ca-key.pem",
    "key_passphrase": "hello",
}


@pytest.fixture(name="hosts", scope="module")
def own_hosts() -> dict[str, Any]:
    return hosts_of("docker_hosts")


@pytest.fixture(name="foreign", scope="module")
def host_of_others() -> Any:
    return hosts_of("recipe")["foreign"]


@pytest.fixture(autouse=True, scope="module")
def _place_for_copies() -> Generator[None, None, None]:
    with place_for_copies():
        yield


def path(name: str) -> Path:
    return ephemeral_directory() / name


def edit_inventory(adopted: bool = False, **variables: Any) -> None:
    """Write into the operator's inventory; what stands there already stays."""
    file = path("fleet.json")
    found = json.loads(file.read_text())
    found["all"]["vars"].update(variables)
    if adopted:
        settings = {"docker_daemon_access_groups": ["clients", "foreign"], "docker_daemon_existing_settings": "adopt"}
        found["docker_hosts"] = {"hosts": {"foreign": settings}}
    file.write_text(json.dumps(found))


def run_playbook(playbook: str = "site", *, when: int = TODAY, **variables: Any) -> Run:
    """Run a playbook with the operator's inventory, on a day. `changed_hosts` knows afterwards what site.yml changed."""
    path("summary.json").unlink(missing_ok=True)
    # The verification from the controller uses a certificate of ten minutes, and dockerd lives today.
    past = {"docker_daemon_verify": "never"} if when else {}
    return play(
        *("-i", str(path("fleet.json"))),
        playbook=f"playbooks/{playbook}.yml",
        environment={**on_day(when), "DOCKER_TLS_SUMMARY_PATH": str(path("summary.json"))},
        **{**past, **variables},
    )


def succeeds(playbook: str = "site", *, when: int = TODAY, **variables: Any) -> str:
    run = run_playbook(playbook, when=when, **variables)
    assert run.returncode == 0, run.output
    return run.output


def changed_hosts() -> dict[str, list[str]]:
    """Return why each Docker host was changed by the last run."""
    found = json.loads(path("summary.json").read_text())["hosts"]
    return {one["host"]: one["reasons"] for one in found if one["state"] == "changed" and one["host"] != "localhost"}


def settled(when: int = TODAY) -> None:
    assert_changed_nothing(run_playbook(when=when))


def status(when: int = TODAY, fail_on: str = "critical") -> dict[str, Any]:
    """Return what status.yml says on a day, with its exit code, and the verdicts by host, client and authority."""
    run = run_playbook(
        "status", when=when, docker_status_json_path=str(path("status.json")), docker_status_fail_on=fail_on
    )
    report = json.loads(path("status.json").read_text())
    keys = {"hosts": "name", "clients": "client", "authorities": "id"}
    verdicts = {kind: {one[key]: one["verdict"] for one in report[kind]} for kind, key in keys.items()}
    return {"exit": run.returncode, "level": report["level"], **verdicts}


def old_bundle() -> Bundle:
    return Bundle(path("old") / "foreign")


def test_fleet_is_installed(hosts: dict[str, Any]) -> None:
    edit_inventory(docker_client_cert_clients=[ALICE, BOB])
    with restarts_of(hosts) as restarts:
        output = succeeds(when=FIRST_DAY)
    assert "authority-expires-soon" not in output
    assert restarts == {"oldest": 1, "newest": 1}
    assert set(changed_hosts()) == EVERYWHERE
    settled(FIRST_DAY)
    found = status(FIRST_DAY)
    assert (found["exit"], found["level"]) == (0, "ok"), found


def test_nobody_gets_in_when_nobody_has_renewed(hosts: dict[str, Any]) -> None:
    assert who_gets_in(hosts, client_bundle("alice")) == set()
    for host in hosts.values():
        assert not answers_without_certificate(address_of(host))
        assert host.run("docker ps").rc == 0
    found = status()
    assert (found["exit"], found["level"]) == (2, "critical")
    assert found["hosts"] == {"oldest": "expired", "newest": "expired"}
    assert found["clients"] == {"alice": "expired", "bob": "expired"}


def test_renewal_lets_them_in_again(hosts: dict[str, Any]) -> None:
    with restarts_of(hosts) as restarts:
        succeeds(when=LAST_RENEWAL)
    assert restarts == {"oldest": 1, "newest": 1}
    assert {host for host, reasons in changed_hosts().items() if "expired" in reasons} == EVERYWHERE
    settled(LAST_RENEWAL)
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE


def test_client_whose_certificate_has_ended_since_is_refused(hosts: dict[str, Any]) -> None:
    assert who_gets_in(hosts, client_bundle("bob")) == set()


AGES = {
    "just-renewed": (LAST_RENEWAL, 0, "ok", "ok", "ok"),
    "today": (TODAY, 2, "expires-soon", "expires-soon", "expired"),
    "in-twelve-days": (12, 2, "expires-soon", "expires-soon", "expired"),
    "in-three-weeks": (21, 2, "expired", "expires-soon", "expired"),
}


@pytest.mark.parametrize("age", AGES)
def test_status_says_what_is_near_its_end(age: str) -> None:
    when, code, host, authority, bob = AGES[age]
    found = status(when)
    assert found["exit"] == code, found
    assert set(found["hosts"].values()) == {host}, found
    assert set(found["authorities"].values()) == {authority}, found
    assert found["clients"] == {"alice": host, "bob": bob}, found


def test_renewal_in_time_disturbs_nobody(hosts: dict[str, Any]) -> None:
    with asked_without_a_pause(hosts, "alice") as restarts:
        output = succeeds()
    assert "authority-expires-soon" in output
    assert restarts == {"oldest": 1, "newest": 1}
    assert {host for host, reasons in changed_hosts().items() if "expires-soon" in reasons} == EVERYWHERE
    settled()
    for client in ("alice", "bob"):
        assert who_gets_in(hosts, client_bundle(client)) == EVERYWHERE
    found = status()
    assert (found["exit"], found["level"]) == (0, "warning"), found
    assert set(found["hosts"].values()) == {"ok"}
    assert status(fail_on="warning")["exit"] == 2


def test_group_is_admitted_on_one_host(hosts: dict[str, Any]) -> None:
    edit_inventory(
        docker_ca_access_groups=["clients", "ops"],
        docker_client_cert_clients=[ALICE, BOB, OLGA, OSCAR],
        docker_daemon_access_groups="{{ ['clients'] + (['ops'] if inventory_hostname == 'newest' else []) }}",
    )
    with asked_without_a_pause(hosts, "alice") as restarts:
        succeeds()
    assert restarts == {"oldest": 0, "newest": 1}
    assert set(changed_hosts()) == {"newest"}
    settled()
    for client in ("olga", "oscar"):
        assert who_gets_in(hosts, client_bundle(client)) == {"newest"}


def test_one_of_the_group_is_revoked(hosts: dict[str, Any]) -> None:
    thief = kept("oscar")
    edit_inventory(docker_client_cert_clients=[ALICE, BOB, OLGA, revoked(OSCAR)])
    with asked_without_a_pause(hosts, "alice") as restarts:
        output = succeeds()
    assert "oscar is shut out, ops-g1 is refused" in output
    assert restarts == {"oldest": 0, "newest": 2}
    assert set(changed_hosts()) == {"newest"}
    assert who_gets_in(hosts, thief) == set()
    assert who_gets_in(hosts, client_bundle("olga")) == {"newest"}
    assert who_gets_in(hosts, client_bundle("bob")) == EVERYWHERE
    edit_inventory(docker_client_cert_clients=[ALICE, BOB, OLGA])
    settled()


@pytest.mark.parametrize(("authority", "times"), [("server", 1), ("clients", 2)])
def test_old_authority_is_replaced(hosts: dict[str, Any], authority: str, times: int) -> None:
    former = kept("bob")
    with asked_without_a_pause(hosts, "alice") as restarts:
        succeeds("rotate_ca", docker_rotate_ca_authority=authority, docker_rotate_ca_execute=True)
    assert restarts == {"oldest": times, "newest": times}
    # The former ca.pem does not know the servers, the former certificate does not open them.
    assert who_gets_in(hosts, former) == set()
    assert who_gets_in(hosts, client_bundle("bob")) == EVERYWHERE
    assert who_gets_in(hosts, client_bundle("olga")) == {"newest"}


def test_fleet_with_new_authorities_is_well(hosts: dict[str, Any]) -> None:
    for host in hosts.values():
        assert "OU=server-g2" in served_certificate(address_of(host)).issuer.rfc4514_string()
    assert "OU=clients-g2" in issuer_of("alice")
    settled()
    found = status(fail_on="warning")
    assert (found["exit"], found["level"]) == (0, "ok"), found


def test_foreign_host_is_adopted_with_its_clients(hosts: dict[str, Any], foreign: Any) -> None:
    everybody = {**hosts, "foreign": foreign}
    assert who_gets_in(everybody, old_bundle()) == {"foreign"}
    edit_inventory(
        adopted=True,
        docker_ca_access_groups=["clients", "ops", "foreign"],
        docker_adopt_authorities=[OLD_AUTHORITY],
    )
    assert "foreign: docker-recipe" in succeeds("adopt")
    with asked_without_a_pause(hosts, "alice"), restarts_of(everybody) as restarts:
        succeeds("adopt", docker_adopt_execute=True)
    assert restarts == {"oldest": 0, "newest": 0, "foreign": 1}
    assert who_gets_in(everybody, with_ca_of(old_bundle(), "alice")) == {"foreign"}
    assert who_gets_in(everybody, client_bundle("alice")) == {*EVERYWHERE, "foreign"}
    assert not answers_without_certificate(address_of(foreign))
    settled()


def test_ledger_tells_the_story() -> None:
    entries = ledger()
    told = [(one["event"], one["authority"]) for one in entries if one["event"].startswith("authority-")]
    assert told == [
        *(("authority-created", "server-g1"), ("authority-created", "clients-g1"), ("authority-created", "ops-g1")),
        # For a revocation the new generation signs from its first moment on.
        *(("authority-created", "ops-g2"), ("authority-retired", "ops-g1")),
        *((f"authority-{step}", "server-g2") for step in ("created", "issuing")),
        ("authority-retired", "server-g1"),
        *((f"authority-{step}", "clients-g2") for step in ("created", "issuing")),
        ("authority-retired", "clients-g1"),
        ("authority-adopted", "foreign-g1"),
    ]
    issued = [one for one in entries if one["event"] == "issued" and one["profile"] == "server"]
    oldest = [one["reasons"] for one in issued if one["requester"] == "oldest"]
    assert [reasons[0] for reasons in oldest] == ["certificate-missing", "expired", "expires-soon", "authority-changed"]
    assert [one["time"] for one in entries] == sorted(one["time"] for one in entries)


def test_chain_of_the_ledger_is_unbroken() -> None:
    lines = (path("ca") / "ledger.jsonl").read_bytes().splitlines()
    before = ["0" * 64, *(hashlib.sha256(line).hexdigest() for line in lines)]
    assert [json.loads(line)["prev"] for line in lines] == before[:-1]
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))


def test_going_back_gives_everybody_what_they_had(hosts: dict[str, Any], foreign: Any) -> None:
    edit_inventory(docker_daemon_state="absent")
    succeeds()
    settled()
    for host in (*hosts.values(), foreign):
        assert host.run("docker-configuration 2>&1").stdout == host.run("cat /root/history").stdout
        assert host.run("docker ps").rc == 0
        assert container_identity(host) == host.check_output("cat /root/keeper")
    assert not any(is_listening(address_of(host)) for host in hosts.values())
    assert docker(address_of(foreign), old_bundle(), "version").succeeded
    assert curl(address_of(foreign), bundle=old_bundle()).stdout == "OK"
    assert curl(address_of(foreign), bundle=client_bundle("alice")).stdout != "OK"
