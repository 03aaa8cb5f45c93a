# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as a host's variable, no matter who asks."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import access_lists, inventory
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import fleet_variables
from support.ansible.role_variables import HostVars

OWN = {"docker_daemon_listen": [], "docker_client_cert_clients": [{"name": "client"}]}


def fleet(hosts: dict[str, dict[str, t.Any]], task: dict[str, t.Any] | None = None) -> fleet_variables.Fleet:
    hostvars = HostVars(hosts)
    given = fleet_variables.given_by_the_play(
        {**hosts["web1"], **(task or {}), "hostvars": hostvars, "inventory_hostname": "web1"}, OWN
    )
    return fleet_variables.Fleet(
        hostvars, lambda: given, lambda host, value: value.replace("{{ inventory_hostname }}", host)
    )


def test_variable_of_a_play_counts_for_every_host() -> None:
    """Case: 2377 was served and 2376 verified, where listen was given with import_playbook."""
    found = fleet(
        {"web1": {}, "web2": {"docker_daemon_port": 1}},
        {"docker_daemon_listen": ["0.0.0.0:2377"], "docker_daemon_port": 2},
    )
    assert inventory.endpoint_url("web1", found) == "tcp://web1:2377"
    assert inventory.endpoint_url("web2", found) == "tcp://web2:2377"
    assert found["web2"]["docker_daemon_port"] == 2 == found.raw_get("web2")["docker_daemon_port"]


def test_template_of_a_play_is_filled_in_for_each_host() -> None:
    found = fleet({"web1": {}, "web2": {}}, {"docker_daemon_address": "{{ inventory_hostname }}.example.org"})
    assert [found[host]["docker_daemon_address"] for host in ("web1", "web2")] == [
        "web1.example.org",
        "web2.example.org",
    ]


def test_default_of_a_role_is_nobody_else_s_variable() -> None:
    found = fleet({"web1": {}, "web2": {"docker_daemon_listen": ["10.0.0.2:2376"]}}, OWN)
    assert found["web2"]["docker_daemon_listen"] == ["10.0.0.2:2376"]
    assert "docker_daemon_listen" not in found["web1"]


def test_variable_of_one_host_is_not_another_s() -> None:
    found = fleet({"web1": {"docker_daemon_port": 2380}, "web2": {}})
    assert (found["web1"].get("docker_daemon_port"), found["web2"].get("docker_daemon_port")) == (2380, None)


def test_fact_that_looks_like_a_variable_of_a_play_is_none() -> None:
    task = {"docker_daemon_port": 9, "ansible_facts": {"docker_daemon_port": 9}}
    assert fleet({"web1": {}, "web2": {}}, task)["web2"].get("docker_daemon_port") is None


def test_address_that_ansible_gives_to_every_task_is_no_other_host_s() -> None:
    """A task has ansible_host, also where the inventory has none, and a delegated one that of its delegate."""
    found = fleet({"web1": {}, "web2": {}}, {"ansible_host": "127.0.0.1", "ansible_ssh_host": "127.0.0.1"})
    assert [inventory.endpoint_url(host, found) for host in ("web1", "web2")] == ["tcp://web1:2376", "tcp://web2:2376"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ansible_host": "10.0.0.5"}, "10.0.0.5"),
        ({"ansible_ssh_host": "10.0.0.6"}, "10.0.0.6"),
        ({"ansible_host": "10.0.0.5", "ansible_ssh_host": "10.0.0.6"}, "10.0.0.6"),
        ({"ansible_ssh_host": "10.0.0.6", "ansible_port": 2222, "ansible_ssh_common_args": "-J gate"}, "10.0.0.6"),
        ({"ansible_ssh_host": "10.0.0.6", "docker_daemon_address": "d.example.org"}, "d.example.org"),
    ],
    ids=str,
)
def test_endpoint_is_where_ansible_reaches_the_host(variables: dict[str, t.Any], expected: str) -> None:
    assert inventory.endpoint_url("web1", {"web1": variables}) == f"tcp://{expected}:2376"


def test_inspected_host_has_the_values_that_it_was_inspected_with() -> None:
    looked = {fleet_variables.INSPECTED: {"settings": {"docker_daemon_listen": ["0.0.0.0:2377"]}}}
    found = fleet({"web1": {}, "web2": {**looked, "docker_daemon_port": 1, "docker_daemon_listen": ["0.0.0.0:1"]}})
    assert inventory.endpoint_url("web2", found) == "tcp://web2:2377"
    assert found["web2"].get("docker_daemon_port") is None


def test_settings_are_what_somebody_has_given_and_can_be_computed() -> None:
    def value(name: str) -> t.Any:
        if name == "docker_daemon_address":
            raise ValueError("no such variable")
        return given[name]

    given = {
        "docker_daemon_port": 1,
        "docker_daemon_listen": [],
        "docker_daemon_address": "{{ x }}",
        "docker_ca_passphrase": "x",
    }
    assert fleet_variables.settings(value, given, OWN) == {"docker_daemon_port": 1}


def test_clients_of_a_play_count_for_every_host_and_revoke_there() -> None:
    groups = {"all": ["web1"], "docker_clients": ["desk"]}
    task = {"docker_client_cert_clients": [{"name": "alice"}, {"name": "bob", "state": "revoked"}]}
    found = fleet({"web1": {}, "desk": {"docker_client_cert_clients": [{"name": "bob"}]}, "localhost": {}}, task)
    everybody = {(one["name"], one["state"]) for one in access_lists.all_clients([], groups, found)}
    assert everybody == {("alice", "present"), ("bob", "revoked")}
