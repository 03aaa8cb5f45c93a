# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd, the engine and /proc say, read from their own words."""

from __future__ import annotations

import http.server
import os
import pathlib
import socketserver
import threading
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import our_units, running_daemon, systemd
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import state
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import network

SHOWN = """\
MainPID=72
Result=success
NRestarts=2
Id=docker.service
Requires=docker.socket sysinit.target
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/docker.service
DropInPaths=/etc/systemd/system/docker.service.d/a.conf /etc/systemd/system/docker.service.d/zz-docker-tls.conf
Job=
NeedDaemonReload=yes

Id=docker.socket
LoadState=masked
ActiveState=inactive
SubState=dead
Job=17
"""


def test_parse_show_reads_both_units() -> None:
    units = systemd.parse_show(SHOWN, ("docker.service", "docker.socket"))
    service, socket = units["docker.service"], units["docker.socket"]
    assert (service.main_pid, service.restarts, service.is_active, service.job) == (72, 2, True, False)
    assert service.need_daemon_reload
    assert len(service.drop_in_paths) == 2
    assert "docker.socket" in service.requires
    assert (socket.load_state, socket.is_active, socket.job) == ("masked", False, True)


def test_parse_show_reads_the_start_of_a_service() -> None:
    units = systemd.parse_show("ExecMainStartTimestampMonotonic=2500000\n", ("docker.service",))
    assert units["docker.service"].started == 2.5


def test_parse_show_reads_what_a_socket_listens_on() -> None:
    shown = (
        "Listen=/srv/a b.sock (Stream)\nListen=[::]:2376 (Stream)\nListen=/run/x (SequentialPacket)\nId=docker.socket\n"
    )
    units = systemd.parse_show(shown, ("docker.socket",))
    assert units["docker.socket"].streams == ("/srv/a b.sock", "[::]:2376")


def test_parse_show_of_nothing_knows_no_unit() -> None:
    assert systemd.parse_show("", ("docker.service",)) == {}


