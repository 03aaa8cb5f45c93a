# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local listeners for a daemon.json without ``hosts``: the ExecStartPre= run as systemd would, its file read as systemd does."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import command_line, our_units
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import (
    parse_assignments,
    parse_environment_file,
)

COMMAND = "/usr/bin/dockerd --containerd=/run/containerd/containerd.sock"


class Started(t.NamedTuple):
    listeners: str
    log: str


def start(
    tmp_path: Path, config: str | None, hosts: t.Sequence[str] = ("fd://",), path_of_unit: str = "/usr/bin:/bin"
) -> Started:
    """Run the drop-in's ExecStartPre= on a daemon.json (None: no file); return what ExecStart= gets."""
    path = tmp_path / "da $emon 100%.json"
    if config is not None:
        path.write_text(config)
    found = our_units.local_fallback(COMMAND, str(path), "docker.service", hosts)
    assert found is not None
    items = {item.key: item.value for item in parse_assignments("\n".join(("[Service]", *found.lines)))}
    assert items["EnvironmentFile"] == "-/run/docker-tls.env"
    words_ = [
        command_line.expand_braced(command_line.expand_specifiers(word.value), {})
        for word in command_line.split_command(items["ExecStartPre"].removeprefix("-"))
    ]
    written = tmp_path / "environment"
    argv = [str(written) if word == "/run/docker-tls.env" else word for word in words_]
    done = subprocess.run(argv, env={"PATH": path_of_unit}, capture_output=True, text=True, check=True)
    return Started(parse_environment_file(written.read_text())["DOCKER_TLS_LOCAL"], done.stderr)


@pytest.mark.parametrize(
    "config",
    ['{"hosts": ["fd://", "tcp://0.0.0.0:2376"]}', '{"hosts"\n :[]}', '{"log-opts": {"a": "b"}, "hosts": ["fd://"]}'],
)
def test_listeners_of_daemon_json_are_the_only_ones_where_it_names_some(tmp_path: Path, config: str) -> None:
    """dockerd refuses to start with both."""
    assert start(tmp_path, config) == Started("", "")


@pytest.mark.parametrize(
    "config",
    [None, "", "{}", '{"tls": true, "tlsverify": false}', '{"labels": ["\\"hosts\\": 1"]}', '{"hosts-gateway": 1}'],
)
def test_daemon_json_without_listeners_gives_the_local_ones_of_the_unit(tmp_path: Path, config: str | None) -> None:
    listeners, log = start(tmp_path, config)
    assert listeners == "-H fd://"
    assert log.startswith("<3>docker-tls: ")
    assert "ansible-playbook portcullis.docker_tls.site" in log


def test_programs_are_found_where_the_unit_has_another_path(tmp_path: Path) -> None:
    assert start(tmp_path, '{"hosts": []}', path_of_unit="/opt/app/bin") == Started("", "")


def test_all_local_listeners_of_the_unit_are_passed(tmp_path: Path) -> None:
    assert start(tmp_path, "{}", ("fd://", "unix:///run/x.sock")).listeners == "-H fd:// -H unix:///run/x.sock"


@pytest.mark.parametrize(
    ("command", "hosts"),
    [
        (f":{COMMAND}", ["fd://"]),
        (f"@-:{COMMAND}", ["fd://"]),
        (COMMAND, ["unix:///run/a b.sock"]),
        (COMMAND, ["unix:///$x"]),
    ],
)
def test_command_or_listener_that_cannot_be_said_by_a_variable_is_left_alone(command: str, hosts: list[str]) -> None:
    assert our_units.local_fallback(command, "/etc/docker/daemon.json", "docker.service", hosts) is None
