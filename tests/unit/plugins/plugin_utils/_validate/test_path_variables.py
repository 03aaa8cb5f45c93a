# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that are paths get into units, configuration files and commands: what cannot be one is refused before a host is touched."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate.preflight import inventory_problems
from support.contracts import records

SET = {"docker_ca_passphrase": "a phrase of some length"}
DIRECTORIES = (
    "docker_ca_path",
    "docker_server_cert_path",
    "docker_server_cert_ca_path",
    "docker_client_cert_path",
    "docker_client_cert_ca_path",
    "docker_daemon_certificate_path",
    "docker_daemon_ca_path",
)
FILES = (
    "docker_ca_backup_path",
    "docker_ca_backup_controller_path",
    "docker_ca_restore_path",
    "docker_ca_restore_controller_path",
    "docker_daemon_config_path",
)
GROUPS = {"docker_hosts": ["web1", "web2"], "docker_clients": ["desk"]}


def found(predicting: bool = False, **hosts: dict[str, Any]) -> list[str]:
    hostvars = {host: {**SET, **hosts.get(host, {})} for host in ("localhost", "web1", "web2", "desk")}
    return [records.said(one) for one in inventory_problems(GROUPS, hostvars, predicting=predicting)]


@pytest.mark.parametrize("predicting", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("path", ["/etc/docker/a\nExecStart=/bin/sh", "/a\tb", "/a\x00b", "/a\rb", "/a\x85b"], ids=repr)
@pytest.mark.parametrize("name", [*DIRECTORIES, *FILES])
def test_control_characters_are_refused(name: str, path: str, predicting: bool) -> None:
    (problem,) = found(web1={name: path}, predicting=predicting)
    assert problem.startswith(f"{name} is {path!r}, which has a line break or another control character in it (web1).")


@pytest.mark.parametrize("path", ["/etc/docker/../x", "/a/..", "../x", "~/../x"])
@pytest.mark.parametrize("name", [*DIRECTORIES, *FILES])
def test_path_to_a_directory_above_is_refused(name: str, path: str) -> None:
    (problem,) = found(localhost={name: path})
    assert problem.startswith(f"{name} is {path!r}, which has .. in it (localhost).")


@pytest.mark.parametrize("path", ["ca", "./ca", "-rf", "5"])
@pytest.mark.parametrize("name", DIRECTORIES)
def test_relative_path_is_refused(name: str, path: str) -> None:
    (problem,) = found(localhost={name: path})
    assert f"{name} is {path!r}, which is not an absolute path" in problem


@pytest.mark.parametrize("path", ["/", "//", "/etc", "/etc/", "/etc/docker/", "/usr/./"])
@pytest.mark.parametrize("name", DIRECTORIES)
def test_directory_of_the_system_is_refused(name: str, path: str) -> None:
    (problem,) = found(localhost={name: path})
    assert f"{name} is {path!r}, which is a directory of the system" in problem


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("docker_client_cert_clients", {"name": "a", "controller_directory": "/a\nb"}),
        ("docker_client_cert_clients", {"name": "a", "consumer_directory": "/a\nb"}),
        ("docker_client_cert_users", {"user": "u", "directory": "/a\nb"}),
    ],
    ids=["controller", "consumer", "user"],
)
def test_paths_in_lists_are_read_too(name: str, entry: dict[str, str]) -> None:
    (problem,) = found(desk={name: [entry]})
    assert problem.startswith(f"{name}: ")
    assert "control character in it (desk)" in problem


def test_one_sentence_names_all_hosts_with_the_same_path() -> None:
    (problem,) = found(web1={"docker_server_cert_path": "/a\nb"}, web2={"docker_server_cert_path": "/a\nb"})
    assert "web1" in problem
    assert "web2" in problem


@pytest.mark.parametrize(
    "path", ["/etc/docker/certs", "/ca", "~/ca", "$HOME/ca", "/srv/a b", "/srv/..a", "/srv/Zoë", ""]
)
@pytest.mark.parametrize("name", [*DIRECTORIES, *FILES])
def test_other_paths_are_accepted(name: str, path: str) -> None:
    assert found(localhost={name: path}, web1={name: path}) == []
