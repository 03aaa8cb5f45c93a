# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision about a rotation, as tables: where everything is, and what that makes of it."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._rotation import phases
from ansible_collections.portcullis.docker_tls.plugins.module_utils._rotation import phases as rotation_text

NOW = datetime(2026, 11, 22, 13, tzinfo=timezone.utc)


def generations(name: str, **stages: str) -> tuple[phases.Generation, ...]:
    """Return generations: g1="retiring", g2="issuing"."""
    return tuple(
        phases.Generation(f"{name}-{number}", stage, NOW - timedelta(days=30)) for number, stage in stages.items()
    )


def ids(name: str, *numbers: int) -> frozenset[str]:
    return frozenset(f"{name}-g{number}" for number in numbers)


def server_host(name: str, cert: tuple[int, ...], trusts: tuple[int, ...]) -> phases.Place:
    anchors = ids("server", *trusts)
    return phases.Place(name, name, issuers=ids("server", *cert), trusts=anchors, still_trusts=anchors)


def server_bundle(client: str, trusts: tuple[int, ...]) -> phases.Place:
    anchors = ids("server", *trusts)
    return phases.Place(f"localhost: {client}", "localhost", client, trusts=anchors, still_trusts=anchors)


def ops_host(name: str, disk: tuple[int, ...], wire: tuple[int, ...] | None = None) -> phases.Place:
    on_disk, on_wire = ids("ops", *disk), ids("ops", *(disk if wire is None else wire))
    return phases.Place(name, name, trusts=on_disk & on_wire, still_trusts=on_disk | on_wire)


def ops_bundle(client: str, cert: int) -> phases.Place:
    return phases.Place(f"localhost: {client}", "localhost", client, issuers=ids("ops", cert))


def lost(place: phases.Place) -> phases.Place:
    return phases.Place(place.name, place.host, place.client, problem="unreachable")


def situation(name: str, stages: dict[str, str], *places: phases.Place, **more: t.Any) -> phases.Situation:
    return phases.Situation(
        name,
        generations(name, **stages),
        tuple(place for place in places if not place.client),
        tuple(place for place in places if place.client),
        now=NOW,
        **more,
    )


BEGIN = {"g1": "issuing"}
WAITING = {"g1": "issuing", "g2": "accepted"}
BOTH = {"g1": "retiring", "g2": "issuing"}
END = {"g2": "issuing"}

# name, stages, places; phase, change, places with something to do, places in the way
TABLE: dict[str, tuple[str, dict[str, str], list[phases.Place], str, str, list[str], list[str]]] = {
    "server-begin": (
        *("server", BEGIN, [server_host("a", (1,), (1,)), server_bundle("x", (1,))]),
        *("trust", "accepted", ["localhost: x", "a"], []),
    ),
    "server-accepted": (
        *("server", WAITING, [server_host("a", (1,), (1,)), server_bundle("x", (1,))]),
        *("trust", "", ["localhost: x", "a"], []),
    ),
    "server-trust-interrupted": (
        *("server", WAITING, [server_host("a", (1,), (1, 2)), server_bundle("x", (1, 2)), server_bundle("y", (1,))]),
        *("trust", "", ["localhost: y"], []),
    ),
    "server-trusted-by-all": (
        *("server", WAITING, [server_host("a", (1,), (1, 2)), server_bundle("x", (1, 2))]),
        *("reissue", "issuing", ["a"], []),
    ),
    "server-bundle-lost-before-reissue": (
        *("server", WAITING, [server_host("a", (1,), (1, 2)), lost(server_bundle("x", ()))]),
        *("reissue", "issuing", ["a"], ["localhost: x"]),
    ),
    "server-host-lost-does-not-hinder-reissue": (
        *("server", WAITING, [lost(server_host("a", (), ())), server_bundle("x", (1, 2))]),
        *("reissue", "issuing", [], []),
    ),
    "server-one-host-reissued": (
        *("server", BOTH, [server_host("a", (2,), (1, 2)), server_host("b", (1,), (1, 2)), server_bundle("x", (1, 2))]),
        *("reissue", "", ["b"], []),
    ),
    "server-renewed-on-disk-not-restarted": (
        *("server", BOTH, [server_host("a", (1, 2), (1, 2)), server_bundle("x", (1, 2))]),
        *("reissue", "", ["a"], []),
    ),
    "server-bundle-came-back-old": (
        *("server", BOTH, [server_host("a", (2,), (1, 2)), server_bundle("x", (1,))]),
        *("reissue", "", ["localhost: x"], []),
    ),
    "server-all-reissued": (
        *("server", BOTH, [server_host("a", (2,), (1, 2)), server_bundle("x", (1, 2))]),
        *("retire", "retired", ["localhost: x", "a"], []),
    ),
    "server-host-lost-before-retirement": (
        *("server", BOTH, [server_host("a", (2,), (1, 2)), lost(server_host("b", (), ())), server_bundle("x", (1, 2))]),
        *("retire", "retired", ["localhost: x", "a"], ["b"]),
    ),
    "server-retired-not-dropped": (
        *("server", END, [server_host("a", (2,), (2,)), server_bundle("x", (1, 2))]),
        *("retire", "", ["localhost: x"], []),
    ),
    "client-begin": (
        *("ops", BEGIN, [ops_host("a", (1,)), ops_bundle("x", 1)]),
        *("trust", "accepted", ["a"], []),
    ),
    "client-on-disk-not-restarted": (
        *("ops", WAITING, [ops_host("a", (1, 2), (1,)), ops_bundle("x", 1)]),
        *("trust", "", ["a"], []),
    ),
    "client-admitted-by-all": (
        *("ops", WAITING, [ops_host("a", (1, 2)), ops_bundle("x", 1)]),
        *("reissue", "issuing", ["localhost: x"], []),
    ),
    "client-host-lost-before-reissue": (
        *("ops", WAITING, [ops_host("a", (1, 2)), lost(ops_host("b", ())), ops_bundle("x", 1)]),
        *("reissue", "issuing", ["localhost: x"], ["b"]),
    ),
    "client-one-bundle-reissued": (
        *("ops", BOTH, [ops_host("a", (1, 2)), ops_bundle("x", 2), ops_bundle("y", 1)]),
        *("reissue", "", ["localhost: y"], []),
    ),
    "client-host-came-back-old": (
        *("ops", BOTH, [ops_host("a", (1,)), ops_bundle("x", 2)]),
        *("reissue", "", ["a"], []),
    ),
    "client-all-reissued": (
        *("ops", BOTH, [ops_host("a", (1, 2)), ops_bundle("x", 2)]),
        *("retire", "retired", ["a"], []),
    ),
    "client-bundle-lost-before-retirement": (
        *("ops", BOTH, [ops_host("a", (1, 2)), ops_bundle("x", 2), lost(ops_bundle("y", 1))]),
        *("retire", "retired", ["a"], ["localhost: y"]),
    ),
    "client-retired-not-dropped-on-the-wire": (
        *("ops", END, [ops_host("a", (2,), (1, 2)), ops_host("b", (2,)), ops_bundle("x", 2)]),
        *("retire", "", ["a"], []),
    ),
    "done-begins-again": (
        *("ops", END, [ops_host("a", (2,)), ops_bundle("x", 2)]),
        *("trust", "accepted", ["a"], []),
    ),
}


