# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run's summary says of revocations that it did not complete, and of valid certificates that the inventory does not list."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run as runs
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import summary

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
OLGA = {
    "client": "olga",
    "group": "ops",
    "generation": "ops-g1",
    "request": "localhost/olga",
    "requester": "localhost",
    "source": "issued",
    "not_after": "2027-11-30T07:53:00Z",
    "reason": "group-changed",
    "hosts": ["web1", "web2"],
}
BOB = {**OLGA, "client": "bob", "group": "clients", "generation": "clients-g1", "reason": "client-unlisted"}
DEFERRED = {"clients": ["carol"], "generations": ["clients-g1"], "hosts": ["web1"]}
SWITCH = "run portcullis.docker_tls.site with -e docker_ca_unlisted_certificates=revoke"


def run_of(module: str = "authorities", *, check_mode: bool = False, **result: t.Any) -> runs.Run:
    run = runs.Run(check_mode=check_mode)
    run.note_success("olympus", module, {"changed": False, **result})
    run.end([], [], ["olympus"])
    return run


def told(run: runs.Run) -> str:
    return "\n".join(summary.text(run))


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("module", ["authorities", "authority_info"])
def test_certificate_that_is_not_listed_is_named_with_what_it_opens_and_how_to_end_it(
    module: str, check_mode: bool
) -> None:
    run = run_of(module, check_mode=check_mode, unlisted=[OLGA])
    said = told(run)
    assert "olga, certificate of ops-g1 (localhost/olga): opens web1, web2 until 2027-11-30" in said
    assert "olga is not of the group ops any more" in said
    assert f"end the access of olga by ops-g1: {SWITCH}" in said
    assert run.outcome == "nothing-to-do"
    assert json.loads(summary.document(run, NOW))["unlisted_certificates"] == [OLGA]


WAYS: dict[str, tuple[dict[str, t.Any], str]] = {
    "client-unlisted": (BOB, "the entry {name: bob, group: clients, state: revoked}"),
    "bundle-unlisted": ({**BOB, "reason": "bundle-unlisted"}, SWITCH),
    "recorded-elsewhere": (
        {**BOB, "source": "recorded", "reason": "bundle-unlisted"},
        "replace the authority of the group (docker_rotate_ca_authority=clients)",
    ),
    "recorded": ({**BOB, "source": "recorded"}, "the entry {name: bob, group: clients, state: revoked}"),
}


@pytest.mark.parametrize(("certificate", "way"), WAYS.values(), ids=WAYS)
def test_way_to_end_it_fits_the_certificate(certificate: dict[str, t.Any], way: str) -> None:
    said = told(run_of(unlisted=[certificate]))
    assert way in said
    assert (SWITCH in said) == (certificate["source"] == "issued")


def test_certificate_that_was_adopted_is_named_and_nothing_is_asked_for() -> None:
    said = told(run_of(unlisted=[{**BOB, "source": "adopted"}]))
    assert "bob, certificate of clients-g1 (localhost/olga, adopted): opens web1, web2" in said
    assert "Next:" not in said


def test_certificate_that_was_adopted_may_open_hosts_that_were_given_back() -> None:
    """docker_daemon_state absent brings back the daemon.json of before, and the CA in it."""
    said = told(run_of(unlisted=[{**BOB, "source": "adopted", "hosts": []}]))
    assert "opens no host with an endpoint of ours now; hosts whose endpoint was removed may admit it until" in said


REVOKED = {**BOB, "reason": "client-revoked", "trusted": False, "hosts": ["web1", "web2"]}
UNTIL = " by clients-g1 (until 2027-11-30)"
LISTED_BEFORE = {**REVOKED, "trusted": True, "listed": True}
ENTRY = {"serial": "5f", "authority": "clients-g1", "client": "bob", "group": "clients", "hosts": ["web1", "web2"]}
LEAVING = {"authority": "clients", "clients": ["bob"], "generations": ["clients-g1"], "hosts": ["web1", "web2"]}
AWAY = {
    "retired-in-an-earlier-run": ({"revoked": [REVOKED]}, UNTIL),
    "retired-and-verified-elsewhere": ({"revoked": [{**REVOKED, "refused_by": ["web1"]}]}, UNTIL),
    "retired-and-verified-everywhere": ({"revoked": [{**REVOKED, "refused_by": ["web1", "web2"]}]}, ""),
    "listed-in-an-earlier-run": ({"revoked": [LISTED_BEFORE]}, UNTIL),
    "listed-and-verified": ({"revoked": [{**LISTED_BEFORE, "refused_by": ["web2"]}]}, ""),
    "two-certificates-are-one-line": ({"revoked": [REVOKED, {**REVOKED, "request": "desk/bob"}]}, UNTIL),
    "still-trusted-everywhere": ({"revoked": [{**REVOKED, "trusted": True}]}, ""),
    "of-hosts-in-the-run": ({"revoked": [{**REVOKED, "hosts": ["web1"]}]}, ""),
    "listed-in-this-run": ({"revoked_certificates": [ENTRY]}, " by clients-g1"),
    "retired-in-this-run": ({"revoked": [{**REVOKED, "trusted": True}], "revocations": [LEAVING]}, " by clients-g1"),
    "not-begun": ({"revoked": [{**LISTED_BEFORE}], "revocations_deferred": [LEAVING]}, ""),
}


