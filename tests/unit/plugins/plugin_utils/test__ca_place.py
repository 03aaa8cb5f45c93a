# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the authorities are: one answer for all roles."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _ca_place

ROLES = pathlib.Path(__file__).resolve().parents[4] / "roles"
OLYMPUS = {"docker_ca": ["olympus"]}
HOSTVARS: dict[str, t.Any] = {"olympus": {}, "localhost": {}, "other": {"docker_ca_path": "/srv/ca"}}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")


@pytest.mark.parametrize(
    ("groups", "expected"), [({}, "localhost"), ({"docker_ca": []}, "localhost"), (OLYMPUS, "olympus")]
)
def test_ca_host_is_the_one_of_the_group_else_the_controller(groups: t.Any, expected: str) -> None:
    assert _ca_place.ca_host(groups) == expected


@pytest.mark.parametrize(
    ("host", "groups", "hostvars", "expected"),
    [
        pytest.param("olympus", OLYMPUS, None, "/etc/docker/ca", id="in-the-group"),
        pytest.param("localhost", {}, None, "/home/ops/.docker_tls/ca", id="controller"),
        pytest.param("localhost", OLYMPUS, HOSTVARS, "/home/ops/.docker_tls/ca", id="not-in-the-group"),
        pytest.param("other", OLYMPUS, HOSTVARS, "/srv/ca", id="declared"),
        pytest.param("other", OLYMPUS, None, "/home/ops/.docker_tls/ca", id="declared-and-not-asked"),
        pytest.param("localhost", {}, {}, "/home/ops/.docker_tls/ca", id="implicit-localhost"),
    ],
)
def test_ca_directory_is_the_declared_one_else_the_usual(
    host: str, groups: t.Any, hostvars: t.Any, expected: str
) -> None:
    assert _ca_place.ca_directory(host, groups, hostvars) == expected


@pytest.mark.parametrize("role", ["docker_client_cert", "docker_daemon", "docker_server_cert"])
def test_roles_find_the_ca_in_the_same_way(role: str) -> None:
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    assert defaults[f"{role}_ca_host"] == "{{ groups | portcullis.docker_tls.ca_host }}"
    assert (
        defaults[f"{role}_ca_path"]
        == f"{{{{ {role}_ca_host | portcullis.docker_tls.ca_directory(groups, hostvars) }}}}"
    )


@pytest.mark.parametrize(
    ("checked", "expected"),
    [
        ({"docker_ca_checked": {"authorities": {}}}, []),
        ({"docker_ca_checked": {"skipped": True}}, ["web1", "localhost"]),
        ({"ansible_facts": {"docker_ca_authorities": {"server": {}}}}, ["web1", "localhost"]),
        ({}, ["web1", "localhost"]),
    ],
    ids=["in-this-run", "skipped", "in-the-fact-cache", "never"],
)
def test_hosts_wait_for_authorities_that_nobody_has_looked_at(checked: dict[str, t.Any], expected: list[str]) -> None:
    groups = {"docker_ca": ["ca1"], "docker_hosts": ["web1"]}
    assert _ca_place.hosts_without_authorities(groups, {"ca1": checked}) == expected


def test_authorities_of_a_controller_without_variables_are_not_known_yet() -> None:
    assert _ca_place.hosts_without_authorities({}, {}) == ["localhost"]
