# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where dockerd listens, by its flags, its daemon.json and docker.socket; then real sockets of real processes."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import running_daemon, systemd
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import machine
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import network

STREAMS = ("/run/docker.sock",)
DEFAULT = ("/var/run/docker.sock",)


@pytest.mark.parametrize(
    ("arguments", "values", "streams", "unix", "tcp"),
    [
        ([], {}, STREAMS, DEFAULT, ()),
        ([], {"hosts": []}, STREAMS, DEFAULT, ()),
        (["-H", ""], {}, STREAMS, DEFAULT, ()),
        (["-H", "unix://"], {}, STREAMS, DEFAULT, ()),
        (["-H", "fd://"], {}, STREAMS, STREAMS, ()),
        (["-H", "fd://"], {}, ("/srv/d.sock",), ("/srv/d.sock",), ()),
        (["-H", "fd://"], {}, ("@docker",), ("@docker",), ()),
        (["-H", "fd://"], {}, ("/a.sock", "[::]:2376", "/b.sock"), ("/a.sock", "/b.sock"), (("::", 2376),)),
        (["-H", "fd://3"], {}, ("/a.sock", "/b.sock"), ("/a.sock",), ()),
        (["-H", "fd://4"], {}, ("/a.sock", "/b.sock"), ("/b.sock",), ()),
        (["-H", "fd://9"], {}, STREAMS, (), ()),
        (["-H", "fd://"], {}, ("0.0.0.0:2375",), (), (("0.0.0.0", 2375),)),
        (["-H", "unix:///srv/docker/docker.sock"], {}, STREAMS, ("/srv/docker/docker.sock",), ()),
        (["--host=unix:///srv/d.sock", "-Hfd://"], {}, STREAMS, ("/srv/d.sock", *STREAMS), ()),
        (["-H", "unix:///a.sock", "-H", "unix:///b.sock"], {}, STREAMS, ("/a.sock", "/b.sock"), ()),
        (["-H", "unix://run/d.sock"], {}, STREAMS, ("run/d.sock",), ()),
        (["-H", "unix://@d"], {}, STREAMS, ("@d",), ()),
        ([], {"hosts": ["unix:///other.sock", "tcp://0.0.0.0:2376"]}, STREAMS, ("/other.sock",), (("0.0.0.0", 2376),)),
        ([], {"hosts": ["tcp://0.0.0.0:2376"]}, STREAMS, (), (("0.0.0.0", 2376),)),
        (["-H", "tcp://[::1]:2376"], {}, STREAMS, (), (("::1", 2376),)),
        (["-H", "tcp://10.0.0.5"], {}, STREAMS, (), (("10.0.0.5", 2375),)),
        (["-H", "tcp://:2376"], {}, STREAMS, (), (("localhost", 2376),)),
        (["-H", "tcp://"], {}, STREAMS, (), (("localhost", 2375),)),
        (["-H", "10.0.0.5:2376"], {}, STREAMS, (), (("10.0.0.5", 2376),)),
        ([], {"tls": True}, STREAMS, (), (("localhost", 2376),)),
        (["--tlsverify"], {}, STREAMS, (), (("localhost", 2376),)),
    ],
)
def test_listening_is_where_dockerd_listens(
    arguments: list[str], values: dict[str, t.Any], streams: tuple[str, ...], unix: t.Any, tcp: t.Any
) -> None:
    found = running_daemon.listening(["--containerd=/run/c.sock", *arguments], values, streams)
    assert (found.unix, found.tcp) == (unix, tcp)


@pytest.mark.parametrize(
    ("arguments", "values", "tls"),
    [
        ([], {}, False),
        (["--tls"], {}, True),
        (["--tls=false"], {}, False),
        (["--tlsverify=false"], {}, True),
        ([], {"tls": True}, True),
        ([], {"tls": False}, False),
        ([], {"tlsverify": False}, True),
    ],
)
def test_listening_with_tls_has_no_plain_listener(arguments: list[str], values: dict[str, t.Any], tls: bool) -> None:
    found = running_daemon.listening(["-H", "tcp://10.0.0.5:2375", *arguments], values)
    assert (found.tls, found.plain) == (tls, () if tls else (("10.0.0.5", 2375),))


@pytest.mark.parametrize(
    ("arguments", "path"),
    [([], "/etc/docker/daemon.json"), (["--config-file", "/a.json"], "/a.json"), (["--config-file=/b"], "/b")],
)
def test_config_path_is_the_one_of_the_command_line(arguments: list[str], path: str) -> None:
    assert running_daemon.config_path(arguments) == path


@pytest.mark.parametrize("data", [None, b"", b"{", b"[1]", b"\xff"])
def test_keys_of_an_unreadable_daemon_json_are_none(data: bytes | None) -> None:
    assert running_daemon.keys_of(data) == {}


def test_same_socket_knows_that_var_run_is_run() -> None:
    assert running_daemon.same_socket("/var/run/docker.sock", "//run/docker.sock")
    assert not running_daemon.same_socket("/run/docker.sock", "/srv/docker.sock")


