# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listener ``proxy`` after an upgrade: of the collection, which writes other words into its unit, and of the distribution."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t
import uuid

import pytest
from proxy_clients import Clients, Prober
from proxy_lab import Lab

from conftest import Host

UNIT = "/etc/systemd/system/docker-tls-proxy.service"
CONFIG = "/etc/docker-tls-proxy/haproxy.cfg"
#: The HAProxy of Debian 12 with its libraries, and how another release can start it under the name that dpkg then gives to its own.
PACK = (
    "mkdir /former; cp -L $(ldd /usr/sbin/haproxy | grep -o '/[^ ]*') /usr/sbin/haproxy /former; tar -C /former -cf - ."
)
FORMER = """#!/bin/sh
exec /opt/former/ld-linux* --library-path /opt/former --argv0 /usr/sbin/haproxy /opt/former/haproxy "$@"
"""


@pytest.fixture
def upgraded(host: Host) -> t.Iterator[Host]:
    """Return a host whose proxy was set up with the HAProxy of Debian 12 and runs it, and whose package is its own by now."""
    if Lab(host).version < (2, 9):
        pytest.skip("its HAProxy is not newer than that of Debian 12")
    pack = ["docker", "run", "--rm", "--name", f"{host.name}-former", "docker-tls-host:bookworm", "sh", "-c", PACK]
    packed = subprocess.run(pack, check=True, capture_output=True).stdout
    host.sh("mkdir -p /opt/former && tar -C /opt/former -xf -; mv /usr/sbin/haproxy /usr/sbin/haproxy.own", packed)
    host.put("/usr/sbin/haproxy", FORMER, "0755")
    try:
        host.secure(listener="proxy")
        yield host
    finally:
        host.sh("test ! -e /usr/sbin/haproxy.own || mv /usr/sbin/haproxy.own /usr/sbin/haproxy; rm -rf /opt/former")


@pytest.mark.parametrize("restarted", [True, False], ids=["after a boot", "still running"])
def test_distribution_that_is_upgraded_keeps_its_proxy(upgraded: Host, tmp_path: pathlib.Path, restarted: bool) -> None:
    """From Debian 12: the configuration is for HAProxy 2.6 until the next run, and the running master may be of it, too."""
    host, clients = upgraded, Clients(upgraded, tmp_path / "alice")
    assert "client-hs" not in host.sh(f"cat {CONFIG}")
    assert_carries_everything(clients)
    host.sh("mv /usr/sbin/haproxy.own /usr/sbin/haproxy")
    host.sh(f"haproxy -c -f {CONFIG}")
    if restarted:
        host.sh("systemctl restart docker-tls-proxy")
    assert_carries_everything(clients)
    with Prober(clients) as prober:
        prober.wait_for(10)
        done = host.run(listener="proxy")
        prober.wait_for(prober.answered + 10)
    assert done.reasons == ["proxy-config-changed"], done
    assert prober.failures == []
    assert "client-hs" in host.sh(f"cat {CONFIG}")
    assert_carries_everything(clients)
    assert not host.run(listener="proxy").result["changed"]


def assert_carries_everything(clients: Clients) -> None:
    assert "Server" in clients.docker("version").stdout
    assert clients.docker("exec", "-i", "keeper", "cat", data="half-close\n").stdout == "half-close\n"
    assert clients.docker("run", "--rm", "-i", "local/busybox", "/bin/cat", data="xyz").stdout == "xyz"
    buildkit = ("Upgrade: h2c", "Connection: Upgrade", f"X-Docker-Expose-Session-Uuid: {uuid.uuid4()}")
    assert "101" in clients.first_line("POST /session HTTP/1.1", *buildkit)
    assert clients.status(certificate=False) == "000"


def test_unit_of_which_only_a_comment_differs_interrupts_no_connection(host: Host, tmp_path: pathlib.Path) -> None:
    if host.suite == "bullseye":
        pytest.skip("its HAProxy is too old for the listener proxy")
    host.secure(listener="proxy")
    host.sh(f"sed -i 's/^# Certificate and key.*/# older words/' {UNIT}; systemctl daemon-reload")
    master = host.sh("systemctl show -p MainPID --value docker-tls-proxy")
    with Prober(Clients(host, tmp_path / "alice")) as prober:
        prober.wait_for(10)
        done = host.run(listener="proxy")
        prober.wait_for(prober.answered + 10)
    assert done.reasons == ["proxy-unit-changed"], done
    assert prober.failures == []
    assert host.sh("systemctl show -p MainPID --value docker-tls-proxy") == master
    assert "older words" not in host.sh(f"cat {UNIT}")
    assert host.sh("systemctl show -p NeedDaemonReload --value docker-tls-proxy") == "no"
    assert not host.run(listener="proxy").result["changed"]
