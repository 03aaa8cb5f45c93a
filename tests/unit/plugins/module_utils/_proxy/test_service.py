# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy's unit is started, reloaded and stopped, and a reload counts only when a new worker serves."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.systemd import UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy import service
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.service import (
    ProxyFiles,
    listeners,
    proxy_files,
)


class Units:
    """systemd with one unit; ``on_reload`` says what a reload does."""

    def __init__(self, state: str = "inactive", pid: int = 0) -> None:
        self.state = state
        self.pid = pid
        self.commands: list[str] = []
        self.on_reload: t.Callable[[], None] = lambda: None
        self.broken: set[str] = set()

    def command(self, *arguments: str) -> None:
        self.commands.append(arguments[0])
        if arguments[0] in self.broken:
            raise TlsError("it failed", hint="Check.", code="systemd-command-failed")
        if arguments[0] == "restart":
            self.state = "active"
        elif arguments[0] == "stop":
            self.state = "inactive"
        elif arguments[0] == "reload":
            self.on_reload()

    def unit_state(self, name: str) -> UnitState:
        return UnitState(name, active_state=self.state, main_pid=self.pid, result="success")

    def unit_log(self, name: str, lines: int) -> str:
        requests = ['{"kind":"connection","client":"alice","error":"-"}'] * 20
        return "\n".join(["[NOTICE] fine", "[ALERT] cannot bind socket", *requests][-lines:])


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def files(tmp_path: pathlib.Path) -> ProxyFiles:
    units = tmp_path / "units"
    units.mkdir()
    return proxy_files("docker.service", str(units), str(tmp_path))


def test_names_follow_the_docker_service() -> None:
    files = proxy_files("docker-b.service", "/etc/systemd/system")
    assert files.unit == "docker-b-tls-proxy.service"
    assert files.config == "/etc/docker-b-tls-proxy/haproxy.cfg"
    assert files.bundle == "/run/docker-b-tls-proxy/server.pem"
    assert files.link == "/etc/systemd/system/multi-user.target.wants/docker-b-tls-proxy.service"


def test_listeners_are_read_from_the_bind_lines() -> None:
    text = (
        b"frontend docker\n    bind ipv4@10.0.0.5:2376 transparent ssl\n    bind ipv6@[fd00::5]:2377 transparent ssl\n"
    )
    assert listeners(text) == (("10.0.0.5", 2376), ("fd00::5", 2377))
    assert listeners(None) == ()


def test_start_enables_the_unit_at_boot(files: ProxyFiles) -> None:
    units = Units()
    service.apply(service.START, files, units, Clock())
    assert units.state == "active"
    assert os.readlink(files.link) == files.unit_path
    assert service.is_enabled(files)


@pytest.mark.parametrize("broken", [True, False], ids=["command", "state"])
def test_start_that_fails_says_why(files: ProxyFiles, broken: bool) -> None:
    units = Units()
    units.broken = {"restart"} if broken else set()
    if not broken:
        units.command = lambda *_arguments: None  # type: ignore[method-assign]
    with pytest.raises(TlsError) as caught:
        service.apply(service.START, files, units, Clock())
    assert caught.value.code == "proxy-start-failed"
    assert "cannot bind socket" in caught.value.message
    assert "fine" not in caught.value.message
    assert "alice" not in caught.value.message


def test_stop_disables_it_and_can_be_repeated(files: ProxyFiles) -> None:
    units = Units()
    service.apply(service.START, files, units, Clock())
    for _attempt in range(2):
        service.apply(service.STOP, files, units, Clock())
        assert units.state == "inactive"
        assert not os.path.lexists(files.link)
    assert units.commands.count("stop") == 1


@pytest.fixture
def master() -> t.Iterator[subprocess.Popen[str]]:
    """Return a real process that has a child, and starts another for each line that it reads."""
    script = "sleep 60 >&- & echo ok; while read line; do sleep 60 >&- & echo ok; done"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        for child in service.workers(process.pid):
            os.kill(child, 9)
        process.kill()


def fork(master: subprocess.Popen[str]) -> None:
    assert master.stdin is not None and master.stdout is not None
    master.stdin.write("\n")
    master.stdin.flush()
    master.stdout.readline()


def test_reload_counts_when_there_is_a_new_worker(files: ProxyFiles, master: subprocess.Popen[str]) -> None:
    units = Units("active", master.pid)
    units.on_reload = lambda: fork(master)
    service.apply(service.RELOAD, files, units, Clock())
    assert units.commands == ["reload"]
    assert len(service.workers(master.pid)) == 2


def test_reload_without_a_new_worker_fails(files: ProxyFiles, master: subprocess.Popen[str]) -> None:
    units = Units("active", master.pid)
    with pytest.raises(TlsError) as caught:
        service.apply(service.RELOAD, files, units, Clock())
    assert caught.value.code == "proxy-reload-failed"
    assert f"({files.unit}: active)" in caught.value.message  # systemd's result of a unit that runs is "success"


def test_reload_that_systemd_refuses_fails(files: ProxyFiles, master: subprocess.Popen[str]) -> None:
    units = Units("active", master.pid)
    units.broken = {"reload"}
    with pytest.raises(TlsError) as caught:
        service.apply(service.RELOAD, files, units, Clock())
    assert caught.value.code == "proxy-reload-failed"


def test_reload_of_a_unit_that_does_not_run_starts_it(files: ProxyFiles) -> None:
    units = Units("failed")
    service.apply(service.RELOAD, files, units, Clock())
    assert units.commands == ["restart"]