@pytest.mark.parametrize("where", ["outside", "unreachable", "failed"])
@pytest.mark.parametrize(("result", "expected"), AWAY.values(), ids=AWAY)
def test_host_that_is_not_known_to_refuse_a_revoked_client_is_named_once_with_one_next_step(
    result: dict[str, t.Any], expected: str, where: str
) -> None:
    """It may have been away when the client was revoked; the ledger has the hosts that were verified since."""
    run = runs.Run()
    run.note_success("web1", "authorities", result)
    run.note_success("web1", "host_state", {"current": True})
    hosts = ["web1"] if where == "outside" else ["web1", "web2"]
    failed, away = (["web2"] if where == state else [] for state in ("failed", "unreachable"))
    run.end(failed, away, hosts, {"docker_hosts": ["web1", "web2"]})
    said = told(run)
    line = f"NOT VERIFIED: bob is revoked, and web2 may still admit it{expected}"
    assert said.split("\n").count(line) == (1 if expected else 0) and said.count("NOT VERIFIED") == bool(expected)
    whole = "run portcullis.docker_tls.site for the whole inventory, without --limit and --tags: this"
    effect = f"{whole} verifies that web2 refuses bob"
    assert said.count(effect) == (1 if expected and where == "outside" else 0)
    if where != "outside":
        assert "--limit" not in said.replace(f"{whole} shuts bob out", "")
    assert len(json.loads(summary.document(run, NOW))["revocations_not_verified"]) == bool(expected)


def test_host_that_was_verified_and_failed_afterwards_is_known_to_refuse_the_client() -> None:
    """A host that keeps a revocation list which could not be renewed fails at the end of the run."""
    run = run_of(revoked_certificates=[ENTRY])
    record = {"event": "revocation-verified", "client": "bob", "authority": "clients-g1", "hosts": ["web1"]}
    run.note_success("localhost", "recorded_certificates", {"changed": True, "recorded": [record]})
    run.end(["web1", "web2"], [], ["web1", "web2"], {"docker_hosts": ["web1", "web2"]})
    assert "NOT VERIFIED: bob is revoked, and web2 may still admit it by clients-g1" in told(run)


@pytest.mark.parametrize("check_mode", [False, True])
def test_revocation_that_was_not_begun_names_client_and_hosts(check_mode: bool) -> None:
    run = run_of(check_mode=check_mode, revocations_deferred=[DEFERRED])
    said = told(run)
    assert "NOT REVOKED: carol can connect with certificates of clients-g1 on web1" in said
    assert (
        "run portcullis.docker_tls.site for the whole inventory, without --limit and --tags: this shuts carol out"
        in said
    )
    assert json.loads(summary.document(run, NOW))["revocations_deferred"] == [DEFERRED]


def test_revoked_name_that_the_ledger_does_not_know_is_named() -> None:
    run = run_of(revoked_unknown=["bbo"])
    assert "NOT REVOKED: the ledger has no certificate of bbo; check how the name is written" in told(run)
    assert json.loads(summary.document(run, NOW))["revoked_unknown"] == ["bbo"]
    assert "compare the name bbo with the certificates in the ledger (portcullis.docker_tls.ledger_info)" in told(run)


def test_many_are_shortened_and_the_document_has_all() -> None:
    many = [{**BOB, "client": f"c{number}", "hosts": [f"web{host}" for host in range(9)]} for number in range(30)]
    run = run_of(unlisted=many)
    said = told(run)
    assert "c9, " in said and "c10, " not in said and "and 20 more" in said
    assert "web0, web1, web2, web3, web4 and 4 more" in said
    assert len(json.loads(summary.document(run, NOW))["unlisted_certificates"]) == 30


def test_answer_that_is_misshapen_and_names_with_control_characters_do_no_harm() -> None:
    said = told(run_of(unlisted=["a text", {**BOB, "client": "e\x1b[31mvil"}, {}], revocations_deferred="x"))
    assert "\x1b" not in said and "e?[31mvil" in said


def test_without_either_nothing_is_said() -> None:
    assert told(run_of()).strip() == "Docker TLS: 1 as it should be"


