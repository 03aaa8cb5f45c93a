# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts on which parts of Docker were left behind: refused with what is there, and nothing is written."""

from __future__ import annotations

import pytest

from conftest import Host

INIT_SCRIPT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides: docker
# Required-Start: $syslog $remote_fs
# Required-Stop: $syslog $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: left behind
### END INIT INFO
"""
INIT_SCRIPT_FOUND = "init script"
# From release 260 on, systemd makes no unit of an init script: then it is as if there were none.
INIT_SCRIPT_UNREAD = "docker.service"
SYSV_GENERATOR = "/lib/systemd/system-generators/systemd-sysv-generator"
UNITS = "/usr/lib/systemd/system/docker.service /lib/systemd/system/docker.service"
HIDE_UNIT = f"for u in {UNITS}; do test -e $u && mv $u /root/docker.service; done; true"
HIDE_PROGRAM = "mv /usr/sbin/dockerd /usr/sbin/dockerd.real"
LEFT = {
    "init-script": (f"{HIDE_UNIT}; {HIDE_PROGRAM}", "docker-missing", INIT_SCRIPT_FOUND),
    "init-script-and-dockerd": (HIDE_UNIT, "unit-missing", INIT_SCRIPT_FOUND),
    "unit-without-its-program": (HIDE_PROGRAM, "docker-missing", "/usr/sbin/dockerd, which is not on this host"),
    "masked-without-its-program": (f"{HIDE_PROGRAM}; systemctl mask docker", "docker-missing", "masked"),
    "masked": ("systemctl mask docker", "unit-masked", "masked"),
    "only-the-socket": (f"{HIDE_UNIT}; {HIDE_PROGRAM}; rm -f /etc/init.d/docker", "docker-missing", "no Docker"),
}


@pytest.mark.parametrize(("before", "code", "found"), LEFT.values(), ids=LEFT)
def test_what_is_left_of_docker_is_told(host: Host, before: str, code: str, found: str) -> None:
    host.sh("cp -p /etc/init.d/docker /root/init.d 2>/dev/null; systemctl stop docker", check=False)
    if found == INIT_SCRIPT_FOUND:
        found = found if host.sh(f"ls {SYSV_GENERATOR}", check=False) else INIT_SCRIPT_UNREAD
        host.put("/etc/init.d/docker", INIT_SCRIPT, "0755")
    host.sh(f"{before}; systemctl daemon-reload")
    try:
        pair = host.issue()
        planned, answer = host.run(check_mode=True, certificate_pending=True), host.run(certificate=pair.pem)
        written = host.sh("ls -d /etc/docker/daemon.json /var/lib/docker-tls 2>/dev/null", check=False)
    finally:
        host.sh(
            "systemctl unmask docker; test -e /usr/sbin/dockerd || mv /usr/sbin/dockerd.real /usr/sbin/dockerd;"
            "test -e /root/docker.service && mv /root/docker.service /lib/systemd/system/docker.service;"
            "rm -f /etc/init.d/docker; test -e /root/init.d && mv /root/init.d /etc/init.d/docker; systemctl daemon-reload"
        )
    assert answer.error.get("code") == code, answer
    assert planned.error == answer.error
    assert found in answer.error["message"]
    assert answer.error["hint"]
    assert written == ""