@pytest.fixture(name="systemctl")
def _systemctl(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], None]:
    """Return what makes ``systemctl`` a shell script."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def becomes(script: str) -> None:
        (tmp_path / "systemctl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "systemctl").chmod(0o755)

    return becomes


@pytest.mark.parametrize(
    ("script", "refusal"),
    [
        ("exit 0", ""),
        ("echo 'Job for docker.service failed because the control process exited with error code.' >&2; exit 1", ""),
        ("echo 'A dependency job for docker.service failed. See journalctl -xe for details.' >&2; exit 1", ""),
        ("echo 'Failed to restart docker.service: Unit x is masked.' >&2; exit 1", "Failed to restart docker.service"),
    ],
    ids=["well", "dockerd-failed", "dependency-failed", "masked"],
)
def test_restart_that_systemd_did_not_begin_is_told_apart(
    systemctl: t.Callable[[str], None], script: str, refusal: str
) -> None:
    systemctl(script)
    restart = systemd.Systemd().restart()
    assert restart.wait(60)
    assert restart.refusal.startswith(refusal)
    assert bool(restart.refusal) == bool(refusal)


def test_unit_of_the_proxy_is_read_in_the_same_call(systemctl: t.Callable[[str], None], tmp_path: pathlib.Path) -> None:
    systemctl(
        f"echo $* >> {tmp_path}/asked; for pid in 1 0 3; do printf 'LoadState=loaded\\nMainPID=%s\\n\\n' $pid; done"
    )
    found = systemd.Systemd().show("docker-tls-proxy.service")
    assert found.proxy is not None
    assert (found.service.main_pid, found.proxy.name, found.proxy.main_pid) == (1, "docker-tls-proxy.service", 3)
    assert systemd.Systemd().show().proxy is None
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.partition(" -- ")[2] for line in asked] == [
        "docker.service docker.socket docker-tls-proxy.service",
        "docker.service docker.socket",
    ]


def test_restart_is_not_waited_for_longer_than_asked(
    systemctl: t.Callable[[str], None], tmp_path: pathlib.Path
) -> None:
    os.mkfifo(tmp_path / "done")
    systemctl(f"echo $* > {tmp_path}/asked; read line < {tmp_path}/done")
    restart = systemd.Systemd().restart(with_socket=True)
    assert (restart.wait(0.01), restart.refusal) == (False, "")
    (tmp_path / "done").write_text("done\n")
    assert restart.wait(60)
    assert (tmp_path / "asked").read_text() == "restart -- docker.socket docker.service\n"


def test_restart_without_systemctl_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TlsError, match="the command systemctl is not on this host"):
        systemd.Systemd().restart()


def test_process_identity_names_this_very_process() -> None:
    mine = systemd.process_identity(os.getpid())
    assert mine.startswith(f"{os.getpid()}@")
    assert mine == systemd.process_identity(os.getpid())
    assert systemd.process_identity(2**22 + 1) == ""


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (
            {"ServerVersion": "26.1.5", "LiveRestoreEnabled": True, "ContainersRunning": 3},
            running_daemon.EngineFacts("26.1.5", True, False, 3),
        ),
        (
            {"ServerVersion": "20.10.24", "Swarm": {"LocalNodeState": "active"}, "ContainersRunning": None},
            running_daemon.EngineFacts("20.10.24", False, True, 0),
        ),
        ({}, running_daemon.EngineFacts("", False, False, 0)),
    ],
    ids=["live-restore", "swarm", "empty"],
)
def test_engine_facts_of_info(info: dict[str, t.Any], expected: running_daemon.EngineFacts) -> None:
    assert running_daemon.engine_facts(info, []) == expected


def test_engine_facts_names_the_bridges() -> None:
    networks = [
        {"Driver": "bridge", "Id": "0123456789abcdef", "Options": {}},
        {"Driver": "bridge", "Id": "x", "Options": {"com.docker.network.bridge.name": "docker0"}},
        {"Driver": "host", "Id": "y"},
    ]
    assert running_daemon.engine_facts({}, networks).bridges == ("br-0123456789ab", "docker0")


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = {"/_ping": ("text/plain", b"OK"), "/info": ("application/json", b'{"ServerVersion": "1"}')}
        kind, body = known.get(self.path, ("text/plain", b"page not found"))
        if self.path == "/broken":
            kind, body = "application/json", b"{"
        self.send_response(200 if self.path in (*known, "/broken") else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "Docker/26.1.5+dfsg1 (linux)"

    def address_string(self) -> str:
        return "local"

    def log_message(self, *_arguments: t.Any) -> None:
        return


@pytest.fixture
def local(tmp_path: pathlib.Path) -> t.Iterator[running_daemon.Engine]:
    path = str(tmp_path / "docker.sock")
    with socketserver.UnixStreamServer(path, _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield running_daemon.Engine(path)
        server.shutdown()


def test_engine_answers_on_its_local_socket(local: running_daemon.Engine) -> None:
    assert local.ping() == "26.1.5+dfsg1"
    assert local.facts(networks=False).version == "1"
    assert running_daemon.listener_pid(local.path) == os.getpid()


@pytest.mark.parametrize("path", ["/nowhere", "/broken"])
def test_engine_with_a_bad_answer_is_an_error(local: running_daemon.Engine, path: str) -> None:
    with pytest.raises(running_daemon.EngineError):
        local.get(path)


def test_engine_that_is_not_there_is_an_error(tmp_path: pathlib.Path) -> None:
    absent = running_daemon.Engine(str(tmp_path / "docker.sock"))
    with pytest.raises(running_daemon.EngineError, match="no answer"):
        absent.ping()
    assert running_daemon.listener_pid(absent.path) == 0


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1111 1 0 100 0 0 10 0
   1: 0100007F:0947 0200007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 2222 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0948 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3333 1
   1: 000000FD000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4444 1
"""


def test_parse_table_finds_listeners_only() -> None:
    assert network.parse_table(TCP, ipv6=False) == {1111: ("127.0.0.1", 2375)}
    assert network.parse_table(TCP6, ipv6=True) == {3333: ("::", 2376), 4444: ("fd00::1", 22)}


