# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories that Ansible could not read, or that have no Docker hosts: Ansible only warns about the first and says nothing of the second."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import surroundings
from support.contracts import records

#: The groups that Ansible has without any inventory.
NOTHING: dict[str, list[str]] = {"all": [], "ungrouped": []}


@pytest.mark.parametrize(
    "text",
    [
        "docker_hosts:\n  hosts: [web1\n",
        "{",
        "[docker_hosts\nweb1\n",
        "docker_hosts: [web1, web2]\n",
        "- web1\n",
        "docker_hosts: web1\n",
    ],
    ids=["yaml", "json", "ini", "list", "root", "word"],
)
def test_inventory_that_could_not_be_parsed_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "inventory"
    path.write_text(text)
    (problem,) = map(records.said, surroundings.source_problems([str(path)], NOTHING))
    assert f"the inventory {path} could not be parsed" in problem


@pytest.mark.parametrize(
    "text",
    [
        "all:\n  vars:\n    a: !vault x\n",
        "all:\ndocker_hosts:\n",
        '{"all": {"vars": {}}}',
        "# x\n[all:vars]\na=1\n",
        "plugin: x.y.z\nregions: [a]\n",
    ],
    ids=["yaml", "empty", "json", "ini", "plugin"],
)
def test_inventory_of_variables_alone_is_not_refused(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "inventory"
    path.write_text(text)
    assert surroundings.source_problems([str(path)], NOTHING) == []


def test_inventory_that_is_a_program_is_not_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "inventory"
    path.write_text("#!/bin/sh\necho '{}'\n")
    path.chmod(0o755)
    assert surroundings.source_problems([str(path)], NOTHING) == []


@pytest.mark.parametrize(
    "text", ["", "\n", "---\n# hosts later\n", "# none\n; none\n"], ids=["nothing", "line", "yaml", "ini"]
)
def test_empty_inventory_is_named_and_not_refused(tmp_path: pathlib.Path, text: str) -> None:
    """A CA and bundles on the controller need no hosts."""
    path = tmp_path / "inventory"
    path.write_text(text)
    assert surroundings.source_problems([str(path)], NOTHING) == []
    (warning,) = map(records.said, surroundings.source_warnings([str(path)], NOTHING))
    assert warning == f"the inventory {path} has no host in the group docker_hosts, so this run changes no Docker host"


def test_inventory_with_groups_and_no_hosts_is_not_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "inventory"
    path.write_text("[docker_hosts]\n")
    assert surroundings.source_problems([str(path)], {**NOTHING, "docker_hosts": []}) == []


def test_part_of_the_inventory_that_is_missing_is_named(tmp_path: pathlib.Path) -> None:
    groups = {"all": ["web1"], "docker_hosts": ["web1"]}
    sources = [str(tmp_path), f"{tmp_path}/typo.yml", "web1,"]
    assert surroundings.source_problems(sources, groups) == []
    assert surroundings.source_warnings(sources, groups) == [
        f"there is no inventory {tmp_path}/typo.yml: its hosts are not in this run"
    ]


@pytest.mark.parametrize("name", ["docker_host", "docker-hosts", "Docker_hosts", "dockerhosts"])
def test_misspelt_group_is_named(name: str) -> None:
    (warning,) = surroundings.source_warnings(["web1,"], {"all": ["web1"], name: ["web1"]})
    assert warning.endswith(f"Is its group {name} meant to be docker_hosts?")


def test_other_groups_are_not_taken_for_ours() -> None:
    (warning,) = surroundings.source_warnings(
        [], {"all": ["web1"], "web": ["web1"], "docker": ["web1"], "docker_swarm": []}
    )
    assert warning == "the inventory has no host in the group docker_hosts, so this run changes no Docker host"
    assert surroundings.source_warnings([], {"docker_hosts": ["web1"]}) == []


@pytest.mark.parametrize("group", ["docker_ca", "docker_clients", "ungrouped"])
def test_inventory_for_a_ca_or_bundles_alone_is_not_warned_of(group: str) -> None:
    host = "localhost" if group == "ungrouped" else "desk"
    assert surroundings.source_warnings([], {"all": [host], group: [host]}) == []
    assert surroundings.source_warnings([], {"all": [host, "web1"], group: [host]}) != []
