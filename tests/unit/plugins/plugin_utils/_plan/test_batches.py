# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan.site import daemon_serial, serial_problems
from support.contracts import records


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ({"a": {}, "b": {}}, "100%"),
        ({"a": {"docker_daemon_serial": [1, "25%"]}, "b": {"docker_daemon_serial": [1, "25%"]}}, [1, "25%"]),
        ({"b": {"docker_daemon_serial": 2}}, 2),
        ({"a": {"docker_daemon_serial": None}}, "100%"),
        ({}, "100%"),
    ],
    ids=str,
)
def test_inventory_says_in_which_batches_hosts_are_changed(hosts: dict[str, dict[str, Any]], expected: object) -> None:
    assert daemon_serial({"docker_hosts": ["a", "b"]}, hosts) == expected


class Filled(dict[str, dict[str, Any]]):
    """Variables as Ansible has them: an item is evaluated, ``raw_get`` is not."""

    def __getitem__(self, name: str) -> dict[str, Any]:
        return {key: [1, "50%"] for key in super().__getitem__(name)}

    def raw_get(self, name: str) -> dict[str, Any]:
        return super().__getitem__(name)


def test_batches_by_a_template_are_what_it_comes_to() -> None:
    hosts = Filled({"a": {"docker_daemon_serial": "{{ batches }}"}})
    assert daemon_serial({"docker_hosts": ["a"]}, hosts) == [1, "50%"]


def test_inventory_without_docker_hosts_has_no_batches() -> None:
    assert daemon_serial({}, {}) == "100%"


def test_only_the_first_host_is_read() -> None:
    """Ansible asks four times in each run of site.yml, also where nothing is due: a fleet may have thousands of hosts."""
    asked: list[str] = []

    class Counting(Filled):
        def raw_get(self, name: str) -> dict[str, Any]:
            asked.append(name)
            return super().raw_get(name)

    hosts = Counting({"a": {}, "b": {}, "c": {}})
    assert daemon_serial({"docker_hosts": ["gone", "a", "b", "c"]}, hosts) == "100%"
    assert asked == ["a"]


@pytest.mark.parametrize("serial", [None, 1, "1", "25%", [1], [1, "25%", "100%"]], ids=str)
def test_batches_that_ansible_takes_are_no_problem(serial: object) -> None:
    assert serial_problems({"a": serial, "b": serial}) == []


@pytest.mark.parametrize(
    "serial", ["25 percent", -1, 0, "0%", "150%", [1, 0], 1.5, True, [], [1, "many"], {"first": 1}, [[1]]], ids=str
)
def test_batches_that_ansible_would_stumble_over_at_night_are_named(serial: object) -> None:
    (problem,) = serial_problems({"a": serial, "b": serial})
    assert records.said(problem).startswith(f"a: docker_daemon_serial is {serial!r}. Write how many hosts")


def test_hosts_with_different_batches_are_named() -> None:
    """One host's word would silently count for all, or for none."""
    (problem,) = serial_problems({"a": None, "b": None, "canary": 1})
    assert records.said(problem).startswith("docker_daemon_serial is not set for a and 1 for canary")


def test_batches_of_a_variable_that_is_not_defined_are_named() -> None:
    (problem,) = serial_problems({"a": jinja2.StrictUndefined(name="nosuch")})
    assert problem.startswith("a: docker_daemon_serial is made of a variable that is not defined")


def test_fleet_without_hosts_has_no_problem() -> None:
    assert serial_problems({}) == []
