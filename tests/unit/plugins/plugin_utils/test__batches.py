# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._batches import daemon_serial


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ({"a": {}, "b": {}}, "100%"),
        ({"a": {"docker_daemon_serial": [1, "25%"]}, "b": {"docker_daemon_serial": [1, "25%"]}}, [1, "25%"]),
        ({"a": {}, "b": {"docker_daemon_serial": 2}}, 2),
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
