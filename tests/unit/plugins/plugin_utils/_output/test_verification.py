# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run_output
from support.ca.certificates import NOW

GOOD = {"check": "no-certificate", "passed": True, "detail": "no HTTP\n response"}
BAD = {"check": "good-client", "passed": False, "detail": "refused"}


def variables(endpoint: dict[str, Any] | None = None, outside: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "docker_daemon_endpoint": {"reasons": [], "verification": [GOOD], **(endpoint or {})},
        "docker_daemon_verification": outside,
    }


def test_rows_of_a_sound_host_say_what_was_seen_from_where() -> None:
    rows = run_output.verification_rows(["a"], {"a": variables(outside={"checks": [GOOD]})})
    assert [(row["seen_from"], row["check"], row["passed"]) for row in rows] == [
        ("host", "configuration", True),
        ("host", "no-certificate", True),
        ("controller", "no-certificate", True),
    ]
    assert rows[1]["detail"] == "no HTTP response"


@pytest.mark.parametrize(
    ("given", "check", "detail"),
    [
        ({}, "inspected", "not reached"),
        ({"docker_daemon_endpoint": {"unreachable": True, "msg": "no route"}}, "inspected", "no route"),
        ({"docker_daemon_endpoint": {"failed": True, "msg": "daemon.json is broken"}}, "inspected", "broken"),
        (
            variables({"reasons": ["listen-changed"]}, {"checks": [GOOD]}),
            "configuration",
            "would change it (other addresses)",
        ),
        (variables(outside={"checks": [BAD]}), "good-client", "refused"),
        (variables(outside={"failed": True, "msg": "no certificate"}), "inspected", "no certificate"),
        (variables(), "inspected", "nothing was seen"),
        (
            variables({"endpoint": {"certificate": None}}, {"failed": True, "msg": "'NoneType' has no attribute"}),
            "inspected",
            "no server certificate yet: run portcullis.docker_tls.site",
        ),
    ],
    ids=[
        "never-ran",
        "unreachable",
        "failed",
        "other-than-wanted",
        "refused",
        "not-verified-outside",
        "skipped-outside",
        "no-certificate-yet",
    ],
)
def test_host_that_is_not_verified_never_counts_as_verified(given: dict[str, Any], check: str, detail: str) -> None:
    rows = run_output.verification_rows(["a"], {"a": given})
    failed = [row for row in rows if not row["passed"]]
    assert [(row["check"], detail in row["detail"]) for row in failed] == [(check, True)]
    assert run_output.summary(rows) == "NOT VERIFIED: 1 of 1 host (a)."


def test_table_lines_up_and_ends_with_the_sum() -> None:
    rows = run_output.verification_rows(
        ["a", "longer"], {name: variables(outside={"checks": [GOOD]}) for name in ("a", "longer")}
    )
    lines = run_output.verification_table(rows)
    assert {line.index("no HTTP") for line in lines if "no HTTP" in line} == {lines[0].index("DETAIL")}
    assert lines[-1] == "Verified: 6 checks on 2 hosts, all passed."
    assert run_output.summary(rows[:1]) == "Verified: 1 check on 1 host, all passed."


UNWANTED = {
    "client": "bob",
    "generation": "clients-g1",
    "request": "localhost/bob",
    "source": "issued",
    "not_after": "2027-11-22T13:00:00Z",
    "reason": "client-revoked",
    "trusted": True,
    "hosts": ["a"],
}
COMPARED: dict[str, Any] = {"compared": True, "revoked": [], "unlisted": []}
ACCESS: dict[str, tuple[dict[str, Any], list[tuple[str, bool, str]]]] = {
    "nobody": (COMPARED, [("revoked-clients", True, "every revoked client is shut out")]),
    "revoked": (
        {**COMPARED, "revoked": [UNWANTED]},
        [("revoked-clients", False, "STILL ADMITS bob, which is revoked, by clients-g1 until 2027")],
    ),
    "elsewhere": ({**COMPARED, "revoked": [{**UNWANTED, "hosts": ["b"]}]}, [("revoked-clients", True, "shut out")]),
    "given-up": ({**COMPARED, "revoked": [{**UNWANTED, "trusted": False}]}, [("revoked-clients", True, "shut out")]),
    "unlisted": (
        {**COMPARED, "unlisted": [{**UNWANTED, "reason": "client-unlisted"}]},
        [
            ("revoked-clients", True, "shut out"),
            ("unlisted-certificate", True, "docker_client_cert_clients has no client bob"),
        ],
    ),
    "ledger-unreadable": ({"compared": False}, [("revoked-clients", False, "could not be compared")]),
    "ca-away": ({"unreachable": True, "msg": "no route"}, [("revoked-clients", False, "no route")]),
}


