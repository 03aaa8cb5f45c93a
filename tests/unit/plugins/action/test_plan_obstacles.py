# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stops a rotation, an adoption and a restore between two steps: each failure has a code, and a hint."""

from __future__ import annotations

import typing as t

import pytest

from support.ansible.plan_task import hostvars, make
from support.ansible.role_variables import HostVars


def rotating(**plan: t.Any) -> HostVars:
    known = hostvars()
    usual = {"authority": "server", "phase": "retire", "obstacles": [], "risk": "", "idle": True, "steps": []}
    known["localhost"]["__docker_tls_rotation"] = {"plan": {**usual, **plan}}
    return known


def test_rotation_does_not_start_without_an_authority() -> None:
    assert make("rotation_start", hostvars(), {"authority": "server"})["plan"] == {}
    found = make("rotation_start", hostvars(), {"authority": ""})
    assert (found["failed"], found["code"]) == (True, "rotation-authority-missing")
    assert "-e docker_rotate_ca_authority=server" in found["hint"]


def test_phase_that_would_lock_out_a_client_fails_with_what_prevents_it_and_how_to_force_it() -> None:
    assert make("rotation_phase", rotating())["plan"] == {}
    found = make(
        "rotation_phase", rotating(obstacles=["desk: not known", "db1: not known"], risk="Clients are refused.")
    )
    assert (found["failed"], found["code"]) == (True, "rotation-blocked")
    assert found["msg"] == "the phase retire of the rotation of server must not begin: desk: not known. db1: not known"
    assert found["hint"].endswith("-e docker_rotate_ca_force_retire=true. Clients are refused.")


def test_rotation_that_has_not_reached_a_place_fails_in_the_end() -> None:
    assert make("rotation_end", rotating())["plan"] == {}
    steps = [{"name": "web1", "what": "drops server-g1"}, {"name": "web1", "what": "gets a certificate"}]
    found = make("rotation_end", rotating(idle=False, steps=steps))
    assert (found["failed"], found["code"]) == (True, "rotation-incomplete")
    assert found["msg"] == "the rotation of server is not complete: the phase retire has not reached web1"
    assert "has not reached the CA" in make("rotation_end", rotating(idle=False))["msg"]


def test_rotation_that_was_to_stop_ends_well() -> None:
    steps = [{"name": "web1", "what": "gets a certificate"}]
    assert make("rotation_end", rotating(idle=False, stopped=True, steps=steps))["plan"] == {}


def test_rotation_that_was_to_stop_fails_where_it_could_not_continue() -> None:
    found = make("rotation_end", rotating(idle=False, stopped=True, phase="reissue", obstacles=["desk: not known"]))
    assert (found["failed"], found["code"]) == (True, "rotation-incomplete")
    assert found["msg"].endswith(
        "before the phase reissue as it was to, and that phase could not begin: desk: not known"
    )


@pytest.mark.parametrize("part", ["rotation_phase", "rotation_end", "adoption_start"])
def test_playbook_that_was_started_behind_its_plan_says_so(part: str) -> None:
    found = make(part, hostvars())
    assert (found["failed"], found["code"]) == (True, "run-unfinished")
    assert "--start-at-task" in found["hint"]


def test_adoption_with_problems_is_not_carried_out() -> None:
    known = hostvars()
    known["localhost"]["__docker_adopt_plan"] = {"plan": {"problems": []}}
    assert make("adoption_start", known)["plan"] == {}
    known["localhost"]["__docker_adopt_plan"] = {"plan": {"problems": ["web1 could not be inspected.", "Name the CA."]}}
    found = make("adoption_start", known)
    assert (found["failed"], found["code"]) == (True, "adoption-blocked")
    assert found["msg"].endswith("carried out: web1 could not be inspected. Name the CA.") and found["hint"]


@pytest.mark.parametrize(("on_host", "here"), [("", ""), ("/ca.tar.gz", "~/ca.tar.gz")])
def test_restore_takes_exactly_one_archive(on_host: str, here: str) -> None:
    paths = {"docker_ca_restore_path": on_host, "docker_ca_restore_controller_path": here}
    found = make("restore_start", hostvars(), **paths)
    assert (found["failed"], found["code"]) == (True, "archive-not-named")
    assert ("both are set" if here else "neither is set") in found["msg"] and "docker_ca_restore_path" in found["hint"]
    assert (
        make(
            "restore_start",
            hostvars(),
            **{**paths, "docker_ca_restore_path": "", "docker_ca_restore_controller_path": "x"},
        )["plan"]
        == {}
    )
