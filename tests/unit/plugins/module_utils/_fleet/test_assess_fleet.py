# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdicts: one table for hosts, one for clients, one for the CA."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import model
from support.hosts.fleet import (
    NOW,
    YEAR,
    add_authority,
    authority,
    bundle,
    ca,
    client,
    clients_authority,
    host,
    ledger,
    report,
    served,
    server,
    server_authority,
    stored,
)

FOREIGN = authority("server-g9", 9)
OPS = authority("ops-g1", 5)
OLD_CLIENTS = authority("clients-g0", 6)
OLD_SERVER = authority("server-g0", 3)
WITHOUT_CA = {"host": "olympus", "path": "/etc/docker/ca", "state": "not-readable", "problem": "permission denied"}
DOWN = model.Served(model.UNREACHABLE, problem="connection refused")


def codes(item: model.Assessed) -> list[tuple[str, str]]:
    return [(finding.code, finding.level) for finding in item.findings]


def judged_host(
    wire: model.Served | None = None, *, with_ca: dict[str, Any] | None = None, **changes: Any
) -> model.HostStatus:
    shown = {} if wire is None else {"web1": wire}
    return report([host(**changes)], wire=shown, authorities=with_ca).hosts[0]


def test_host_that_serves_what_it_stores_is_ok() -> None:
    found = judged_host()
    assert (found.level, found.verdict, codes(found), found.admits) == ("ok", "ok", [], ("clients-g1",))


