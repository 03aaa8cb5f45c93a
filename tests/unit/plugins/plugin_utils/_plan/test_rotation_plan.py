# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a rotation: what is read, what each phase does and on which hosts, and what prevents it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import rotation
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan.registered import planned
from support.ca.certificates import Pair
from support.hosts import fleet

GROUPS = {"docker_hosts": ["web1", "web2"], "docker_clients": ["desk"]}
PLAN: dict[str, t.Any] = {
    "authority": "server",
    "phase": "reissue",
    "change": "issuing",
    "changes": [{"name": "server", "state": "issuing", "generation": 2}],
    "target": "server-g2",
    "hosts": ["web1"],
    "bundle_hosts": ["localhost", "desk"],
    "blockers": ["desk: not known"],
}
SETTINGS = {"authority": "server", "again_after": "1d", "execute": False, "forced": [], "stop_after": ""}
G1, G2 = fleet.authority("server-g1", 1), fleet.authority("server-g2", 2)


def test_plays_of_a_phase_have_the_hosts_of_the_plan() -> None:
    assert rotation.hosts(PLAN, GROUPS) == {
        "rotate": ["localhost"],
        "rotate_ca": ["localhost"],
        "rotate_hosts": ["web1"],
        "rotate_bundles": ["localhost"],
        "rotate_machines": ["desk"],
        "rotate_inspect": ["localhost", "web1", "web2", "desk"],
    }
    assert rotation.hosts(PLAN, {**GROUPS, "docker_ca": ["ca1"]})["rotate_ca"] == ["ca1"]


def test_controller_that_is_a_client_machine_is_in_both_plays_of_bundles() -> None:
    found = rotation.hosts(PLAN, {**GROUPS, "docker_clients": ["desk", "localhost"]})
    assert (found["rotate_machines"], found["rotate_bundles"]) == (["localhost", "desk"], ["localhost"])


def test_plays_of_other_phases_have_no_hosts() -> None:
    known = {"localhost": {"__docker_tls_rotation": {"plan": {"phase": "reissue", "rotate_hosts": ["web1"]}}}}
    assert planned("rotate_hosts", GROUPS, known, phase="reissue") == ["web1"]
    assert planned("rotate_hosts", GROUPS, known, phase="retire") == []
    assert planned("rotate_hosts", GROUPS, {}, phase="reissue") == []


def test_changes_are_those_of_the_plan() -> None:
    assert rotation.changes(PLAN, {"server": PLAN}) == PLAN["changes"]
    both = [{"name": "server", "state": "accepted"}, {"name": "server", "state": "issuing"}]
    begun = {**PLAN, "phase": "trust", "changes": both}
    assert rotation.changes(begun, {"server": begun}) == both


def test_state_that_a_phase_has_reached_is_asked_for_again() -> None:
    """It changes nothing, and the clients for the verification are made with it."""
    reached = {**PLAN, "changes": []}
    assert rotation.changes(reached, {"server": reached}) == PLAN["changes"]


def test_changes_of_all_authorities_are_those_that_are_in_the_phase() -> None:
    begun = {"name": "server", "state": "accepted", "generation": 3}
    plans = {
        "server": {"phase": "trust", "target": "server-g3"},
        "clients": {"phase": "trust", "target": "clients-g2"},
        "ops": {"phase": "retire", "target": "ops-g2"},
    }
    reached = {"name": "clients", "state": "accepted", "generation": 2}
    assert rotation.changes({"phase": "trust", "changes": [begun]}, plans) == [begun, reached]


def test_rotation_that_is_complete_changes_nothing() -> None:
    done = {**PLAN, "phase": "done", "changes": []}
    assert rotation.changes(done, {"server": done}) == []


def test_obstacles_hold_until_that_phase_is_forced() -> None:
    assert rotation.obstacles(PLAN, []) == ["desk: not known"]
    assert rotation.obstacles(PLAN, ["retire"]) == ["desk: not known"]
    assert rotation.obstacles(PLAN, ["reissue"]) == []
    assert rotation.obstacles({**PLAN, "change": ""}, []) == []


def test_hosts_and_bundles_that_are_not_in_the_play_are_not_known() -> None:
    read = {"__docker_status_files": {"files": [{"id": "server", "state": "read"}]}}
    known: dict[str, t.Any] = {"web1": dict(read), "web2": dict(read), "desk": {}, "localhost": {}}
    found = rotation.places(["localhost", "web1"], GROUPS, known)
    states = {one["name"]: one["stored"]["state"] for one in found["hosts"]}
    assert states == {"web1": "read", "web2": "unreachable"}
    assert [(one["host"], one["client"], one["stored"]["state"]) for one in found["clients"]] == [
        ("desk", "client", "unreachable")
    ]


def test_revoked_names_are_those_of_the_ca_hosts_inventory() -> None:
    clients = [{"name": "bob", "state": "revoked"}, {"name": "alice"}]
    assert rotation.revoked_names({"docker_ca": ["ca1"]}, {"ca1": {"docker_client_cert_clients": clients}}) == ["bob"]


def authorities(name: str = "server", **stages: tuple[Pair, str]) -> dict[str, t.Any]:
    """Return an authority as authority_info returns it: authorities(g1=(G1, "issuing"))."""
    begin = "2026-10-01T00:00:00Z"
    generations = [
        {"id": f"{name}-{each}", "stage": stage, "certificate_content": pair.pem, "not_before": begin}
        for each, (pair, stage) in stages.items()
    ]
    return {name: {"generations": generations}}


