# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the authorities are: one answer for all roles."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import locations

ROLES = pathlib.Path(__file__).resolve().parents[5] / "roles"
OLYMPUS = {"docker_ca": ["olympus"]}
HOSTVARS: dict[str, t.Any] = {"olympus": {}, "localhost": {}, "other": {"docker_ca_path": "/srv/ca"}}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")


@pytest.mark.parametrize(
    ("groups", "expected"), [({}, "localhost"), ({"docker_ca": []}, "localhost"), (OLYMPUS, "olympus")]
)
def test_ca_host_is_the_one_of_the_group_else_the_controller(groups: t.Any, expected: str) -> None:
    assert locations.ca_host(groups) == expected


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
    assert locations.ca_directory(host, groups, hostvars) == expected


@pytest.mark.parametrize("role", ["docker_client_cert", "docker_daemon", "docker_server_cert"])
def test_roles_find_the_ca_in_the_same_way(role: str) -> None:
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    assert defaults[f"{role}_ca_host"] == "{{ groups['docker_ca'] | default(['localhost'], true) | first }}"
    assert (defaults[f"{role}_ca_path"], defaults[f"{role}_ca_passphrase"]) == ("", "")