def serve(path: str) -> subprocess.Popen[str]:
    """Start a process that listens on a unix socket."""
    program = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print('up', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@contextlib.contextmanager
def listener(path: str, answer: bytes = b"") -> t.Iterator[socket.socket]:
    """Listen on a unix socket in this process; answer the first request where there is something to answer."""
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(path)
        own.listen()
        if answer:
            threading.Thread(target=_answer, args=(own, answer), daemon=True).start()
        yield own


def _answer(own: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _peer = own.accept()
            with connection:
                if connection.recv(4096):
                    connection.sendall(answer)


@pytest.fixture
def config(tmp_path: pathlib.Path) -> t.Callable[..., list[str]]:
    """Return what writes a daemon.json and gives the flags of a dockerd that reads it."""

    def write(**values: t.Any) -> list[str]:
        path = tmp_path / "daemon.json"
        path.write_text(json.dumps(values))
        return ["--config-file", str(path)]

    return write


def test_listening_of_a_daemon_takes_its_own_socket_and_not_another_daemons(
    tmp_path: pathlib.Path, config: t.Callable[..., list[str]]
) -> None:
    other, own = str(tmp_path / "other.sock"), str(tmp_path / "own.sock")
    process = serve(other)
    try:
        with listener(own):
            arguments = config(hosts=[f"unix://{other}", f"unix://{own}"])
            assert running_daemon.listening_of(os.getpid(), arguments, ()).unix == (own,)
    finally:
        process.communicate()


def test_listening_of_a_daemon_whose_file_was_edited_since_takes_the_socket_that_it_holds(
    tmp_path: pathlib.Path, config: t.Callable[..., list[str]]
) -> None:
    own = str(tmp_path / "own.sock")
    with listener(own):
        found = running_daemon.listening_of(os.getpid(), config(hosts=["unix:///nowhere/at.all"]), ())
        assert own in found.unix
        assert "/nowhere/at.all" not in found.unix


def test_listening_of_a_relative_path_counts_from_the_working_directory_of_the_process(
    tmp_path: pathlib.Path, config: t.Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with listener("d.sock", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nOK"):
        found = running_daemon.listening_of(os.getpid(), config(hosts=["unix://d.sock"]), ())
        monkeypatch.chdir("/proc/self/cwd")
        asked = running_daemon.engine_of(os.getpid(), found)
        assert asked is not None
        asked.ping()


def test_engine_of_a_daemon_does_not_believe_another_process(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "d.sock")
    process = serve(path)
    try:
        asked = running_daemon.engine_of(os.getpid(), running_daemon.Listening((path,)))
        assert asked is not None
        with pytest.raises(
            running_daemon.EngineError, match=f"process {process.pid} listens there, which is not docker"
        ):
            asked.ping()
    finally:
        process.communicate()


def test_engine_of_a_daemon_without_a_local_socket_is_its_listener_without_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"ServerVersion": "1"}'
        threading.Thread(target=_answer, args=(own, answer), daemon=True).start()
        place = ("0.0.0.0", own.getsockname()[1])
        asked = running_daemon.engine_of(os.getpid(), running_daemon.Listening((), (place,)))
        assert asked is not None
        assert asked.facts(networks=False).version == "1"
        assert running_daemon.engine_of(os.getpid(), running_daemon.Listening((), (place,), tls=True)) is None
        assert running_daemon.api_ports(os.getpid(), running_daemon.Listening((), (place, ("0.0.0.0", 1)))) == {
            place[1]
        }


def test_unix_sockets_are_the_listening_ones_of_the_process(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "d.sock")
    with listener(path), socket.socket(socket.AF_UNIX) as connected:
        connected.connect(path)
        assert network.unix_sockets(os.getpid()).count(path) == 1
        assert path not in network.unix_sockets(os.getppid())
    assert network.unix_sockets(0) == ()


UNIX = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 100 /run/docker.sock
0000000000000000: 00000003 00000000 00000000 0001 03 101 /run/docker.sock
0000000000000000: 00000002 00000000 00010000 0005 01 102 /run/seqpacket
0000000000000000: 00000002 00000000 00010000 0001 01 103
0000000000000000: 00000002 00000000 00010000 0001 01 104 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 105 /run/with a blank
"""


def test_parse_unix_finds_named_stream_listeners_only() -> None:
    assert network.parse_unix(UNIX) == (
        (100, "/run/docker.sock"),
        (104, "@abstract"),
        (105, "/run/with a blank"),
    )


@pytest.mark.parametrize(
    ("containers", "names"),
    [
        ([{"Names": ["/proxy"], "Ports": [{"PrivatePort": 80, "PublicPort": 2375}]}], ("proxy",)),
        ([{"Names": ["/other"], "Ports": [{"PrivatePort": 2375}]}, {"Id": "0123456789abcdef", "Ports": None}], ()),
    ],
)
def test_publishers_are_the_containers_that_publish_the_port(
    containers: list[dict[str, t.Any]], names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_daemon.Engine, "get", lambda _self, _path: containers)
    assert running_daemon.Engine().publishers(2375) == names


def test_machine_serves_what_dockerd_holds_unless_a_container_publishes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    services = systemd.Services(
        systemd.UnitState("docker.service", main_pid=os.getpid()), systemd.UnitState("docker.socket")
    )
    monkeypatch.setattr(systemd.Systemd, "show", lambda _self, _proxy: services)
    host = machine.Machine(systemd.Systemd())
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
        monkeypatch.setattr(host, "publishers", lambda _port: ())
        assert (host.serves(port), host.serves(port ^ 1)) == (True, False)
        monkeypatch.setattr(host, "publishers", lambda _port: ("proxy",))
        assert not host.serves(port)