@pytest.mark.parametrize(("name", "stages", "places", "phase", "change", "steps", "blocked"), TABLE.values(), ids=TABLE)
def test_decide_finds_the_phase(
    name: str,
    stages: dict[str, str],
    places: list[phases.Place],
    phase: str,
    change: str,
    steps: list[str],
    blocked: list[str],
) -> None:
    plan = phases.decide(situation(name, stages, *places))
    assert (plan.phase, plan.change) == (phase, change)
    assert [step.place.name for step in plan.steps] == steps
    assert [blocker.partition(": whether")[0].partition(": its")[0] for blocker in plan.blockers] == blocked
    assert bool(plan.risk) == (change in ("issuing", "retired"))


def test_decide_does_not_begin_again_right_after_the_end() -> None:
    found = situation("ops", END, ops_host("a", (2,)), ops_bundle("x", 2), again_after=timedelta(days=60))
    plan = phases.decide(found)
    assert (plan.phase, plan.change, plan.steps) == ("done", "", ())
    assert rotation_text.to_dict(plan)["idle"]
    last = rotation_text.render(found, plan, executing=True)[-1]
    assert last.startswith("Complete: ops-g2 signs, and is the only generation") and "trusted everywhere" in last
    assert last.endswith("To replace it as well: -e docker_rotate_ca_again_after=0s.")


def test_end_of_a_rotation_names_the_places_that_nobody_has_read() -> None:
    places = (ops_host("a", (2,)), lost(ops_host("b", (1,))), ops_bundle("x", 2))
    plan = phases.decide(situation("ops", END, *places, again_after=timedelta(days=60)))
    assert "the only generation that is trusted where that could be read (not from b)" in plan.note


def test_decide_begins_where_the_first_generation_is_young() -> None:
    found = situation("ops", BEGIN, ops_host("a", (1,)), again_after=timedelta(days=60))
    assert phases.decide(found).change == "accepted"


@pytest.mark.parametrize(
    ("held", "blockers"),
    [
        (phases.Held("old-laptop/x", "erin", "ops-g1", "2027-01-01T00:00:00Z"), 1),
        (phases.Held("localhost/x", "x", "ops-g2", "2027-01-01T00:00:00Z"), 0),
        (phases.Held("localhost/bob", "bob", "ops-g1", "2027-01-01T00:00:00Z"), 0),
    ],
    ids=["nobody-has-reissued-it", "new-generation", "revoked"],
)
def test_decide_knows_certificates_that_are_in_no_bundle(held: phases.Held, blockers: int) -> None:
    found = situation("ops", BOTH, ops_host("a", (1, 2)), ops_bundle("x", 2), held=(held,), revoked=frozenset({"bob"}))
    plan = phases.decide(found)
    assert (plan.change, len(plan.blockers)) == ("retired", blockers)
    assert not blockers or plan.blockers[0].startswith("old-laptop/x: the certificate of erin")