@pytest.mark.parametrize(("access", "expected"), ACCESS.values(), ids=ACCESS)
def test_revoked_client_that_a_host_still_admits_is_not_verified(
    access: dict[str, Any], expected: list[tuple[str, bool, str]]
) -> None:
    rows = run_output.verification_rows(["a"], {"a": variables(outside={"checks": [GOOD]})}, access)[3:]
    assert [(row["check"], row["passed"]) for row in rows] == [(check, passed) for check, passed, _detail in expected]
    assert all(detail in row["detail"] for row, (_check, _passed, detail) in zip(rows, expected))


def test_host_that_was_not_verified_before_is_configured_as_the_variables_want_it() -> None:
    rows = run_output.verification_rows(["a"], {"a": variables({"reasons": ["not-verified"]}, {"checks": [GOOD]})})
    assert all(row["passed"] for row in rows)


def test_json_of_nothing_is_not_verified() -> None:
    found = json.loads(run_output.verification_json([], {}))
    assert found == {"verified": False, "summary": "There is no host to verify.", "checks": []}


def test_json_says_when_and_by_whom_and_of_what_it_was_made() -> None:
    known = {"server": {"id": "server-g1", "purpose": "server", "certificate": {"fingerprint_sha256": "ab12"}}}
    about = run_output.head(NOW, "ops@desk", "1.0.0", known, {"web1": "tcp://10.0.0.5:2376"})
    found = json.loads(run_output.verification_json([], about))
    assert list(found)[:6] == ["schema", "generated", "collection", "operator", "authorities", "endpoints"]
    assert (found["schema"], found["generated"], found["operator"]) == (1, "2026-11-22T13:00:00Z", "ops@desk")
    assert found["authorities"] == [
        {"name": "server", "id": "server-g1", "purpose": "server", "fingerprint_sha256": "ab12"}
    ]
    assert found["endpoints"] == {"web1": "tcp://10.0.0.5:2376"}


def test_json_without_a_readable_ca_names_no_authority() -> None:
    assert run_output.head(NOW, "ops@desk", "1.0.0", {}, {})["authorities"] == []


LISTS = {"revocation_lists": [{"issuer": "CN=Docker client CA,OU=clients-g1", "number": 2, "revoked": 1}]}
BY_LIST: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "in-the-list": ({"listed": True}, {"endpoint": LISTS}, True),
    "in-no-list-of-the-ca": ({"listed": False}, {"endpoint": LISTS}, False),
    "list-of-another-authority": ({"listed": True, "generation": "ops-g1"}, {"endpoint": LISTS}, False),
    "host-without-lists": ({"listed": True}, {"endpoint": {}}, False),
    "host-with-an-older-list": ({"listed": True}, {"endpoint": LISTS, "reasons": ["crl-changed"]}, False),
    "host-that-failed": ({"listed": True}, {"endpoint": LISTS, "failed": True, "msg": "no"}, False),
}


@pytest.mark.parametrize(("certificate", "endpoint", "shut"), BY_LIST.values(), ids=BY_LIST)
def test_certificate_in_a_revocation_list_is_refused_where_the_host_has_the_list(
    certificate: dict[str, Any], endpoint: dict[str, Any], shut: bool
) -> None:
    access = {**COMPARED, "revoked": [{**UNWANTED, **certificate}]}
    rows = run_output.verification_rows(["a"], {"a": variables(endpoint, {"checks": [GOOD]})}, access)
    assert [row["passed"] for row in rows if row["check"] == "revoked-clients"] == [shut]
