# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The relay of a plain port: no wider than the port was, and gone without a trace."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import repair
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.hosts.unit_directory import Manager


@pytest.fixture
def manager(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Manager:
    monkeypatch.setattr(repair, "_proxy", lambda: "/lib/systemd/systemd-socket-proxyd")
    return Manager(tmp_path)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("tcp://0.0.0.0:2375", "0.0.0.0:2375"),
        ("tcp://:2375", "127.0.0.1:2375"),
        ("tcp://10.0.0.5", "10.0.0.5:2375"),
        ("10.0.0.5:4243", "10.0.0.5:4243"),
        ("tcp://[fd00::5]:2375", "[fd00::5]:2375"),
        ("tcp://[::]", "[::]:2375"),
    ],
)
def test_endpoint_is_what_dockerd_understood(url: str, endpoint: str) -> None:
    assert repair.endpoint_of(url) == endpoint


@pytest.mark.parametrize("url", ["unix:///run/docker.sock", "tcp://10.0.0.5:http"])
def test_endpoint_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(TlsError):
        repair.endpoint_of(url)


def test_relay_is_made_once_and_taken_away(manager: Manager, tmp_path: pathlib.Path) -> None:
    urls = ["tcp://0.0.0.0:2375"]
    assert repair.ensure(manager, urls, "present", predict=True) == (True, ("0.0.0.0:2375",))
    assert list(tmp_path.iterdir()) == []
    assert repair.ensure(manager, urls, "present", predict=False) == (True, ("0.0.0.0:2375",))
    service = (tmp_path / "docker-tls-plain.service").read_text()
    assert "ExecStart=/lib/systemd/systemd-socket-proxyd /run/docker.sock" in service
    assert repair.ensure(manager, urls, "present", predict=False)[0] is False
    assert repair.ensure(manager, [], "present", predict=False) == (False, ("0.0.0.0:2375",))
    assert repair.ensure(manager, [], "absent", predict=True) == (True, ())
    assert repair.ensure(manager, [], "absent", predict=False) == (True, ())
    assert list(tmp_path.iterdir()) == []
    assert repair.ensure(manager, [], "absent", predict=False) == (False, ())


@pytest.mark.parametrize(
    ("paths", "path"),
    [
        (("/srv/docker/docker.sock", "/run/docker.sock"), "/srv/docker/docker.sock"),
        (("/proc/7/cwd/d.sock", "@d"), "@d"),
        (("/proc/7/cwd/d.sock",), "/run/docker.sock"),
        ((), "/run/docker.sock"),
    ],
)
def test_relay_goes_to_the_socket_that_dockerd_has(
    manager: Manager, tmp_path: pathlib.Path, paths: tuple[str, ...], path: str
) -> None:
    local = repair.docker_socket(paths)
    repair.ensure(manager, ["tcp://0.0.0.0:2375"], "present", predict=False, local=local)
    assert (
        f"ExecStart=/lib/systemd/systemd-socket-proxyd {path}\n" in (tmp_path / "docker-tls-plain.service").read_text()
    )


def test_relay_without_the_proxy_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_PROXIES", ("/nowhere",))
    with pytest.raises(TlsError) as caught:
        repair.ensure(Manager(tmp_path), ["tcp://0.0.0.0:2375"], "present", predict=False)
    assert caught.value.code == "relay-unavailable"