@pytest.mark.parametrize(
    ("wire", "changes", "expected"),
    [
        (DOWN, {}, [("unreachable", "critical")]),
        (DOWN, {"stored": stored(server(), configured=True)}, [("unreachable", "critical")]),
        (DOWN, {"stored": stored(server(), configured=False)}, [("endpoint-closed", "critical")]),
        (None, {"stored": stored(server(), configured=False)}, [("restart-closes", "warning")]),
        (DOWN, {"stored": stored(None, state="unreachable", problem="timed out")}, [("unreachable", "critical"), ("host-unreachable", "warning")]),
        (model.Served(model.INVALID, problem="plain HTTP"), {}, [("no-tls", "critical")]),
        (served(server(100)), {}, [("served-not-stored", "warning")]),
        (served(server(20)), {"stored": stored(server(364))}, [("expires-soon", "critical"), ("served-not-stored", "warning")]),
        (served(server(364, issuer=FOREIGN)), {}, [("foreign", "critical"), ("served-not-stored", "warning")]),
        (served(server(80)), {"stored": stored(server(80))}, [("expires-soon", "warning")]),
        (served(server(-1)), {"stored": stored(server(-1))}, [("expired", "critical")]),
        (served(server(), asks=False), {}, [("open", "critical")]),
        (dataclasses.replace(served(server()), authority_names=()), {}, [("any-authority", "critical")]),
        (None, {"stored": stored(server(), key_matches=False)}, [("key-mismatch", "critical")]),
        (None, {"stored": stored(None)}, [("missing", "warning")]),
        (None, {"stored": stored(None, state="read", certificate_content="x")}, [("unreadable", "critical")]),
        (None, {"stored": stored(None, state="not-readable", problem="permission denied")}, [("not-readable", "ok")]),
        (DOWN, {"stored": stored(None, state="not-readable", problem="")}, [("unreachable", "critical"), ("not-readable", "unknown")]),
        (None, {"stored": None}, []),
        (None, {"stored": stored(server(), starts_at_boot=True)}, []),
        (None, {"stored": stored(server(), starts_at_boot=False)}, [("not-started-at-boot", "warning")]),
        (None, {"stored": stored(server(), starts_at_boot="no")}, []),
        (None, {"endpoint": "tcp://10.0.0.6:2376"}, [("name-not-covered", "warning")]),
        (served(server(), OPS), {}, [("admits-unwanted", "critical"), ("refuses-wanted", "critical")]),
        (served(server(), clients_authority(), OPS), {}, [("admits-unwanted", "critical")]),
        (None, {"stored": stored(server(), client_ca_content=clients_authority().pem + OPS.pem)}, [("restart-pending", "warning")]),
        (None, {"state": "absent"}, [("still-open", "warning")]),
        (DOWN, {"state": "absent", "stored": None}, [("absent", "ok")]),
    ],
    ids=[
        "endpoint-down", "endpoint-down-and-configured", "daemon-json-rewritten", "rewritten-not-restarted",
        "all-down", "no-tls", "renewed-not-restarted", "renewed-not-restarted-in-time", "foreign", "warning", "expired",
        "open", "any-authority", "key-mismatch", "missing", "garbage", "not-readable", "down-and-not-readable", "disk-not-asked",
        "starts-at-boot", "not-started-at-boot", "boot-nonsense",
        "other-name", "swapped-groups", "one-group-too-many", "anchor-only-on-disk", "still-open", "absent",
    ],
)  # fmt: skip
def test_host_findings(wire: model.Served | None, changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert codes(judged_host(wire, **changes)) == expected


@pytest.mark.parametrize(
    ("problem", "advice"),
    [
        ("Missing sudo password", "--ask-become-pass"),
        ("Incorrect sudo password", "--ask-become-pass"),
        ("denied", "mode"),
    ],
)
def test_files_that_nobody_could_read_have_advice_for_their_reason(problem: str, advice: str) -> None:
    files = stored(None, state="not-readable", problem=problem)
    host = judged_host(stored=files)
    (mine,) = report(clients=[bundle(stored=files)]).clients[0].findings
    found = [one.advice for one in (*host.findings, mine) if one.code == "not-readable"]
    assert len(found) == 2 and all(advice in one for one in found)
    assert not any("docker_status_become" in one for one in found if "sudo" in problem)


def test_host_finding_says_loudly_that_served_is_not_stored() -> None:
    finding = judged_host(served(server(100))).findings[0]
    assert "SERVED IS NOT STORED: renewed (" in finding.message
    assert "never restarted" in finding.message
    assert "restart docker" in finding.advice


def test_host_that_serves_something_newer_than_its_disk_is_not_called_renewed() -> None:
    finding = judged_host(served(server(364)), stored=stored(server(100))).findings[0]
    assert "dockerd serves another certificate" in finding.message


def test_host_with_the_right_groups_on_disk_only_needs_a_restart() -> None:
    wire = served(server(), clients_authority(), OPS)
    assert "systemctl restart docker" in judged_host(wire).findings[0].advice
    wrong = stored(server(), client_ca_content=OPS.pem)
    assert "systemctl restart docker" not in judged_host(wire, stored=wrong).findings[0].advice


def test_host_may_admit_an_older_generation_that_is_still_trusted() -> None:
    trusting = add_authority(ca(), clients_authority(), "clients-g1", OLD_CLIENTS)
    wire = served(server(), clients_authority(), OLD_CLIENTS)
    both = stored(server(), client_ca_content=clients_authority().pem + OLD_CLIENTS.pem)
    found = judged_host(wire, with_ca=trusting, stored=both)
    assert (codes(found), found.admits) == ([], ("clients-g1", "clients-g0"))


def test_host_that_admits_only_the_older_generation_refuses_new_clients() -> None:
    trusting = add_authority(ca(), clients_authority(), "clients-g1", OLD_CLIENTS)
    found = judged_host(served(server(), OLD_CLIENTS), with_ca=trusting, stored=None)
    assert codes(found) == [("refuses-wanted", "critical")]


def test_host_of_an_older_server_generation_is_ok_with_a_note() -> None:
    old = server(issuer=OLD_SERVER)
    found = judged_host(served(old), with_ca=ca(OLD_SERVER), stored=stored(old))
    assert (found.level, codes(found)) == ("ok", [("older-generation", "ok")])


def test_host_without_a_readable_ca_is_judged_by_what_the_controllers_bundles_trust() -> None:
    wire = {"web1": served(server()), "web2": served(server(issuer=FOREIGN))}
    hosts = [host(), host("web2", stored=None)]
    judged = report(hosts, [bundle()], wire=wire, authorities=WITHOUT_CA)
    assert {one.facts.name: one.verdict for one in judged.hosts} == {"web1": "ok", "web2": "foreign"}
    assert judged.hosts[-1].admits == ("clients-g1",)


def test_host_without_any_anchor_is_not_called_foreign() -> None:
    elsewhere = bundle(host="desk", stored=stored(client(), ca_content=FOREIGN.pem))
    judged = report([host()], [elsewhere], authorities=WITHOUT_CA)
    assert judged.hosts[0].verdict == "ok"


def test_host_without_a_readable_ca_is_warned_of_groups_with_other_names() -> None:
    found = judged_host(served(server(), OPS), with_ca=WITHOUT_CA, stored=None)
    assert codes(found) == [("admits-unwanted", "warning"), ("refuses-wanted", "warning")]


@pytest.mark.parametrize(
    ("changes", "known", "expected"),
    [
        ({"begins": "2020-01-01T00:00:00Z"}, [], [("unrecorded", "warning")]),
        ({"begins": "2020-01-01T00:00:00Z"}, [server()], []),
        ({"begins": "2026-11-22T12:00:00Z"}, [], []),
        ({"begins": "2020-01-01T00:00:00Z", "state": "tampered"}, [], []),
    ],
    ids=["unknown", "known", "older-than-the-ledger", "ledger-not-to-be-believed"],
)
def test_certificate_of_ours_that_the_ledger_does_not_know_is_called_out(
    changes: dict[str, Any], known: list[Any], expected: list[tuple[str, str]]
) -> None:
    judged = report([host()], ledger_found=ledger(*known, **changes))
    assert codes(judged.hosts[0]) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"stored": stored(client("alice", 20))}, [("expires-soon", "critical")]),
        ({"stored": stored(client("alice", -1))}, [("expired", "critical")]),
        ({"stored": stored(client(), key_matches=False)}, [("key-mismatch", "critical")]),
        ({"stored": stored(client(issuer=OLD_CLIENTS))}, [("foreign", "critical")]),
        ({"group": "ops"}, [("wrong-group", "warning")]),
        ({"stored": stored(client(), ca_content=FOREIGN.pem)}, [("ca-outdated", "critical")]),
        ({"stored": stored(client(), ca_content="")}, [("ca-outdated", "critical")]),
        ({"stored": stored(None)}, [("missing", "warning")]),
        ({"stored": stored(None, state="not-readable", problem="no")}, [("not-readable", "unknown")]),
        ({"stored": stored(None, state="unreachable", problem="no")}, [("host-unreachable", "unknown")]),
        ({"stored": stored(None, state="invalid", problem="no")}, [("unreadable", "critical")]),
        ({"stored": None}, [("not-asked", "unknown")]),
    ],
    ids=[
        "ok", "critical", "expired", "key-mismatch", "foreign", "wrong-group", "ca-foreign", "ca-empty", "missing", "not-readable",
        "unreachable", "garbage", "not-asked",
    ],
)  # fmt: skip
def test_client_findings(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert codes(report(clients=[bundle(**changes)]).clients[0]) == expected


def test_client_that_trusts_only_the_older_server_generation_is_a_warning() -> None:
    one = bundle(stored=stored(client(), ca_content=OLD_SERVER.pem))
    assert codes(report(clients=[one], authorities=ca(OLD_SERVER)).clients[0]) == [("ca-outdated", "warning")]


@pytest.mark.parametrize(
    ("authorities", "found", "expected"),
    [
        (None, {}, []),
        (None, {"state": "torn", "problem": "x"}, [("ledger-torn", "warning")]),
        (None, {"state": "tampered", "problem": "x", "line": 3}, [("ledger-tampered", "critical")]),
        (None, {"state": "missing"}, [("ledger-missing", "warning")]),
        (None, {"state": "not-readable", "problem": "x"}, [("ledger-not-readable", "unknown")]),
        ({"host": "a", "path": "/b"}, {"state": "missing"}, [("ca-missing", "warning")]),
        (WITHOUT_CA, {"state": "not-readable"}, [("ca-not-readable", "unknown")]),
        ({"host": "a", "path": "/b", "state": "not-asked"}, {"state": "not-asked"}, []),
    ],
    ids=["intact", "torn", "tampered", "no-ledger", "ledger-closed", "no-ca", "ca-closed", "not-asked"],
)
def test_ca_findings(
    authorities: dict[str, Any] | None, found: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert codes(report(authorities=authorities, ledger_found=ledger(**found)).ca) == expected


@pytest.mark.parametrize(("left", "expected"), [(1500, "ok"), (400, "warning"), (100, "critical"), (-1, "critical")])
def test_authority_is_judged_by_its_life(left: int, expected: str) -> None:
    ending = add_authority(ca(), authority("ops-g1", 20 + left % 7, left), "ops-g1")
    judged = {one.anchor.id: one.level for one in report(authorities=ending).authorities}
    assert judged == {"server-g1": "ok", "clients-g1": "ok", "ops-g1": expected}


def test_authority_of_an_older_generation_may_end() -> None:
    judged = report(authorities=ca(authority("server-g0", 30, 10)))
    assert [(one.anchor.id, one.anchor.current, one.level) for one in judged.authorities][:2] == [
        ("server-g1", True, "ok"),
        ("server-g0", False, "ok"),
    ]


def test_authority_of_an_adopted_ca_without_a_unit_gets_a_name() -> None:
    adopted = authority("myca", 31)
    names = [one.anchor.id for one in report(authorities=ca(adopted)).authorities]
    assert names == ["server-g1", "server-older-2", "clients-g1"]


def test_report_puts_the_worst_first_and_counts_levels() -> None:
    hosts = [host("a"), host("b", stored=stored(None)), host("c")]
    judged = report(hosts, wire={"c": DOWN})
    assert [one.facts.name for one in judged.hosts] == ["c", "b", "a"]
    assert judged.level == "critical"
    assert judged.counts == {"critical": 1, "warning": 1, "unknown": 0, "ok": 3}


def test_report_of_nothing_is_ok() -> None:
    judged = report(authorities={"host": "a", "path": "/b", "state": "not-asked"}, ledger_found=None)
    assert judged.level == "ok"


def test_report_in_a_year_is_expired_without_any_sleep() -> None:
    judged = report([host()], now=NOW + YEAR)
    assert judged.hosts[0].verdict == "expired"
    assert server_authority().view.not_after > NOW + YEAR