def test_foreign_listeners_leaves_out_the_api_of_dockerd_only() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = network.foreign_listeners({port})
        assert [(address, number) for address, number, _process in found] == [("127.0.0.1", port)]
        assert str(os.getpid()) in found[0][2]
        assert network.foreign_listeners({port}, os.getpid(), {port}) == ()
        # The published port of a container, reserved by dockerd itself, is not its API.
        assert network.foreign_listeners({port}, os.getpid(), {port + 1}) == found
        assert network.foreign_listeners({port ^ 1}) == ()
        assert ("127.0.0.1", port) in network.held_by(os.getpid())
        assert ("127.0.0.1", port) in network.held_by(os.getppid(), os.getpid())
    assert network.held_by(0) == network.held_by() == ()


ENABLED = systemd.UnitState("docker.service", file_state="enabled", wanted_by=("multi-user.target",))


@pytest.mark.parametrize(
    ("service", "socket", "listener", "starts"),
    [
        (ENABLED, ENABLED, "dockerd", True),
        (systemd.UnitState("docker.service"), ENABLED, "dockerd", True),
        (replace(ENABLED, file_state="disabled", wanted_by=()), ENABLED, "dockerd", False),
        (replace(ENABLED, file_state="disabled", wanted_by=()), ENABLED, "systemd", True),
        (replace(ENABLED, file_state="disabled", wanted_by=("app.service",)), ENABLED, "dockerd", True),
        (replace(ENABLED, file_state="static"), ENABLED, "dockerd", True),
        (replace(ENABLED, file_state="static", wanted_by=()), ENABLED, "dockerd", False),
        (replace(ENABLED, file_state="enabled-runtime"), ENABLED, "dockerd", False),
        (replace(ENABLED, file_state="generated"), ENABLED, "dockerd", True),
        (replace(ENABLED, file_state="disabled", wanted_by=()), replace(ENABLED, file_state="disabled", wanted_by=()), "systemd", False),
    ],
)  # fmt: skip
def test_starts_at_boot_is_what_the_boot_opens(
    service: systemd.UnitState, socket: systemd.UnitState, listener: str, starts: bool
) -> None:
    services = systemd.Services(service, socket)
    assert state.starts_at_boot(services, listener) is starts
    found = state.check_boot(services, listener)
    assert [item.code for item in found] == ([] if starts else ["not-started-at-boot"])
    assert all("systemctl enable docker.service" in item.hint for item in found)


def test_parse_show_reads_what_starts_a_unit() -> None:
    shown = "UnitFileState=disabled\nWantedBy=a.target\nRequiredBy=b.service\nId=docker.service\n"
    unit = systemd.parse_show(shown, ("docker.service",))["docker.service"]
    assert (unit.file_state, unit.wanted_by) == ("disabled", ("a.target", "b.service"))


OTHER = systemd.UnitState(
    "docker-tcp.socket",
    active_state="active",
    fragment_path="/e/docker-tcp.socket",
    streams=("0.0.0.0:2375", "/run/x.sock"),
)


@pytest.mark.parametrize(
    ("unit", "refused"),
    [
        (OTHER, True),
        (replace(OTHER, active_state="inactive", file_state="enabled"), True),
        (replace(OTHER, active_state="inactive", file_state="disabled"), False),
        (replace(OTHER, streams=("/run/x.sock",)), False),
    ],
)
def test_socket_unit_of_others_that_passes_tcp_listeners_is_refused(unit: systemd.UnitState, refused: bool) -> None:
    found = our_units.check_other_sockets(systemd.Services(ENABLED, ENABLED, (unit,)))
    assert [item.code for item in found] == (["socket-listener-foreign"] if refused else [])
    assert all("docker-tcp.socket" in item.message and "0.0.0.0:2375" in item.message and item.hint for item in found)


def test_show_reads_the_other_sockets_of_the_service(systemctl: t.Callable[[str], None]) -> None:
    systemctl(
        'case "$*" in *docker-tcp.socket*) printf "Id=docker-tcp.socket\\nListen=0.0.0.0:2375 (Stream)\\n" ;;\n'
        '*) printf "TriggeredBy=docker.socket docker-tls.socket docker-tcp.socket\\n\\nId=docker.socket\\n" ;; esac'
    )
    found = systemd.Systemd().show()
    assert [(unit.name, unit.streams) for unit in found.other_sockets] == [("docker-tcp.socket", ("0.0.0.0:2375",))]
