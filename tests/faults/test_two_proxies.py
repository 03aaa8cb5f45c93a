# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two Docker services with the listener ``proxy`` each on one host: neither is touched by a change of the other."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest
from proxy_clients import Clients
from test_proxy import able  # noqa: F401 - a fixture

from conftest import Answer, Host, certificate

PORT, DIRECTORY = 2377, "/etc/second/certs"
SECOND = """\
[Service]
ExecStart=/usr/sbin/dockerd -H unix:///run/second.sock --config-file /etc/second/daemon.json --data-root /srv/second/data \\
  --exec-root /srv/second/exec --pidfile /run/second.pid --bridge none --iptables=false --containerd /run/containerd/containerd.sock
[Install]
WantedBy=multi-user.target
"""
OPTIONS: dict[str, t.Any] = {
    "service": "second.service",
    "listen": [f"0.0.0.0:{PORT}"],
    "directory": DIRECTORY,
    "listener": "proxy",
}


@pytest.fixture
def two(able: Host) -> t.Iterator[Host]:  # noqa: F811
    """Return a host with a second dockerd, which has a socket, a data root and a daemon.json of its own."""
    able.put("/etc/systemd/system/second.service", SECOND)
    able.put("/etc/second/daemon.json", "{}\n")
    able.sh(f"mkdir -p -m 0700 {DIRECTORY}; systemctl daemon-reload; systemctl start second")
    able.sh("timeout 30 sh -c 'until docker -H unix:///run/second.sock ps; do sleep 0.3; done' >&2")
    yield able
    able.sh(
        "systemctl stop second-tls-proxy second; rm -rf /etc/second /srv/second /etc/second-tls-proxy /run/second-tls-proxy /var/lib/second-tls "
        "/etc/systemd/system/second.service /etc/systemd/system/second-tls-proxy.service "
        "/etc/systemd/system/multi-user.target.wants/second-tls-proxy.service; systemctl daemon-reload",
        check=False,
    )


def second(host: Host, *, issue: bool = False, **options: t.Any) -> Answer:
    """Run the module for the second service."""
    if issue:
        pair = certificate(host.address)
        host.put(f"{options.get('directory', DIRECTORY)}/server-key.pem.new", pair.key_pem, "0600")
        options["certificate"] = pair.pem
    return host.run(**{**OPTIONS, **options})


def engines(host: Host, path: pathlib.Path) -> dict[str, str]:
    """Return the name of the data root that answers on each port, "" for none."""
    asked = Clients(host, path).command("info", "-f", "{{.DockerRootDir}}")
    found = {}
    for port in ("2376", str(PORT)):
        command = [word.replace(":2376", f":{port}") for word in asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        found[port] = "" if done.returncode else done.stdout.strip()
    return found


def files_of(host: Host, stem: str) -> str:
    """Return the unit and the files of a service's proxy, with its state and its process."""
    return host.sh(
        f"cat /etc/{stem}-tls-proxy/* /etc/systemd/system/{stem}-tls-proxy.service /var/lib/{stem}-tls/record.json | sha256sum; "
        f"systemctl show -p MainPID,ExecMainStartTimestampMonotonic {stem}-tls-proxy"
    )


def test_two_docker_services_have_a_proxy_each(two: Host, tmp_path: pathlib.Path) -> None:
    host, path = two, tmp_path / "alice"
    host.secure(listener="proxy")
    first = files_of(host, "docker")
    done = second(host, issue=True)
    assert not done.error, done.error
    assert not done.result["restarted"]
    both = {"2376": "/var/lib/docker", str(PORT): "/srv/second/data"}
    assert engines(host, path) == both
    assert "second.socket" not in host.sh("systemctl list-units --all --no-legend --state=failed")
    assert not second(host).result["changed"]
    assert not host.run(listener="proxy").result["changed"]

    renewed = second(host, issue=True, confirm_timeout=60)
    assert renewed.result["unconfirmed"], renewed.error
    assert host.sh("systemctl is-active second-tls-revert.timer") == "active"
    assert host.run(listener="proxy").result["changed"] is False, "the first one waits for nothing"
    assert host.run(listener="proxy", certificate=host.issue().pem).reasons == ["certificate-changed"]
    assert not second(host, state="confirmed").error
    assert engines(host, path) == both

    first = files_of(host, "docker")
    assert second(host, state="rolled_back").result["changed"]
    gone = second(host, state="absent")
    assert gone.result["changed"], gone.error
    assert host.sh("ls -d /etc/second-tls-proxy /run/second-tls-proxy 2>/dev/null || true") == ""
    assert engines(host, path) == {**both, str(PORT): ""}
    assert files_of(host, "docker") == first
    assert not host.run(listener="proxy").result["changed"]


def test_killed_change_of_the_second_service_is_rolled_back_by_its_own_guard(two: Host, tmp_path: pathlib.Path) -> None:
    host = two
    host.secure(listener="proxy")
    first = files_of(host, "docker")
    pair = certificate(host.address)
    host.put(f"{DIRECTORY}/server-key.pem.new", pair.key_pem, "0600")
    assert host.run(**OPTIONS, certificate=pair.pem, hooks={"change-proxy": "die"}).killed
    host.sh("timeout 60 sh -c 'while test -e /var/lib/second-tls/journal.json; do sleep 0.3; done'")
    assert host.sh("ls /etc/systemd/system/second-tls-proxy.service 2>/dev/null || true") == ""
    assert files_of(host, "docker") == first
    assert engines(host, tmp_path / "alice") == {"2376": "/var/lib/docker", str(PORT): ""}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"directory": "/etc/docker/certs"}, "endpoint-shared", "has the certificates of the endpoint of docker.service"),
        ({"listener": "dockerd", "config_path": "/etc/docker/daemon.json"}, "endpoint-shared", "is also read by docker.service"),
        ({"listen": ["0.0.0.0:2376"]}, "port-taken", "haproxy"),
    ],
    ids=["certificates", "daemon.json", "port"],
)  # fmt: skip
def test_what_two_docker_services_would_share_is_refused(
    two: Host, tmp_path: pathlib.Path, options: dict[str, t.Any], code: str, words: str
) -> None:
    host = two
    host.secure(listener="proxy")
    first, plain = files_of(host, "docker"), host.files()
    answer = second(host, issue=True, **options)
    assert (answer.error.get("code"), words in answer.error.get("message", "")) == (code, True), answer
    assert (files_of(host, "docker"), host.files()) == (first, plain)
    assert engines(host, tmp_path / "alice") == {"2376": "/var/lib/docker", str(PORT): ""}
    host.sh("rm -f /etc/docker/certs/server-key.pem.new")
