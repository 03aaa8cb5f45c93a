# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a revocation concerns, and the report on each of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import bundles, revocation, revocation_report
from support.ansible import plan_task
from support.contracts import records

CLIENTS = [{"name": "alice"}, {"name": "bob", "state": "revoked"}, {"name": "olga", "group": "ops"}]
PENDING = {
    "authority": "clients",
    "clients": ["bob"],
    "issuing": "clients-g2",
    "generations": ["clients-g1"],
    "members": True,
}
GROUPS = {"docker_hosts": ["web1", "web2", "db1", "gone"], "docker_clients": ["desk"]}
CHANGED = {"changed": True, "endpoint": {"engine_version": "26.1"}}
VERIFIED = {"passed": True, "checks": [{"check": "former-client-of-clients-g1", "passed": True, "detail": ""}]}


def bundle(name: str, unit: str) -> dict[str, Any]:
    return {"id": name, "certificate": {"issuer": f"CN=Docker client CA,OU={unit}"}}


def fleet(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    usual: dict[str, dict[str, Any]] = {
        "localhost": {
            "__docker_ca_checked": {"revocations": [PENDING]},
            "docker_client_cert_clients": CLIENTS,
            "__docker_client_cert_installed": {"bundles": [bundle("alice", "clients-g2")]},
        },
        "web1": {"docker_daemon_endpoint": CHANGED, "docker_daemon_verification": VERIFIED},
        "web2": {"docker_daemon_endpoint": CHANGED, "docker_daemon_verification": VERIFIED},
        "db1": {"docker_daemon_access_groups": ["ops"]},
        "gone": {"docker_daemon_state": "absent"},
        "desk": {
            "docker_client_cert_clients": CLIENTS,
            "__docker_client_cert_installed": {"bundles": [bundle("root:alice", "clients-g2")]},
        },
    }
    return {name: {**variables, **changes.get(name, {})} for name, variables in usual.items()}


def test_hosts_are_those_that_admit_the_group() -> None:
    hostvars = fleet()
    assert revocation.revocation_hosts(GROUPS, hostvars, "hosts") == ["web1", "web2"]
    assert revocation.revocation_hosts(GROUPS, hostvars, "ca") == ["localhost"]
    assert revocation.revocation_hosts({**GROUPS, "docker_ca": ["olympus"]}, hostvars, "ca") == []
    assert revocation.changes(revocation.revocations(GROUPS, hostvars)) == [
        {"name": "clients", "state": "retired", "generation": 2}
    ]


@pytest.mark.parametrize("step", ["hosts", "ca", "controller"])
def test_without_anything_revoked_nobody_is_concerned(step: str) -> None:
    assert (
        revocation.revocation_hosts(GROUPS, fleet(localhost={"__docker_ca_checked": {"revocations": []}}), step) == []
    )
    assert revocation.revocation_hosts(GROUPS, {}, step) == []
    assert revocation.revocation_hosts(GROUPS, fleet(), step, predicting=True) == []


def test_rows_of_a_complete_revocation_all_pass() -> None:
    rows = revocation_report.rows(GROUPS, fleet())
    assert [(row["host"], row["check"], row["passed"]) for row in rows] == [
        ("web1", "revoked", True),
        ("web2", "revoked", True),
        ("localhost", "member alice", True),
        ("desk", "member root:alice", True),
    ]


UNFINISHED: dict[str, tuple[str, dict[str, Any], str]] = {
    "host-unreachable": (
        "web2",
        {"docker_daemon_endpoint": {"unreachable": True, "msg": "timed out"}, "docker_daemon_verification": {}},
        "MAY STILL ADMIT bob: timed out",
    ),
    "host-never-tried": (
        "web2",
        {"docker_daemon_endpoint": {}, "docker_daemon_verification": {}},
        "MAY STILL ADMIT bob: the host was not reached",
    ),
    "host-not-come-to": (
        "web2",
        {"__docker_tls_inspected": {"current": False}, "docker_daemon_endpoint": {}, "docker_daemon_verification": {}},
        "MAY STILL ADMIT bob: this run has not changed the host",
    ),
    "controller-not-come-to": (
        "localhost",
        {"__docker_client_cert_installed": None},
        "alice HAS NO CERTIFICATE of clients-g2 and is refused until it has: the run has not come to the bundles there",
    ),
    "host-lets-in": (
        "web2",
        {
            "docker_daemon_verification": {
                "passed": False,
                "checks": [{"check": "former-client-of-clients-g1", "passed": False, "detail": "ADMITTED: HTTP 200"}],
            }
        },
        "STILL ADMITS bob: former-client-of-clients-g1: ADMITTED: HTTP 200",
    ),
    "nothing-listens": (
        "web2",
        {
            "docker_daemon_verification": {
                "passed": False,
                "checks": [
                    {"check": "former-client-of-clients-g1", "passed": False, "detail": "nothing listens there"}
                ],
            }
        },
        "MAY STILL ADMIT bob: former-client-of-clients-g1: nothing listens there",
    ),
    "first-pass-only": ("web2", {"docker_daemon_verification": {"passed": True, "checks": []}}, "MAY STILL ADMIT bob"),
    "host-rolled-back": (
        "web2",
        {"docker_daemon_state": "rolled_back", "docker_daemon_verification": {}},
        "STILL ADMITS bob: docker_daemon_state is rolled_back",
    ),
    "member-not-renewed": (
        "desk",
        {"__docker_client_cert_installed": {"unreachable": True, "msg": "timed out"}},
        "alice HAS NO CERTIFICATE of clients-g2 and is refused until it has: timed out",
    ),
    "member-of-the-old": (
        "desk",
        {"__docker_client_cert_installed": {"bundles": [bundle("root:alice", "clients-g1")]}},
        "alice HAS NO CERTIFICATE of clients-g2",
    ),
}


def test_rolled_back_host_is_not_changed_again() -> None:
    hostvars = fleet(web2={"docker_daemon_state": "rolled_back"})
    assert revocation.revocation_hosts(GROUPS, hostvars, "hosts") == ["web1"]


@pytest.mark.parametrize(("host", "variables", "detail"), UNFINISHED.values(), ids=UNFINISHED)
def test_rows_name_what_is_not_done(host: str, variables: dict[str, Any], detail: str) -> None:
    failed = [row for row in revocation_report.rows(GROUPS, fleet(**{host: variables})) if not row["passed"]]
    assert [row["host"] for row in failed] == [host]
    assert detail in failed[0]["detail"]


def test_members_keep_their_certificates_where_no_host_knows_the_new_authority() -> None:
    broken = {"docker_daemon_endpoint": {"failed": True, "msg": "no"}, "docker_daemon_verification": {}}
    assert revocation.held(GROUPS, fleet(web1=broken)) == {}
    problems = revocation.held(GROUPS, fleet(web1=broken, web2=broken))
    assert list(problems) == ["clients"] and "web1, web2" in problems["clients"]
    alone = {"__docker_ca_checked": {"revocations": [{**PENDING, "members": False}]}}
    assert revocation.held(GROUPS, fleet(web1=broken, web2=broken, localhost=alone)) == {}


LIARS: dict[str, dict[str, Any]] = {
    "says-that-it-changed": {"docker_daemon_endpoint": CHANGED, "docker_daemon_verification": {}},
    "says-that-all-is-well": {"docker_daemon_endpoint": None, "__docker_tls_inspected": {**CHANGED, "current": True}},
    "was-seen-to-refuse": {
        "docker_daemon_endpoint": CHANGED,
        "docker_daemon_verification": {"passed": False, "checks": []},
    },
    "verification-failed": {
        "docker_daemon_endpoint": CHANGED,
        "docker_daemon_verification": {"failed": True, "msg": "timed out"},
    },
}


@pytest.mark.parametrize("liar", LIARS.values(), ids=LIARS)
def test_host_that_only_says_so_does_not_count(liar: dict[str, Any]) -> None:
    """The members would be locked out everywhere, by the word of one host."""
    broken = {"docker_daemon_endpoint": {"failed": True, "msg": "no"}, "docker_daemon_verification": {}}
    told = {"docker_daemon_verification": {}, **liar}
    assert list(revocation.held(GROUPS, fleet(web1=broken, web2=told))) == ["clients"]


def test_bundles_of_revoked_clients_are_found_on_the_controller_and_on_machines() -> None:
    on_controller = bundles.revoked_bundles("localhost", {}, CLIENTS, ["desk"], "/b")
    assert [(one["id"], one["directory"], one["common_name"], one["state"]) for one in on_controller] == [
        ("bob", "/b/bob", "bob", "absent")
    ]
    elsewhere = [{"name": "bob", "state": "revoked", "controller_directory": "~/.docker"}]
    assert [one["directory"] for one in bundles.revoked_bundles("localhost", {}, elsewhere, [], "/b")] == ["~/.docker"]
    users = {
        "desk": {"docker_client_cert_users": [{"user": "robert", "client": "bob"}, {"user": "al", "client": "alice"}]}
    }
    on_machine = bundles.revoked_bundles("desk", users, CLIENTS, ["desk"], "/b")
    assert [(one["id"], one["directory"], one["owner"]) for one in on_machine] == [
        ("robert:bob", "~robert/.docker", "robert")
    ]
    assert bundles.revoked_bundles("desk", {"desk": {}}, CLIENTS, ["desk"], "/b") == []


DEFERRED = {**PENDING, "issuing": ""}
READ = {"authorities": {"clients": {}}, "compared": True}
INCOMPLETE: dict[str, tuple[dict[str, dict[str, Any]], list[str]]] = {
    "read-by-the-role": (
        {"localhost": {"__docker_ca_checked": {"authorities": {}, "revocations_deferred": [DEFERRED]}}},
        ["bob can connect with certificates of clients-g1 on web1, web2"],
    ),
    "read-in-its-place": (
        {
            "localhost": {"__docker_ca_checked": {"skipped": True}},
            "web2": {"__docker_tls_authorities": {**READ, "revocations_deferred": [DEFERRED]}},
        },
        ["bob can connect with certificates of clients-g1 on web1, web2"],
    ),
    "ledger-unreadable": (
        {"localhost": {"__docker_ca_checked": {}}, "web1": {"__docker_tls_authorities": {**READ, "compared": False}}},
        ["the ledger of the CA cannot be read"],
    ),
    "nobody-has-read-it": (
        {"localhost": {"__docker_ca_checked": {}}},
        ["Whether bob still have access, though revoked, is not known"],
    ),
    "nobody-is-revoked": (
        {
            "localhost": {"__docker_ca_checked": {}, "docker_client_cert_clients": []},
            "desk": {"docker_client_cert_clients": []},
        },
        [],
    ),
    "a-revoked-name-has-another-case": (
        {
            "localhost": {
                "__docker_ca_checked": {
                    "authorities": {},
                    "revocations": [],
                    "revoked_unknown": ["bob.b", "eve"],
                    "unlisted": [{"client": "Bob.B"}, {"client": "carol"}],
                }
            }
        },
        [
            "NOT REVOKED: the inventory revokes bob.b, and no certificate in the ledger has this name. Bob.B has a valid certificate"
        ],
    ),
    "a-revoked-name-has-another-case-than-a-listed-one": (
        {
            "localhost": {
                "__docker_ca_checked": {
                    "authorities": {},
                    "revocations": [],
                    "revoked_unknown": [" ALICE", "eve", "bob"],
                    "unlisted": [],
                }
            }
        },
        [
            "NOT REVOKED: the inventory revokes  ALICE, and no certificate in the ledger has this name. The inventory lists alice as present"
        ],
    ),
    **{
        f"a-revoked-name-looks-like-a-listed-one-{name}": (
            {
                "localhost": {
                    "__docker_ca_checked": {
                        "authorities": {},
                        "revocations": [],
                        "revoked_unknown": [name],
                        "unlisted": [],
                    }
                }
            },
            [
                f"NOT REVOKED: the inventory revokes {name}, and no certificate in the ledger has this name. The inventory lists alice"
            ],
        )
        for name in (
            "alicee",
            "alic",
            "alixe",
            "alcie",
            "alic\u00e9",
            "\u0430lice",
            "\uff41lice",
            "ali\u200bce",
            "al\u0456ce",
        )
    },
    "a-revoked-name-is-another-one": (
        {
            "localhost": {
                "__docker_ca_checked": {
                    "authorities": {},
                    "revocations": [],
                    "revoked_unknown": ["mallory", "ci-2", "ci-web-2", "\u00e9lodie", "\u0438\u0432\u0430\u043d"],
                    "unlisted": [{"client": "ci-1"}, {"client": "ci-web-1"}, {"client": "bo"}],
                }
            }
        },
        [],
    ),
    "all-is-done": ({"localhost": {"__docker_ca_checked": {"authorities": {}, "revocations": []}}}, []),
}


@pytest.mark.parametrize(("variables", "expected"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_run_that_leaves_a_revocation_rolled_back_says_who_still_gets_in_where(
    variables: dict[str, dict[str, Any]], expected: list[str]
) -> None:
    hostvars = fleet(**variables)
    incomplete = revocation.incomplete_revocations(GROUPS, hostvars)
    assert len(incomplete) == len(expected)
    assert all(part in records.said(one.message) for part, one in zip(expected, incomplete))
    assert all(one.hint.endswith(".") for one in incomplete)


def test_check_mode_says_that_the_revocation_would_not_begin() -> None:
    hostvars = fleet(localhost={"__docker_ca_checked": {"authorities": {}, "revocations_deferred": [DEFERRED]}})
    told = {predicting: revocation.incomplete_revocations(GROUPS, hostvars, predicting) for predicting in (False, True)}
    assert [told[False][0].message.endswith("was not begun."), told[True][0].message.endswith("would not begin.")] == [
        True,
        True,
    ]


def test_generation_clients_are_admitted_or_refused_by_what_is_trusted() -> None:
    authorities = {"clients": {"generations": [{"id": "clients-g2"}]}, "ops": {"generations": [{"id": "ops-g1"}]}}
    made = {name: {"certificate_content": name, "key_content": "k"} for name in ("clients-g1", "clients-g2", "ops-g1")}

    def names(wanted: str, *groups: str) -> list[str]:
        return [one["name"] for one in revocation.generation_clients(made, authorities, wanted, groups)]

    assert names("admitted", "clients") == ["client-of-clients-g2"]
    assert names("admitted") == []
    assert names("refused") == ["former-client-of-clients-g1"]


LISTED = {"serial": "5f", "authority": "clients-g1", "client": "bob", "group": "clients"}
LISTS = {"revocation_lists": [{"issuer": "CN=Docker client CA,O=x,OU=clients-g1", "number": 2, "revoked": 1}]}
TOOK: dict[str, Any] = {
    "__docker_tls_inspected": {"current": False},
    "docker_daemon_endpoint": {"changed": True, "endpoint": LISTS},
    "docker_daemon_verification": {"passed": True, "checks": []},
}
BY_LIST = {"__docker_ca_checked": {"authorities": {}, "revocations": [], "revoked_certificates": [LISTED]}}


def proxies(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return fleet(localhost=BY_LIST, **{"web1": TOOK, "web2": TOOK, **changes})


def test_revocation_by_list_concerns_only_the_report() -> None:
    hostvars = proxies()
    assert revocation.revocation_hosts(GROUPS, hostvars, "controller") == ["localhost"]
    assert revocation.revocation_hosts(GROUPS, hostvars, "ca") == []
    assert revocation.revocation_hosts(GROUPS, hostvars, "hosts") == []
    assert revocation.revocation_hosts(GROUPS, hostvars, "controller", predicting=True) == []
    assert revocation.held(GROUPS, hostvars) == {}
    rows = revocation_report.rows(GROUPS, hostvars)
    assert [(row["host"], row["check"], row["passed"]) for row in rows] == [
        ("web1", "revoked", True),
        ("web2", "revoked", True),
    ]
    assert rows[0]["detail"] == "bob is shut out by the revocation list of clients-g1"
    assert revocation.incomplete_revocations(GROUPS, hostvars) == []


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (
            {"passed": True},
            "bob is shut out by the revocation list of clients-g1, and a certificate with a revoked serial number is refused",
        ),
        ({"passed": False}, "STILL ADMITS bob: revoked-client-of-clients: ADMITTED: HTTP 200"),
    ],
    ids=["refused", "admitted"],
)
def test_row_of_a_revocation_by_list_says_what_was_tried(check: dict[str, Any], expected: str) -> None:
    tried = {"check": "revoked-client-of-clients", "detail": "ADMITTED: HTTP 200", **check}
    took = {**TOOK, "docker_daemon_verification": {"passed": check["passed"], "checks": [tried]}}
    rows = revocation_report.rows(GROUPS, proxies(web1=took))
    assert {row["host"]: (row["passed"], row["detail"]) for row in rows}["web1"] == (check["passed"], expected)


def test_group_of_a_mixed_fleet_is_reported_by_its_authority() -> None:
    both = {"__docker_ca_checked": {"revocations": [PENDING], "revoked_certificates": [LISTED]}}
    assert revocation.listed(GROUPS, fleet(localhost=both)) == []
    assert revocation_report.rows(GROUPS, fleet(localhost=both)) == revocation_report.rows(GROUPS, fleet())


#: web2, and why bob is not known to be shut out there.
NOT_BY_LIST: dict[str, tuple[dict[str, Any], str]] = {
    "unreachable": (
        {
            "__docker_tls_inspected": {"unreachable": True, "msg": "no route"},
            "docker_daemon_endpoint": {},
            "docker_daemon_verification": {},
        },
        "the host was not reached",
    ),
    "failed": (
        {**TOOK, "docker_daemon_endpoint": {"failed": True, "msg": "the disk is full", "endpoint": LISTS}},
        "the disk is full",
    ),
    "refused": (
        {
            **TOOK,
            "__docker_tls_inspected": {"current": False, "refused": {"msg": "docker.service is masked"}},
            "docker_daemon_endpoint": None,
            "docker_daemon_verification": None,
        },
        "docker.service is masked",
    ),
    "not-in-the-run": (
        {"__docker_tls_inspected": None, "docker_daemon_endpoint": None, "docker_daemon_verification": None},
        "this run does not include the host",
    ),
    "no-list": (
        {**TOOK, "docker_daemon_endpoint": {"changed": True, "endpoint": {"revocation_lists": []}}},
        "its listener checks no revocation list of this group",
    ),
    "current-without-a-list": (
        {
            "__docker_tls_inspected": {"current": True, "endpoint": {"revocation_lists": []}},
            "docker_daemon_endpoint": None,
            "docker_daemon_verification": None,
        },
        "its listener checks no revocation list of this group",
    ),
    "good-client-refused": (
        {
            **TOOK,
            "docker_daemon_verification": {
                "passed": False,
                "checks": [{"check": "good-client", "passed": False, "detail": "refused"}],
            },
        },
        "good-client: refused",
    ),
    "verification-failed": ({**TOOK, "docker_daemon_verification": {"failed": True, "msg": "timed out"}}, ""),
    "left-out-by-tags": (
        {**TOOK, "docker_daemon_endpoint": None, "docker_daemon_verification": None},
        "this run has not changed the host",
    ),
}


@pytest.mark.parametrize(("web2", "why"), NOT_BY_LIST.values(), ids=NOT_BY_LIST)
def test_proxy_that_did_not_take_the_list_is_named(web2: dict[str, Any], why: str) -> None:
    hostvars = proxies(web2=web2)
    (failed,) = [row for row in revocation_report.rows(GROUPS, hostvars) if not row["passed"]]
    assert failed["host"] == "web2"
    known = why.startswith(("this run does not include", "its listener checks no", "docker_daemon_state"))
    assert f"{'STILL ADMITS' if known else 'MAY STILL ADMIT'} bob: {why}" in failed["detail"]


def test_proxy_that_has_the_list_already_is_shut() -> None:
    current = {"__docker_tls_inspected": {"current": True, "endpoint": LISTS}, "docker_daemon_endpoint": None}
    rows = revocation_report.rows(GROUPS, proxies(web2={**current, "docker_daemon_verification": {"skipped": True}}))
    assert all(row["passed"] for row in rows)


def test_run_that_leaves_out_a_proxy_names_it() -> None:
    outside = {"__docker_tls_inspected": None, "docker_daemon_endpoint": None, "docker_daemon_verification": None}
    (incomplete,) = revocation.incomplete_revocations(GROUPS, proxies(web2=outside))
    assert (
        "REVOKED, AND STILL ADMITTED: bob can connect with certificates of clients-g1 on web2, which"
        in incomplete.message
    )
    assert "without --limit" in incomplete.hint


GONE = {
    "client": "bob",
    "group": "clients",
    "generation": "clients-g1",
    "trusted": False,
    "listed": False,
    "refused_by": ["web1"],
}
EARLIER = {"__docker_ca_checked": {"authorities": {}, "revocations": [], "revoked": [GONE]}}
FRESH: dict[str, Any] = {"docker_daemon_endpoint": None, "docker_daemon_verification": None}
SEEN: dict[str, Any] = {**FRESH, "__docker_tls_inspected": {"current": True}}


def later(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a fleet in which bob's authority was retired by an earlier run that did not reach web2."""
    return fleet(localhost=EARLIER, **{"web1": SEEN, "web2": SEEN, **changes})


def rolled_back(*access: str) -> dict[str, Any]:
    """Return a host that this run has rolled back, so that it admits the clients of authorities with these subjects."""
    result = {"changed": True, "endpoint": {"access": list(access)}}
    return {**SEEN, "docker_daemon_state": "rolled_back", "docker_daemon_endpoint": result}


#: web2 in this run: whether it refuses bob then, and the report.
CONTINUED: dict[str, tuple[dict[str, Any], bool | None, str]] = {
    "as-it-should-be": (SEEN, True, "bob is shut out, its certificate of clients-g1 is refused"),
    "changed": (
        {**TOOK, "docker_daemon_endpoint": {"changed": True}},
        True,
        "bob is shut out, its certificate of clients-g1 is refused",
    ),
    "failed": (
        {**TOOK, "docker_daemon_endpoint": {"failed": True, "msg": "the disk is full"}},
        False,
        "MAY STILL ADMIT bob: the disk is full",
    ),
    "not-verified": (
        {
            **TOOK,
            "docker_daemon_verification": {
                "passed": False,
                "checks": [{"check": "x", "passed": False, "detail": "refused"}],
            },
        },
        False,
        "MAY STILL ADMIT bob: x: refused",
    ),
    "refused": (
        {**FRESH, "__docker_tls_inspected": {"current": False, "refused": {"msg": "docker.service is masked"}}},
        False,
        "MAY STILL ADMIT bob: docker.service is masked",
    ),
    "left-out-by-tags": ({**FRESH, "__docker_tls_inspected": {"current": False}}, False, "MAY STILL ADMIT bob"),
    "rolled-back": (
        {**SEEN, "docker_daemon_state": "rolled_back"},
        False,
        "MAY STILL ADMIT bob: docker_daemon_state is rolled_back",
    ),
    "rolled-back-to-what-admits-it": (
        rolled_back("CN=Docker client CA,OU=clients-g1", "CN=Docker client CA,OU=clients-g2"),
        False,
        "MAY STILL ADMIT bob: docker_daemon_state is rolled_back",
    ),
    "rolled-back-to-an-adopted-authority": (
        rolled_back("CN=Company CA"),
        False,
        "MAY STILL ADMIT bob: docker_daemon_state is rolled_back",
    ),
    "rolled-back-to-what-refuses-it": (
        rolled_back("CN=Docker client CA,OU=clients-g2"),
        True,
        "bob is shut out, its certificate of clients-g1 is refused",
    ),
    "lies-about-being-current": ({**FRESH, "__docker_tls_inspected": {"current": "yes"}}, False, "MAY STILL ADMIT bob"),
}


@pytest.mark.parametrize(("web2", "done", "said"), CONTINUED.values(), ids=CONTINUED)
def test_run_that_reaches_the_remaining_host_of_a_revocation_reports_and_records_it(
    web2: dict[str, Any], done: bool, said: str
) -> None:
    hostvars = later(web2=web2)
    (row,) = revocation_report.rows(GROUPS, hostvars)
    assert (row["host"], row["passed"]) == ("web2", done) and row["detail"].startswith(said)
    recorded = [{"client": "bob", "authority": "clients-g1", "hosts": ["web2"]}]
    assert revocation_report.verified(GROUPS, hostvars) == (recorded if done else [])
    assert revocation.revocation_hosts(GROUPS, hostvars, "controller") == ["localhost"]
    assert revocation.revocation_hosts(GROUPS, hostvars, "hosts") == []
    assert revocation.recording_hosts(GROUPS, hostvars) == ["localhost", "web1", "web2"]
    assert revocation.recording_hosts(GROUPS, hostvars, predicting=True) == []
    assert revocation.incomplete_revocations(GROUPS, hostvars) == []


@pytest.mark.parametrize("predicting", [False, True])
def test_run_without_the_remaining_host_fails_and_names_it(predicting: bool) -> None:
    """A green run after a revocation that is not complete would be taken for the end of it."""
    hostvars = later(web2={**FRESH, "__docker_tls_inspected": None})
    (incomplete,) = revocation.incomplete_revocations(GROUPS, hostvars, predicting)
    known = plan_task.hostvars(localhost={"__docker_tls_plan": {"plan": {"incomplete": [list(incomplete)]}}})
    failed = plan_task.make("unfinished", known)
    assert (failed["failed"], failed["code"]) == (True, "run-unfinished")
    said = "REVOKED, AND PERHAPS STILL ADMITTED: no run has verified since the revocation of bob that web2 refuses"
    assert said in failed["msg"]
    assert "without --limit" in failed["hint"]
    assert revocation_report.rows(GROUPS, hostvars) == []
    assert revocation.recording_hosts(GROUPS, hostvars) == []


def test_complete_revocation_is_quiet_in_every_later_run() -> None:
    complete = {**GONE, "refused_by": ["web1", "web2"]}
    hostvars = fleet(localhost={"__docker_ca_checked": {"authorities": {}, "revocations": [], "revoked": [complete]}})
    for web2 in (SEEN, {**FRESH, "__docker_tls_inspected": None}):
        hostvars["web2"] = {**hostvars["web2"], **web2}
        assert revocation.incomplete_revocations(GROUPS, hostvars) == []
        assert revocation.revocation_hosts(GROUPS, hostvars, "controller") == []
        assert revocation.recording_hosts(GROUPS, hostvars) == []


def test_list_has_to_be_on_the_host_and_not_only_in_the_ledger() -> None:
    by_list = {**GONE, "trusted": True, "listed": True}
    answer = {"__docker_ca_checked": {"authorities": {}, "revocations": [], "revoked": [by_list]}}
    for endpoint, done in ((LISTS, True), ({"revocation_lists": []}, False)):
        web2 = {**FRESH, "__docker_tls_inspected": {"current": True, "endpoint": endpoint}}
        (row,) = revocation_report.rows(GROUPS, fleet(localhost=answer, web1=SEEN, web2=web2))
        assert (row["host"], row["passed"]) == ("web2", done)


def test_revocation_of_this_run_is_recorded_where_its_rows_passed() -> None:
    broken = {"docker_daemon_endpoint": {"failed": True, "msg": "no"}, "docker_daemon_verification": {}}
    recorded = revocation_report.verified(GROUPS, fleet(web2=broken))
    assert recorded == [{"client": "bob", "authority": "clients-g1", "hosts": ["web1"]}]
    assert revocation_report.verified(GROUPS, proxies()) == [
        {"client": "bob", "authority": "clients-g1", "hosts": ["web1", "web2"]}
    ]
