# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts whose Docker is set up in another way than its package does it: changed, undone and given back all the same."""

from __future__ import annotations

import collections.abc

import pytest

from conftest import CERTIFICATES, Host

ELSEWHERE = "/srv/docker/docker.sock"
COMMAND = "/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock"
DROPIN = "/etc/systemd/system/docker.service.d/socket.conf"
SOCKET_DROPIN = "/etc/systemd/system/docker.socket.d/path.conf"


def command(flags: str) -> str:
    """Return a drop-in that starts dockerd with ``flags``."""
    return f"[Service]\nExecStart=\nExecStart={COMMAND} {flags}\n"


@pytest.fixture
def odd(host: Host) -> collections.abc.Iterator[Host]:
    """Return a host that is made as it was, whatever a test has done to its Docker."""
    host.sh("mkdir -p /srv/docker")
    yield host
    host.sh("systemctl enable --quiet docker.service; rm -rf /srv/docker /etc/systemd/system/second.service")


def start(host: Host, path: str) -> None:
    """Restart Docker with the files that were put there, and start the container again at its local socket."""
    host.sh("systemctl daemon-reload; systemctl restart docker.socket docker.service")
    host.sh(f"timeout 20 docker -H unix://{path} start keeper")


# Every way to put the local socket elsewhere: file, its text, the socket.
PLACES = {
    "flag": (DROPIN, command(f"-H unix://{ELSEWHERE}"), ELSEWHERE),
    "flag-beside-fd": (DROPIN, command(f"-H unix://{ELSEWHERE} -H fd://"), ELSEWHERE),
    "relative": (DROPIN, command("-H unix://srv/docker/docker.sock"), ELSEWHERE),
    "specifier": (DROPIN, command("-H unix://%t/elsewhere.sock"), "/run/elsewhere.sock"),
    "docker-socket": (SOCKET_DROPIN, f"[Socket]\nListenStream=\nListenStream={ELSEWHERE}\n", ELSEWHERE),
}


@pytest.mark.parametrize("way", PLACES)
def test_local_socket_elsewhere_is_found_and_kept(odd: Host, way: str) -> None:
    host = odd
    path, text, local = PLACES[way]
    host.put(path, text)
    start(host, local)
    keeper = host.keeper_at(local)
    answer = host.secure(live_restore="enable")
    assert answer.seconds < 40
    assert answer.result["endpoint"]["engine_version"]
    assert keeper
    assert host.keeper_at(local) == keeper
    assert not host.run().result["changed"]
    back = host.run(state="absent")
    assert not back.error, back.error
    assert back.seconds < 40
    host.sh(f"docker -H unix://{local} ps")
    assert host.sh(f"cat {path}") == text.strip()


def test_local_socket_elsewhere_and_a_failed_change_is_undone_at_once(odd: Host) -> None:
    host = odd
    host.put(DROPIN, command(f"-H unix://{ELSEWHERE}"))
    start(host, ELSEWHERE)
    before = host.files()
    pair = host.issue()
    hooks = {"restarted": f"rm -rf {CERTIFICATES}/current/server-cert.pem && systemctl restart docker || true"}
    answer = host.run(certificate=pair.pem, hooks=hooks)
    assert answer.error["code"] != "rollback-failed", answer.error
    assert answer.seconds < 90
    host.sh(f"docker -H unix://{ELSEWHERE} ps")
    assert host.files() == before


SECOND = """\
[Service]
ExecStart=/usr/sbin/dockerd -H unix:///var/run/docker.sock --data-root /srv/docker/data --exec-root /srv/docker/exec \\
  --pidfile /srv/docker/pid --bridge none --iptables=false --containerd /run/containerd/containerd.sock
"""


def test_second_daemon_at_the_usual_place_is_told_apart(odd: Host) -> None:
    host = odd
    host.put(DROPIN, command(f"-H unix://{ELSEWHERE} --label own=yes"))
    host.put("/etc/systemd/system/second.service", SECOND)
    start(host, ELSEWHERE)
    host.sh("systemctl start second")
    host.sh("timeout 30 sh -c 'until docker -H unix:///var/run/docker.sock ps; do sleep 0.3; done' >&2")
    second = host.sh("systemctl show -p MainPID --value second")
    keeper = host.keeper_at(ELSEWHERE)
    answer = host.secure(live_restore="enable")
    assert answer.result["endpoint"]["containers_running"] == 1, "the second daemon has no container"
    assert host.keeper_at(ELSEWHERE) == keeper
    assert host.sh("systemctl show -p MainPID --value second") == second
    host.sh("systemctl stop second")
