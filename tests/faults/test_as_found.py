# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts whose Docker is set up in another way than its package does it: changed, rolled back and restored anyway."""

from __future__ import annotations

import collections.abc

import pytest

from conftest import CERTIFICATES, NO_WAIT, Host

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
    host.sh("systemctl daemon-reload; systemctl reset-failed; systemctl restart docker.socket docker.service")
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
    answer = host.secure(live_restore="enable", **NO_WAIT)
    assert answer.result["endpoint"]["engine_version"]
    assert keeper
    assert host.keeper_at(local) == keeper
    assert not host.run().result["changed"]
    back = host.run(state="absent", **NO_WAIT)
    assert not back.error, back.error
    host.sh(f"docker -H unix://{local} ps")
    assert host.sh(f"cat {path}") == text.strip()


def test_local_socket_named_in_daemon_json_is_kept_where_that_is_adopted(odd: Host) -> None:
    host = odd
    host.put(DROPIN, command(""))
    host.put("/etc/docker/daemon.json", f'{{"hosts": ["unix://{ELSEWHERE}"]}}\n')
    start(host, ELSEWHERE)
    keeper = host.keeper_at(ELSEWHERE)
    host.secure(live_restore="enable", existing_settings="adopt")
    assert host.keeper_at(ELSEWHERE) == keeper
    back = host.run(state="absent")
    assert not back.error, back.error
    host.sh(f"docker -H unix://{ELSEWHERE} ps")
    assert host.sh("cat /etc/docker/daemon.json") == f'{{"hosts": ["unix://{ELSEWHERE}"]}}'


def test_local_socket_elsewhere_and_a_failed_change_is_rolled_back_at_once(odd: Host) -> None:
    host = odd
    host.put(DROPIN, command(f"-H unix://{ELSEWHERE}"))
    start(host, ELSEWHERE)
    before = host.files()
    pair = host.issue()
    hooks = {"restarted": f"rm -rf {CERTIFICATES}/current/server-cert.pem && systemctl restart docker || true"}
    answer = host.run(certificate=pair.pem, hooks=hooks, **NO_WAIT)
    assert answer.error["code"] != "rollback-failed", answer.error
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


def publish(host: Host, port: int, *options: str) -> None:
    """Start a container whose HTTP server is published on a port of the host, as a socket proxy is."""
    host.sh(
        f"docker rm -f proxy >/dev/null 2>&1; docker run -d --name proxy --restart=always -p {port}:2375 {' '.join(options)} "
        "local/busybox /bin/busybox httpd -f -p 2375"
    )


@pytest.fixture
def proxied(odd: Host) -> collections.abc.Iterator[Host]:
    """Return a host on which nothing of a test listens on 2375 afterwards."""
    yield odd
    odd.sh("docker rm -f proxy >/dev/null 2>&1; systemctl stop plain.socket plain.service 2>/dev/null; true")


@pytest.mark.important
def test_container_published_on_2375_is_reported_and_blocks_nothing(proxied: Host) -> None:
    host = proxied
    publish(host, 2375)
    host.sh("timeout 20 sh -c 'until curl -sS -m 2 http://127.0.0.1:2375/; do sleep 0.3; done' >&2")
    first = host.secure(live_restore="enable")
    assert any("docker-proxy (" in text and "for the container proxy" in text for text in first.result["warnings"])
    assert first.result["endpoint"]["port_2375"]
    checks = {check["check"]: check["passed"] for check in first.result["verification"]}
    assert checks["port-2375-closed"]
    renewed = host.run(certificate=host.issue().pem, live_restore="enable")
    assert not renewed.error, renewed.error
    assert renewed.result["restarted"]
    assert not host.run(live_restore="enable").result["changed"]


def test_port_reserved_by_dockerd_for_a_container_is_not_its_api(proxied: Host) -> None:
    host = proxied
    host.put("/etc/docker/daemon.json", '{"userland-proxy": false}')
    host.sh("systemctl restart docker; docker start keeper")
    publish(host, 2375)
    answer = host.secure(live_restore="enable")
    assert any("dockerd (" in text and "for the container proxy" in text for text in answer.result["warnings"])
    publish(host, 2377)
    taken = host.run(listen=["0.0.0.0:2377"], live_restore="enable")
    assert taken.error["code"] == "port-taken"
    assert "for the container proxy" in taken.error["message"]


def test_relay_of_dockers_api_on_2375_is_a_warning_in_every_run(proxied: Host) -> None:
    host = proxied
    host.sh(
        "systemd-run --unit=plain --socket-property=ListenStream=0.0.0.0:2375 "
        "$(ls /lib/systemd/systemd-socket-proxyd /usr/lib/systemd/systemd-socket-proxyd 2>/dev/null | head -n 1) /run/docker.sock"
    )
    for answer in (host.secure(live_restore="enable"), host.run(live_restore="enable")):
        assert not answer.error, answer.error
        assert any("serves Docker's API without TLS on 0.0.0.0:2375" in text for text in answer.result["warnings"])


def test_docker_that_is_not_enabled_is_reported(odd: Host) -> None:
    host = odd
    host.sh("systemctl disable --quiet docker.service")
    answer = host.secure()
    assert any("docker.service is not enabled" in text for text in answer.result["warnings"])
    assert answer.result["endpoint"]["starts_at_boot"] is False
    again = host.run()
    assert any("docker.service is not enabled" in text for text in again.result["warnings"])
    assert host.run(listener="systemd").result["endpoint"]["starts_at_boot"] is True
    host.sh("systemctl enable --quiet docker.service")
    assert host.run().result["endpoint"]["starts_at_boot"] is True