BOTH = {**authorities("clients", g1=(fleet.clients_authority(), "issuing")), **authorities(g1=(G1, "issuing"))}


def decide(read: t.Any, known: dict[str, t.Any], **settings: t.Any) -> tuple[t.Any, t.Any, list[str]]:
    return rotation.decide({"hosts": [], "clients": [], **read}, known, [], [], {**SETTINGS, **settings})


def test_plan_names_steps_then_what_prevents_them_then_that_the_rotation_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collect, "probe", lambda asked, _limits: {one: fleet.served(fleet.server()) for one in asked})
    bundles = [fleet.bundle(stored=fleet.stored(fleet.client(), ca_content=G1.pem))]
    begin, _plans, lines = decide(
        {"hosts": [fleet.host()], "clients": bundles}, authorities(g1=(G1, "issuing")), again_after="0s"
    )
    assert (begin["phase"], begin["change"], begin["leaving"]) == ("trust", "accepted", ["server-g1"])
    assert (begin["hosts"], begin["bundle_hosts"], bool(begin["steps"])) == (["web1"], ["localhost"], True)
    assert lines[0].startswith("Rotation of the authority server: server-g1")

    away = [fleet.bundle(host="desk", stored={"state": "unreachable", "problem": "no route"})]
    blocked, _plans, lines = decide({"clients": away}, authorities(g1=(G1, "issuing"), g2=(G2, "accepted")))
    assert blocked["blockers"] and blocked["risk"]
    assert [line for line in lines if "OBSTACLE" in line]

    done, _plans, _lines = decide({}, authorities(g2=(G1, "issuing")), again_after="3650d")
    assert done["idle"] and done["note"]


STOPS = {
    # authority, stages, stop_after: the due phase, whether it stops, what is copied before
    "server-before-reissue": (
        "server",
        "accepted",
        "trust",
        "reissue",
        True,
        "their ca.pem trusts both generations now",
    ),
    "server-later": ("server", "accepted", "reissue", "reissue", False, ""),
    "never": ("server", "accepted", "", "reissue", False, ""),
    "group-before-reissue": ("clients", "accepted", "trust", "reissue", True, ""),
    "group-before-retire": ("clients", "issuing", "reissue", "retire", True, "they have new certificates now"),
    "group-before-retire-that-was-to-stop-earlier": (
        "clients",
        "issuing",
        "trust",
        "retire",
        True,
        "they have new certificates now",
    ),
    "group-to-the-end": ("clients", "issuing", "retire", "retire", False, ""),
}


@pytest.mark.parametrize("executing", [True, False], ids=["run", "plan"])
@pytest.mark.parametrize("case", STOPS.values(), ids=STOPS)
def test_rotation_stops_after_the_phase_that_is_named(
    case: tuple[str, str, str, str, bool, str], executing: bool
) -> None:
    name, stage, stop_after, due, stops, copied = case
    g1, g2 = (fleet.authority(f"{name}-g{number}", number) for number in (1, 2))
    former = "issuing" if stage == "accepted" else "retiring"
    known = authorities(name, g1=(g1, former), g2=(g2, stage))
    both = g1.pem + g2.pem
    bundle = fleet.bundle(stored=fleet.stored(fleet.client(), ca_content=both))
    read = {
        "clients": [bundle if stage == "accepted" else {**bundle, "stored": {"state": "not-readable", "problem": "x"}}]
    }
    plan, _plans, lines = decide(read, known, authority=name, stop_after=stop_after, execute=executing)
    assert (plan["phase"], plan["stopped"]) == (due, stops)
    text = "\n".join(lines)
    assert (f"Stopped before the phase {due}, because docker_rotate_ca_stop_after is {stop_after}" in text) == (
        stops and executing
    )
    assert ("  - copy the bundles of alice to where they are used" in text) == bool(copied and executing)
    assert (copied or "Stopped") in text or not executing or not stops
    assert ("docker_rotate_ca_execute=true" in text) != executing


def test_plan_says_when_copies_of_bundles_fail() -> None:
    for name, place, words in (
        ("server", {}, "They fail in phase 2. To copy the bundles there before: -e docker_rotate_ca_stop_after=trust"),
        (
            "clients",
            {},
            "They fail in phase 3. To copy the bundles there before: -e docker_rotate_ca_stop_after=reissue",
        ),
        (
            "all",
            {},
            "They fail in phase 2. To copy the bundles there before: -e docker_rotate_ca_stop_after=trust; and again before phase 3",
        ),
    ):
        _plan, _plans, lines = decide(place, BOTH, authority=name, again_after="0s")
        assert words in "\n".join(lines)


def test_plan_of_all_authorities_has_the_server_first_and_the_same_keys() -> None:
    plan, plans, lines = decide({}, BOTH, authority="all")
    assert list(plans) == ["server", "clients"]
    assert [one["name"] for one in plan["changes"]] == ["server", "clients"]
    assert lines[0].startswith("Rotation of the authority server")
    one, plans, _lines = decide({}, BOTH, authority="clients")
    assert set(one) == set(plan) and list(plans) == ["clients"]


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"authority": "clientz"}, "authority-unknown", "there are: clients, server"),
        ({"again_after": "soon"}, "duration-invalid", "docker_rotate_ca_again_after"),
    ],
)
def test_unknown_authority_and_invalid_time_are_named(settings: dict[str, str], code: str, words: str) -> None:
    with pytest.raises(TlsError) as raised:
        decide({}, BOTH, **settings)
    assert raised.value.code == code and raised.value.hint
    assert words in raised.value.message
