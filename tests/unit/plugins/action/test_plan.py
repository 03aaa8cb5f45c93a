# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a run: from the inventory, the answers of the hosts and the CA's state to the hosts of each play."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import plan
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan.site import planned
from support.ansible.role_variables import HostVars
from support.contracts import records

GROUPS = {"all": ["web1", "web2", "db1", "desk"], "docker_hosts": ["web1", "web2", "db1"], "docker_clients": ["desk"]}
REVOKED = {
    "authority": "clients",
    "clients": ["bob", "carol"],
    "signing": "clients-g2",
    "generations": ["clients-g1"],
    "members": True,
}
WORK, CURRENT = {"current": False}, {"current": True}
REFUSED = {"current": False, "refused": {"code": "port-taken", "msg": "no"}}


def looked(**answers: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {host: {"__docker_tls_looked": answer} for host, answer in answers.items()}


def hostvars(pending: t.Sequence[t.Any] = (), **hosts: dict[str, t.Any]) -> HostVars:
    checked = {"authorities": {"server": {}}, "revocations": list(pending)}
    known = {"localhost": {"docker_ca_checked": checked, "docker_ca_passphrase": "correct horse battery"}}
    return HostVars({**{host: {} for host in GROUPS["all"]}, **known, **hosts})


def make(part: str, known: HostVars, **task: t.Any) -> dict[str, t.Any]:
    """Return the result of the module for a task of the controller."""
    variables = {
        **known["localhost"],
        "groups": GROUPS,
        "hostvars": known,
        "inventory_hostname": "localhost",
        "ansible_check_mode": False,
        **task,
    }
    given = types.SimpleNamespace(args={"part": part}, check_mode=False, async_val=0, action="x", delegate_to=None)
    connection = types.SimpleNamespace(transport="local", _shell=types.SimpleNamespace(tmpdir="/tmp"))
    create: t.Any = plan.ActionModule
    action = create(given, connection, None, None, types.SimpleNamespace(template=lambda value: value), None)
    return records.returned("plan", action.run_module({"part": part}, "", variables))


def test_hosts_with_work_are_changed_and_refused_ones_fail_in_the_end() -> None:
    found = make("site", hostvars(**looked(web1=WORK, web2=CURRENT, db1=REFUSED)))["plan"]
    assert (found["change"], found["refused"], found["serial"]) == (["web1"], ["db1"], "100%")
    assert found["revoke"] == found["revoke_ca"] == found["revoke_hosts"] == found["undone"] == []


def test_order_of_a_play_counts_where_the_inventory_says_nothing() -> None:
    known = hostvars(**looked(web1=WORK))
    assert make("site", known, docker_daemon_serial=[1, "25%"])["plan"]["serial"] == [1, "25%"]


def test_revocation_goes_to_the_hosts_that_admit_the_group_by_what_they_were_inspected_with() -> None:
    known = hostvars(
        [REVOKED], **looked(web1=WORK, web2=REFUSED, db1={**WORK, "settings": {"docker_daemon_access_groups": ["ops"]}})
    )
    found = make("site", known)["plan"]
    assert (found["revoke"], found["revoke_ca"], found["revoke_hosts"]) == (["localhost"], ["localhost"], ["web1"])
    assert make("site", known, ansible_check_mode=True)["plan"]["revoke_ca"] == []


def test_members_are_held_while_no_host_admits_the_new_generation() -> None:
    broken = {"docker_daemon_endpoint": {"failed": True, "msg": "no"}}
    held = make("revocation", hostvars([REVOKED], web1=broken))["plan"]
    assert held["held"] == ["clients"] and held["changes"] == held["revoke_ca"] == held["revoke_hosts"] == []
    assert "The revocation of bob, carol goes no further" in held["problems"][0]
    done = {"docker_daemon_endpoint": {"changed": True}, "docker_daemon_proof": {"passed": True}}
    going = make("revocation", hostvars([REVOKED], web1=done))["plan"]
    assert (going["held"], going["revoke_ca"], going["revoke_hosts"]) == ([], ["localhost"], GROUPS["docker_hosts"])
    assert going["changes"] == [{"name": "clients", "state": "retired", "generation": 2}]


def test_report_has_a_line_for_every_revoked_client_and_every_host() -> None:
    rows = make("revocation_report", hostvars([REVOKED]))["plan"]["rows"]
    revoked = [(row["host"], row["detail"].partition(":")[0]) for row in rows if row["check"] == "revoked"]
    assert sorted(revoked) == [
        (host, f"STILL ADMITS {who}") for host in ("db1", "web1", "web2") for who in ("bob", "carol")
    ]


def test_inventory_that_cannot_work_fails_with_every_problem() -> None:
    assert make("inventory", hostvars())["plan"] == {}
    wrong = make(
        "inventory", hostvars(web1={"docker_daemon_access_groups": ["ops"]}, web2={"docker_daemon_access_groups": []})
    )
    assert (wrong["failed"], wrong["code"]) == (True, "inventory-invalid") and wrong["hint"]
    assert "web1: docker_daemon_access_groups admits 'ops'" in wrong["msg"] and "web2:" in wrong["msg"]


def test_variable_of_a_play_is_judged_like_one_of_the_inventory() -> None:
    assert "admits 'ops'" in make("inventory", hostvars(), docker_daemon_access_groups=["ops"])["msg"]


@pytest.mark.parametrize("part", ["site", "revocation", "inventory"])
def test_plan_needs_nobody_but_the_controller(part: str) -> None:
    assert make(part, HostVars(hostvars()), groups={})["plan"] is not None


def registered(known: HostVars, **plans: t.Any) -> HostVars:
    """Return the variables after tasks that have registered these plans on the controller."""
    found = {f"__docker_tls_{name}": {"plan": one} for name, one in plans.items()}
    return HostVars({**known, "localhost": {**known["localhost"], **found}})


def test_plays_have_the_hosts_of_the_plan() -> None:
    known = registered(hostvars(), plan={"change": ["web1"], "serial": "100%", "revoke_hosts": ["web1"]})
    assert planned("change", GROUPS, known) == ["web1"]
    assert planned("change", GROUPS, known, "localhost") == ["web1", "localhost"]
    later = registered(known, revocation={"revoke_hosts": []})
    assert (planned("revoke_hosts", GROUPS, known), planned("revoke_hosts", GROUPS, later)) == (["web1"], [])
    # The first that fails of a batch stops the fleet.
    batches = registered(hostvars(), plan={"change": ["web1"], "serial": [1, "25%"], "refused": ["web2"]})
    assert planned("change", GROUPS, batches, "localhost") == ["web1"]
    assert planned("refused", GROUPS, batches, "localhost") == ["web2", "localhost"]


def test_without_a_plan_plays_have_no_hosts_and_the_run_fails() -> None:
    known = hostvars()
    assert (planned("change", GROUPS, known, "localhost"), planned("serial", GROUPS, known)) == ([], "100%")
    assert planned("unfinished", GROUPS, {}) == []
    assert planned("unfinished", GROUPS, known) == ["localhost", *GROUPS["docker_hosts"], "desk"]
    failed = make("unfinished", known, ansible_play_hosts_all=["web1"])
    assert (failed["failed"], failed["code"]) == (True, "run-unfinished")
    assert "This run has not inspected the Docker hosts" in failed["msg"]
    assert make("unfinished", known, ansible_play_hosts_all=["desk"])["plan"] == {}


def test_run_whose_tasks_are_all_skipped_has_nothing_unfinished() -> None:
    """adopt.yml imports site.yml, and skips it where it only shows its own plan."""
    known = hostvars(localhost={"__docker_tls_plan": {"skipped": True}})
    assert planned("unfinished", GROUPS, known) == []


def test_run_whose_plan_is_complete_has_nothing_unfinished() -> None:
    complete = registered(hostvars(), plan={"undone": []})
    assert planned("unfinished", GROUPS, complete) == []
    rows = [{"host": "web1", "passed": False}, {"host": "web2", "passed": True}]
    for registers in ({"revocation": {"problems": ["held"]}}, {"report": {"rows": rows}}):
        known = registered(complete, **registers)
        assert planned("unfinished", GROUPS, known)
        assert make("unfinished", known)["failed"]