OPTIONS = f"-H fd:// -H unix://{ELSEWHERE} --label way=found"
MANAGER = "/etc/systemd/system.conf.d/options.conf"
# Every way of systemd by which DOCKER_OPTS can reach the command line of dockerd: files, commands, what the unit says.
WAYS = {
    "environment": ({}, "true", f'Environment="DOCKER_OPTS={OPTIONS}"'),
    "environment-file": (
        {"/srv/docker/options": f'DOCKER_OPTS="{OPTIONS}"\n'},
        "true",
        "EnvironmentFile=/srv/docker/options",
    ),
    "set-environment": ({}, f'systemctl set-environment "DOCKER_OPTS={OPTIONS}"', ""),
    "default-environment": (
        {MANAGER: f'[Manager]\nDefaultEnvironment="DOCKER_OPTS={OPTIONS}"\n'},
        "systemctl daemon-reexec",
        "",
    ),
    "pass-environment": (
        {MANAGER: f'[Manager]\nManagerEnvironment="DOCKER_OPTS={OPTIONS}"\n'},
        "systemctl daemon-reexec",
        "PassEnvironment=DOCKER_OPTS",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_options_reach_dockerd_by_every_way_of_systemd(odd: Host, way: str) -> None:
    host = odd
    if way == "pass-environment" and host.suite == "bullseye":
        pytest.skip(
            "ManagerEnvironment=, by which this test changes the environment of process 1, is newer than systemd 247"
        )
    files, prepare, line = WAYS[way]
    for path, text in files.items():
        host.put(path, text)
    host.put(DROPIN, command("$DOCKER_OPTS") + line + "\n")
    host.sh(prepare)
    try:
        start(host, ELSEWHERE)
        answer = host.secure(live_restore="enable")
        assert host.keeper_at(ELSEWHERE)
        assert "way=found" in host.sh(f"docker -H unix://{ELSEWHERE} info -f '{{{{.Labels}}}}'")
        assert any("DOCKER_OPTS" in text for text in answer.result["warnings"])
        assert not host.run(live_restore="enable").result["changed"]
        assert not host.run(state="absent").error
        host.sh(f"docker -H unix://{ELSEWHERE} ps")
    finally:
        host.sh(f"rm -f {MANAGER}; systemctl unset-environment DOCKER_OPTS; systemctl daemon-reexec")


def test_option_that_reaches_dockerd_in_an_unknown_way_is_refused_before_the_restart(odd: Host) -> None:
    host = odd
    host.put(
        "/usr/sbin/dockerd.wrapped",
        '#!/bin/sh\nexec /usr/sbin/dockerd -H unix:///srv/docker/docker.sock "$@"\n',
        "0755",
    )
    host.sh("mkdir -p /srv/docker/bin && mv /usr/sbin/dockerd.wrapped /srv/docker/bin/dockerd")
    host.put(
        DROPIN,
        "[Service]\nExecStart=\nExecStart=/srv/docker/bin/dockerd --containerd=/run/containerd/containerd.sock\n",
    )
    start(host, ELSEWHERE)
    host.sh("sleep 1; systemctl restart docker")
    before = host.files()
    answer = host.run(certificate=host.issue().pem)
    assert answer.error["code"] == "running-flags-unexplained"
    assert answer.error["hint"]
    assert host.files() == before
    host.sh(f"docker -H unix://{ELSEWHERE} ps")


def test_clients_variables_in_dockerds_environment_do_not_matter(odd: Host) -> None:
    host = odd
    variables = "DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/nowhere DOCKER_HOST=tcp://192.0.2.1:1 DOCKER_CONTEXT=x"
    host.put(DROPIN, f"[Service]\nEnvironment={variables}\n")
    start(host, "/run/docker.sock")
    answer = host.secure(live_restore="enable")
    assert all(check["passed"] for check in answer.result["verification"])
    assert not host.run(live_restore="enable").result["changed"]


def test_tcp_listener_of_another_socket_unit_is_refused(odd: Host) -> None:
    host = odd
    unit = "[Socket]\nListenStream=2377\nService=docker.service\n[Install]\nWantedBy=sockets.target\n"
    host.put("/etc/systemd/system/docker-tcp.socket", unit)
    host.sh("systemctl daemon-reload; systemctl stop docker; systemctl enable -q docker-tcp.socket")
    host.sh("systemctl start docker-tcp.socket docker; docker start keeper")
    try:
        before = host.files()
        answer = host.run(certificate=host.issue().pem, existing_settings="adopt")
        assert answer.error["code"] == "socket-listener-foreign", answer.result
        assert "docker-tcp.socket" in answer.error["message"]
        assert "docker-tcp.socket" in answer.error["hint"]
        assert host.files() == before
        host.sh("systemctl disable -q --now docker-tcp.socket; systemctl restart docker; docker start keeper")
        host.secure(live_restore="enable")
    finally:
        host.sh(
            "systemctl disable -q --now docker-tcp.socket; rm -f /etc/systemd/system/docker-tcp.socket; systemctl daemon-reload"
        )
