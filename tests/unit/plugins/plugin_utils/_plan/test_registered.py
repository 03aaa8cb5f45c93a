# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Later plays read the plan where it was registered, and cost nothing for each host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import registered
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan.registered import planned
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding

GROUPS = {"docker_hosts": ["web1", "web2", "web3"]}
PLAN = {"__docker_tls_plan": {"plan": {"change": ["web2"], "incomplete": [], "serial": "100%"}}}


class _Counted(dict[str, Any]):
    """Variables of hosts, and whose were read."""

    def __init__(self, variables: dict[str, Any]) -> None:
        super().__init__(variables)
        self.read: list[str] = []

    def raw_get(self, host: str) -> Any:
        self.read.append(host)
        return self[host]


@pytest.mark.parametrize("name", ["change", "unfinished", "held", "problems", "revoke_hosts", "rotate_hosts"])
def test_planned_part_reads_the_variables_of_no_docker_host(name: str) -> None:
    hostvars = _Counted({"localhost": PLAN, **dict.fromkeys(GROUPS["docker_hosts"], PLAN)})

    assert planned(name, GROUPS, hostvars) == (["web2"] if name == "change" else [])
    assert set(hostvars.read) == {"localhost"}


@pytest.mark.parametrize("controller", [{"localhost": {}}, {}], ids=["limit-excludes-it", "not-in-the-inventory"])
def test_plan_that_the_controller_has_not_is_read_from_the_first_inspected_host(controller: dict[str, Any]) -> None:
    hostvars = _Counted({**controller, "web1": {}, "web2": PLAN, "web3": PLAN})

    assert planned("change", GROUPS, hostvars) == ["web2"]
    assert "web3" not in hostvars.read


def test_revocation_is_read_before_the_plan_of_the_run() -> None:
    later = {"__docker_tls_revocation": {"plan": {"revoke_hosts": ["web3"]}}}
    plan = {"__docker_tls_plan": {"plan": {"revoke_hosts": ["web1"], "incomplete": []}}}

    assert planned("revoke_hosts", GROUPS, {"localhost": {**plan, **later}}) == ["web3"]
    assert planned("incomplete", GROUPS, {"localhost": {**plan, **later}}) == []


def test_run_without_a_plan_has_nothing_planned() -> None:
    assert planned("change", GROUPS, {"localhost": {}, "web1": {}}) == []
    assert planned("serial", GROUPS, {}) == "100%"


REVOKED = {"client": "bob", "group": "clients", "generation": "clients-g1", "trusted": False, "refused_by": []}


@pytest.mark.parametrize(
    ("inspected", "shown", "fails"),
    [
        ({"current": False}, {}, True),
        ({"current": True}, {}, False),
        ({"current": False}, {"__docker_tls_report": {"plan": {"rows": []}}}, False),
    ],
    ids=["left-out-by-tags", "refuses-already", "was-reported"],
)
def test_run_whose_tags_left_out_the_table_fails_where_a_host_may_still_admit_a_revoked_client(
    inspected: dict[str, Any], shown: dict[str, Any], fails: bool
) -> None:
    plan = {"__docker_tls_plan": {"plan": {"incomplete": [], "record": ["localhost", "web1"]}}}
    checked = {"__docker_ca_checked": {"authorities": {}, "revocations": [], "revoked": [REVOKED]}}
    hostvars = {"localhost": {**plan, **checked, **shown}, "web1": {"__docker_tls_inspected": inspected}}
    groups = {"docker_hosts": ["web1"]}
    assert bool(planned("unfinished", groups, hostvars)) == fails
    bound = binding.Bound(
        {"groups": groups, "hostvars": hostvars, "inventory_hostname": "localhost"}, lambda value: value
    )
    messages = [one.message for one in registered.unfinished(bound, bound.fleet())]
    assert messages == (
        ["THE REVOCATION IS NOT VERIFIED for web1: MAY STILL ADMIT bob: this run has not changed the host."]
        if fails
        else []
    )