def test_blocker_of_a_certificate_without_an_owner_begins_with_the_certificate() -> None:
    held = phases.Held("", "erin", "ops-g1", "2027-01-01T00:00:00Z")
    found = situation("ops", BOTH, ops_host("a", (1, 2)), ops_bundle("x", 2), held=(held,))
    assert phases.decide(found).blockers[0].startswith("the certificate of erin from ops-g1")


def expired(*numbers: str) -> t.Any:
    """Return a change of a situation: these generations have ended a day ago."""
    end = NOW - timedelta(days=1)
    return lambda found: replace(
        found,
        generations=tuple(
            replace(one, not_after=end if one.id.endswith(numbers) else NOW + timedelta(days=99))
            for one in found.generations
        ),
    )


# name, stages, places, which have expired; phase, what the CA does, places with something to do
EXPIRED: dict[str, tuple[str, dict[str, str], list[phases.Place], tuple[str, ...], str, tuple[str, ...], list[str]]] = {
    "server": (
        *("server", BEGIN, [server_host("a", (1,), (1,)), lost(server_host("b", (), ())), server_bundle("x", (1,))]),
        *(("g1",), "trust", ("accepted", "issuing"), ["localhost: x", "a"]),
    ),
    "server-while-trust-was-under-way": (
        *("server", WAITING, [server_host("a", (1,), (1, 2)), server_bundle("x", (1,))]),
        *(("g1",), "trust", ("issuing",), ["localhost: x", "a"]),
    ),
    "server-host-not-reissued": (
        *("server", BOTH, [server_host("a", (1,), (2,)), server_host("b", (2,), (2,)), server_bundle("x", (2,))]),
        *(("g1",), "reissue", (), ["a"]),
    ),
    "server-nobody-holds-the-end-up": (
        *("server", BOTH, [server_host("a", (2,), (2,)), lost(server_host("b", (), ())), lost(server_bundle("x", ()))]),
        *(("g1",), "retire", ("retired",), ["a"]),
    ),
    "client": (
        *("ops", BEGIN, [ops_host("a", (1,)), lost(ops_host("b", ())), ops_bundle("x", 1), lost(ops_bundle("y", 1))]),
        *(("g1",), "trust", ("accepted", "issuing"), ["localhost: x", "a"]),
    ),
    "client-bundle-not-reissued": (
        *("ops", BOTH, [ops_host("a", (2,)), ops_bundle("x", 1)]),
        *(("g1",), "reissue", (), ["localhost: x"]),
    ),
    "client-second-one-expired": (
        *("ops", BOTH, [ops_host("a", (1, 2)), ops_bundle("x", 2)]),
        *(("g1", "g2"), "trust", ("accepted", "issuing"), ["localhost: x", "a"]),
    ),
}


@pytest.mark.parametrize(
    ("name", "stages", "places", "ended", "phase", "changes", "steps"), EXPIRED.values(), ids=EXPIRED
)
def test_decide_leads_away_from_an_expired_authority_and_nothing_is_in_the_way(
    name: str,
    stages: dict[str, str],
    places: list[phases.Place],
    ended: tuple[str, ...],
    phase: str,
    changes: tuple[str, ...],
    steps: list[str],
) -> None:
    found = expired(*ended)(situation(name, stages, *places, again_after=timedelta(days=60)))
    plan = phases.decide(found)
    assert (plan.phase, plan.changes, plan.blockers) == (phase, changes, ())
    assert [step.place.name for step in plan.steps] == steps
    text = "\n".join(rotation_text.render(found, plan, executing=True))
    assert ("has expired, and with it everything that it signed" in text) == (phase == "trust")
    assert ("which signs at once" in text) == ("accepted" in changes)


def test_retirement_waits_where_one_of_the_old_ones_lives() -> None:
    three = {"g1": "retiring", "g2": "retiring", "g3": "issuing"}
    found = expired("g1")(situation("ops", three, lost(ops_host("a", ())), ops_bundle("x", 3)))
    assert phases.decide(found).blockers


def test_render_says_what_is_known_what_comes_and_what_is_in_the_way() -> None:
    found = situation("ops", BOTH, ops_host("a", (1, 2)), lost(ops_host("b", ())), ops_bundle("x", 2))
    text = "\n".join(rotation_text.render(found, phases.decide(found), executing=False))
    assert "Rotation of the authority ops: ops-g1 (retiring), ops-g2 (issuing)" in text
    assert "b             NOT KNOWN: unreachable" in text
    assert "Phase 3 of 3, retire:" in text
    assert "the CA gives ops-g1 up; its private key is destroyed" in text
    assert "a: drops ops-g1" in text
    assert "OBSTACLE  b: its certificates are not known (unreachable)" in text
    assert text.endswith("-e docker_rotate_ca_execute=true")
