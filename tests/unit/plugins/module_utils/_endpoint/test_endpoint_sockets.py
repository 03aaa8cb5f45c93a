# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run makes of listeners that others have given docker.socket, on a host in memory."""

from __future__ import annotations

import pathlib

import pytest
from test_endpoint import Bench

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.hosts.machine import install
from support.hosts.world import ADDRESS, Effects, World


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world = World(tmp_path / "host").build()
    return Bench(world, install(monkeypatch, world, Effects()))


def foreign_socket(bench: Bench, text: str, name: str = "50-tcp.conf") -> pathlib.Path:
    """Let somebody have a drop-in of docker.socket, in effect."""
    path = bench.world.units / "docker.socket.d" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[Socket]\n{text}\n")
    bench.world.boot()
    return path


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
@pytest.mark.parametrize("value", ["0.0.0.0:2375", "2375", "[::]:4243", "127.0.0.1:2376"])
def test_tcp_listener_of_docker_socket_that_is_not_ours_is_refused(bench: Bench, value: str, listener: str) -> None:
    path = foreign_socket(bench, f"ListenStream={value}")
    certificate = bench.issue()
    with pytest.raises(TlsError) as caught:
        bench.run(certificate=certificate, listener=listener)
    assert caught.value.code == "socket-listener-foreign"
    assert value in caught.value.message
    assert str(path) in caught.value.message
    assert "docker_daemon_existing_settings" in caught.value.hint
    assert bench.world.restarts == 0


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_tcp_listener_of_docker_socket_that_comes_later_is_found_without_a_change(bench: Bench, listener: str) -> None:
    bench.secure(listener=listener)
    foreign_socket(bench, "ListenStream=0.0.0.0:2375")
    with pytest.raises(TlsError) as caught:
        bench.run(listener=listener)
    assert caught.value.code == "socket-listener-foreign"


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_tcp_listener_of_docker_socket_is_adopted_and_comes_back_with_absent(bench: Bench, listener: str) -> None:
    foreign_socket(bench, "ListenStream=0.0.0.0:2375\nListenStream=/run/other.sock\nListenFIFO=/run/fifo")
    before = bench.world.snapshot()
    assert "0.0.0.0:2375" in bench.world.tcp
    result = bench.secure(existing_settings="adopt", listener=listener)
    assert any("docker.socket listened on 0.0.0.0:2375" in warning for warning in result["warnings"])
    assert bench.world.tcp == (f"{ADDRESS}:2376",)
    ours = (bench.world.units / "docker.socket.d/zz-docker-tls.conf").read_text()
    assert "ListenStream=\nListenStream=/run/docker.sock\nListenStream=/run/other.sock\nListenFIFO=/run/fifo\n" in ours
    assert not bench.run(existing_settings="adopt", listener=listener)["changed"]
    assert not bench.run(listener=listener)["changed"], "what was adopted once stays so"
    assert not bench.world.open_to_anybody
    bench.run(state="absent")
    assert {path: data for path, data in bench.world.snapshot().items() if "certs" not in path} == before
    assert "0.0.0.0:2375" in bench.world.tcp
    assert bench.world.process is not None
    assert not bench.world.process.tls, "dockerd runs with the daemon.json that is there"


@pytest.mark.parametrize(("first", "second"), [("dockerd", "systemd"), ("systemd", "dockerd")])
def test_tcp_listener_of_docker_socket_stays_away_when_the_listener_changes(
    bench: Bench, first: str, second: str
) -> None:
    foreign_socket(bench, "ListenStream=0.0.0.0:2375")
    bench.secure(existing_settings="adopt", listener=first)
    assert bench.run(existing_settings="adopt", listener=second)["changed"]
    assert bench.world.tcp == (f"{ADDRESS}:2376",)
    bench.run(state="rolled_back")
    assert bench.world.tcp == (f"{ADDRESS}:2376",)


@pytest.mark.parametrize("text", ["ListenStream=/run/more.sock", "ListenStream=@abstract", "SocketMode=0600"])
def test_other_sockets_of_docker_socket_are_left_alone(bench: Bench, text: str) -> None:
    path = foreign_socket(bench, text)
    bench.secure()
    assert text in path.read_text()
    assert not (path.parent / "zz-docker-tls.conf").exists()


def test_tcp_listener_in_a_file_that_is_read_after_ours_cannot_be_adopted(bench: Bench) -> None:
    foreign_socket(bench, "ListenStream=2375", "zzz.conf")
    certificate = bench.issue()
    with pytest.raises(TlsError) as caught:
        bench.run(certificate=certificate, existing_settings="adopt")
    assert "zzz.conf" in caught.value.hint


def test_address_that_is_away_makes_no_restart_where_nothing_is_due(bench: Bench) -> None:
    """A VPN is down when the nightly run comes: nothing can be seen at its address, and nothing is wrong there."""
    bench.secure(listener="systemd")
    restarts = bench.world.restarts
    bench.world.addresses.discard(ADDRESS)
    result = bench.run(listener="systemd")
    assert (result["changed"], result["reasons"], bench.world.restarts) == (False, [], restarts)
    assert any(ADDRESS in warning for warning in result["warnings"])


def test_change_that_could_not_be_proved_is_refused_before_it_is_made(bench: Bench) -> None:
    """Otherwise it would be made, fail its verification and be rolled back: two restarts for nothing."""
    bench.secure(listener="systemd")
    restarts, before = bench.world.restarts, bench.world.snapshot()
    bench.world.addresses.discard(ADDRESS)
    certificate = bench.issue(7)
    with pytest.raises(TlsError, match=f"does not have the address {ADDRESS} now") as caught:
        bench.run(certificate=certificate, listener="systemd")
    assert caught.value.code == "listen-address-absent"
    assert bench.world.restarts == restarts
    kept = {path: data for path, data in bench.world.snapshot().items() if "certs" not in path}
    assert kept == {path: data for path, data in before.items() if "certs" not in path}
    bench.world.addresses.add(ADDRESS)
    assert bench.run(certificate=certificate, listener="systemd")["restarted"]