@pytest.mark.parametrize(
    ("issuing", "steps"),
    [
        ("", "admits + a new authority of clients, then - clients-g1, restart twice"),
        ("clients-g2", "admits - clients-g1, restart yes"),  # an earlier run made it
    ],
)
def test_plan_of_a_revocation_names_the_hosts_that_will_restart_and_how_often(issuing: str, steps: str) -> None:
    """What a host that does not admit the new authority yet adds for it is in the plan of its endpoint."""
    revocation = {
        "authority": "clients",
        "clients": ["bob"],
        "issuing": issuing,
        "generations": ["clients-g1"],
        "hosts": ["web1", "web9"],
    }
    run = runs.Run(check_mode=True)
    run.note_success("localhost", "authorities", {"revocations": [revocation]})
    for host in ("web1", "web2"):
        run.note_success(host, "host_state", {"current": False, "reasons": ["client-revoked"]})
        run.note_success(host, "endpoint", {"changed": False})
    run.end([], [], ["web1", "web2"])
    assert told(run).splitlines()[1:3] == [
        "Docker TLS, a plan: 1 would change, 1 as it should be",
        f"would change  web1  {steps}, verification (the client is revoked: bob)",
    ]


def revoking(check_mode: bool, **result: t.Any) -> runs.Run:
    run = runs.Run(check_mode=check_mode)
    run.note_success("olympus", "authorities", {"changed": True, "plan": [], "reasons": ["client-revoked"], **result})
    for host in ("web1", "web2"):
        run.note_success(host, "host_state", {"current": True})
    run.end([], [], ["olympus", "web1", "web2"])
    return run


LISTED = {"serial": "5f", "authority": "clients-g1", "client": "bob", "group": "clients", "hosts": ["web1", "web2"]}
MIXED = {
    "clients": ["bob"],
    "authority": "clients",
    "issuing": "",
    "generations": ["clients-g1"],
    "hosts": ["web1", "web2"],
    "proxies": ["web2"],
}


@pytest.mark.parametrize("check_mode", [False, True])
def test_revocation_by_list_says_that_nothing_restarts_and_others_keep_their_certificates(check_mode: bool) -> None:
    run = revoking(check_mode, revoked_certificates=[LISTED, {**LISTED, "serial": "60"}])
    said = told(run)
    way = "Revocation of bob (the other clients of clients-g1 keep their certificates): web1, web2: revocation list, reload of the proxy"
    assert said.count(way) == 1
    planned = "revocation list of clients-g1, proxy reload, restart no (the client is revoked: bob)"
    assert said.count(planned) == (2 if check_mode else 0)


@pytest.mark.parametrize("check_mode", [False, True])
def test_revocation_in_a_mixed_fleet_says_which_way_each_host_goes(check_mode: bool) -> None:
    run = revoking(check_mode, revocations=[MIXED], revoked_certificates=[LISTED])
    # The plays of a revocation read the authorities once more.
    run.note_success("olympus", "authority_info", {"revoked": [], "unlisted": [], "revocations_deferred": []})
    said = told(run)
    assert (
        "the other clients of clients get new certificates): web1: new authority, restart of dockerd; web2: revo"
        in said
    )
    assert "keep their certificates" not in said
    for host, how in (("web1", "restart twice"), ("web2", "proxy reload, restart no")):
        assert (
            f"admits + a new authority of clients, then - clients-g1, {how}, verification"
            in " ".join(run.host(host).done)
        ) == check_mode


def test_next_step_for_several_clients_and_hosts_is_one() -> None:
    """What is not begun for carol concerns bob's authority too."""
    run = runs.Run()
    other = {**REVOKED, "client": "eve", "generation": "ops-g1", "hosts": ["web3"]}
    run.note_success("web1", "authorities", {"revoked": [REVOKED, other], "revocations_deferred": [DEFERRED]})
    run.note_success("web1", "host_state", {"current": True})
    run.end([], [], ["web1"], {"docker_hosts": ["web1", "web2", "web3"]})
    steps = [line.strip() for line in told(run).split("\n") if line.startswith("  - ")]
    assert steps == [
        "- run portcullis.docker_tls.site for the whole inventory, without --limit and --tags: this shuts carol out, and verifies that web3 refuses eve"
    ]


def test_later_reading_of_the_authorities_alone_takes_nothing_back() -> None:
    run = runs.Run()
    run.note_success("web1", "authorities", {"revoked": [REVOKED], "unlisted": [OLGA], "revoked_unknown": ["bbo"]})
    run.note_success("web1", "authority_info", {"compared": False, "revoked": [], "unlisted": []})
    run.end([], [], ["web1"], {"docker_hosts": ["web1", "web2"]})
    said = told(run)
    assert "NOT VERIFIED: bob" in said and "olga, certificate of ops-g1" in said and "no certificate of bbo" in said
