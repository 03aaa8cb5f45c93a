# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""On which hosts the plays of a rotation work, and whom it counts as not known."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import rotation

GROUPS = {"docker_hosts": ["web1", "web2"], "docker_clients": ["desk"]}
PLAN = {
    "authority": "server",
    "phase": "reissue",
    "change": "signing",
    "changes": [{"name": "server", "state": "signing", "generation": 2}],
    "target": "server-g2",
    "hosts": ["web1"],
    "bundle_hosts": ["localhost", "desk"],
    "blockers": ["desk: not known"],
}


def hostvars(**plan: Any) -> dict[str, Any]:
    return {"localhost": {"docker_rotation": {"plan": {**PLAN, **plan}}}, "web1": {}, "web2": {}, "desk": {}}


@pytest.mark.parametrize(
    ("step", "hosts"),
    [
        ("controller", ["localhost"]),
        ("ca", ["localhost"]),
        ("hosts", ["web1"]),
        ("bundles", ["localhost"]),
        ("machines", ["desk"]),
    ],
)
def test_hosts_of_the_phase_that_is_due(step: str, hosts: list[str]) -> None:
    assert rotation.rotation_hosts(GROUPS, hostvars(), "reissue", step, True) == hosts
    assert rotation.rotation_hosts(GROUPS, hostvars(), "reissue", step, False) == []
    assert rotation.rotation_hosts(GROUPS, hostvars(), "retire", step, True) == []
    assert rotation.rotation_hosts(GROUPS, {}, "reissue", step, True) == []


def test_changes_are_those_of_the_plan() -> None:
    assert rotation.rotation_changes(hostvars(), "reissue") == PLAN["changes"]
    both = [{"name": "server", "state": "introduced"}, {"name": "server", "state": "signing"}]
    assert rotation.rotation_changes(hostvars(phase="trust", changes=both), "trust") == both


def test_state_that_a_phase_has_reached_is_asked_for_again() -> None:
    """It changes nothing, and the clients for the proof are made with it."""
    assert rotation.rotation_changes(hostvars(changes=[]), "reissue") == PLAN["changes"]


def test_changes_of_all_authorities_are_those_that_stand_in_the_phase() -> None:
    begun = {"name": "server", "state": "introduced", "generation": 3}
    known = hostvars(authority="all", phase="trust", changes=[begun], target="server-g3, clients-g2")
    plans = {
        "server": {"phase": "trust", "target": "server-g3"},
        "clients": {"phase": "trust", "target": "clients-g2"},
        "ops": {"phase": "retire", "target": "ops-g2"},
    }
    known["localhost"]["docker_rotation"]["plans"] = plans
    reached = {"name": "clients", "state": "introduced", "generation": 2}
    assert rotation.rotation_changes(known, "trust") == [begun, reached]


def test_obstacles_hold_until_that_phase_is_forced() -> None:
    assert rotation.rotation_obstacles(hostvars()) == ["desk: not known"]
    assert rotation.rotation_obstacles(hostvars(), ["retire"]) == ["desk: not known"]
    assert rotation.rotation_obstacles(hostvars(), ["reissue"]) == []
    assert rotation.rotation_obstacles(hostvars(change="")) == []


def test_fleet_counts_nobody_that_is_not_in_the_play() -> None:
    read = {"__docker_status_files": {"files": [{"id": "server", "state": "read"}]}}
    known: dict[str, Any] = {"web1": dict(read), "web2": dict(read), "desk": {}, "localhost": {}}
    fleet = rotation.rotation_fleet(["localhost", "web1"], GROUPS, known)
    states = {one["name"]: one["stored"]["state"] for one in fleet["hosts"]}
    assert states == {"web1": "read", "web2": "unreachable"}
    assert [(one["host"], one["client"], one["stored"]["state"]) for one in fleet["clients"]] == [
        ("desk", "client", "unreachable")
    ]


def test_revoked_names_are_those_of_the_ca_hosts_inventory() -> None:
    clients = [{"name": "bob", "state": "revoked"}, {"name": "alice"}]
    assert rotation.revoked_names({"docker_ca": ["ca1"]}, {"ca1": {"docker_client_cert_clients": clients}}) == ["bob"]
