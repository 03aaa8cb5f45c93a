# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other listeners of docker.socket: in its files, and in what dockerd really holds."""

from __future__ import annotations

import os
import pathlib
import socket
import typing as t
from types import SimpleNamespace as Given

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import our_units
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import state as host_state
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import verify_local
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import Record
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import Expected
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import network


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("2375", 2375),
        ("0.0.0.0:2375", 2375),
        ("[::]:2375", 2375),
        ("[fe80::1]:2375%eth0", 2375),
        ("/run/docker.sock", 0),
        ("/run/odd:2375", 0),
        ("@abstract", 0),
        ("@abstract:2375", 0),
        ("vsock::2375", 0),
    ],
)
def test_tcp_port_is_told_from_other_sockets(value: str, port: int) -> None:
    assert our_units.tcp_port("ListenStream", value) == port
    assert our_units.tcp_port("ListenDatagram", value) == 0


def test_parse_listeners_empty_assignment_takes_all_before_away() -> None:
    files = [
        ("/lib/docker.socket", "[Socket]\nListenStream=/run/docker.sock\nListenStream=2375\n"),
        ("/etc/d/a.conf", "[Socket]\nListenStream=\nListenStream=/run/a.sock\n[Service]\nListenStream=1\n"),
        ("/etc/d/zz-docker-tls.conf", "# Managed by Ansible (portcullis.docker_tls)\n[Socket]\nListenStream=2376\n"),
    ]
    found = our_units.parse_listeners(files, "zz-docker-tls.conf")
    assert [(item.value, item.path) for item in found] == [("/run/a.sock", "/etc/d/a.conf")]


def machine(*places: tuple[str, int]) -> t.Any:
    services = Given(service=Given(main_pid=7))
    return Given(services=lambda: services, sockets_of_systemd=lambda pid: places if pid == 7 else ())


@pytest.mark.parametrize(
    ("places", "passed"),
    [
        ((), True),
        ((("0.0.0.0", 2376),), True),
        ((("::", 2376),), True),
        ((("0.0.0.0", 2376), ("0.0.0.0", 2375)), False),
        ((("10.0.0.5", 2376),), False),
    ],
)
def test_check_handed_over_finds_every_other_listener(places: t.Any, passed: bool) -> None:
    check = verify_local.check_handed_over(machine(*places), Expected((("127.0.0.1", 2376),)))
    assert (check.check, check.passed) == ("no-other-listener", passed)
    assert passed or "docker.socket also opens" in check.detail


def test_handed_over_finds_a_listener_that_process_1_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours, socket.create_server(("127.0.0.1", 0)) as other:
        real = network._inodes
        shared = {os.fstat(ours.fileno()).st_ino}
        monkeypatch.setattr(network, "_inodes", lambda pid: shared if pid == 1 else real(pid))
        assert network.handed_over(os.getpid()) == (("127.0.0.1", ours.getsockname()[1]),)
        assert other.getsockname()[1] not in [port for _address, port in network.handed_over(os.getpid())]
    assert network.handed_over(0) == ()


@pytest.mark.parametrize(("age", "expected"), [(50.0, True), (-50.0, False)], ids=["file-is-older", "file-is-newer"])
def test_daemon_json_is_in_use_when_dockerd_started_after_it(
    tmp_path: pathlib.Path, age: float, expected: bool
) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    written = max(path.stat().st_mtime, path.stat().st_ctime)
    host: t.Any = Given(time=lambda: written + 1000, monotonic=lambda: 2000.0)
    services: t.Any = Given(service=Given(started=1000.0 + age))
    assert host_state._in_use(host, services, str(path), b"{}", None) is expected
    assert host_state._in_use(host, services, str(path), b"{}", Record(written_config=b"{}"))
    never: t.Any = Given(service=Given(started=0.0))
    assert not host_state._in_use(host, never, str(path), b"{}", None)
