# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dockerd's own reason is found among the lines of a journal, and whole. The texts are those of real journals."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import findings

TWICE = (
    "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives are specified both as a flag "
    "and in the configuration file: hosts: (from flag: [fd://], from file: [fd:// tcp://0.0.0.0:2376]), log-driver: (from flag: "
    "journald, from file: json-file)"
)
IN_USE = "failed to load listeners: listen tcp 0.0.0.0:2376: bind: address already in use"
STAMP = 'time="2026-11-30T08:13:46.934717512Z" level='
AFTER = """\
docker.service: Main process exited, code=exited, status=1/FAILURE
docker.service: Failed with result 'exit-code'.
Failed to start docker.service - Docker Application Container Engine.
docker.service: Scheduled restart job, restart counter is at 1.
Stopped docker.service - Docker Application Container Engine.
docker.service: Start request repeated too quickly.
docker.service: Failed with result 'exit-code'.
Failed to start docker.service - Docker Application Container Engine.
docker.service: Consumed 1.042s CPU time.
"""
BEFORE = f"""\
{STAMP}info msg="Daemon shutdown complete"
Stopping docker.service - Docker Application Container Engine...
docker.service: Deactivated successfully.
Stopped Docker Application Container Engine.
Starting docker.service - Docker Application Container Engine...
{STAMP}info msg="Starting up"
"""
LOGS = {
    "flag and file": (f"{BEFORE}{TWICE}\n{AFTER}", TWICE),
    "repeated": (f"{BEFORE}{TWICE}\n{AFTER}{BEFORE}{IN_USE}\n{AFTER}", IN_USE),
    "unknown flag, on two lines": (
        f"{BEFORE}Status: unknown flag: --foo\nSee 'dockerd --help'., Code: 125\n{AFTER}",
        "Status: unknown flag: --foo See 'dockerd --help'., Code: 125",
    ),
    "clients that left": (f"{BEFORE}{TWICE}\n{AFTER}http: TLS handshake error from 127.0.0.1:41182: EOF\n", TWICE),
    "only structured": (
        f'{BEFORE}{STAMP}error msg="first"\n{STAMP}fatal msg="cannot open \\"/x\\"" error="no such file"\n{AFTER}',
        'cannot open "/x": no such file',
    ),
    "error without quotes": (f"{BEFORE}{STAMP}error msg=broken\n{AFTER}", "broken"),
    "crash": (f"{BEFORE}panic: no such thing\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:1 +0x1\n{AFTER}", "panic"),
    "systemd alone": (BEFORE + AFTER, ""),
    "our socket, systemd 247": (
        f"{BEFORE}{TWICE}\n{AFTER}Closed TLS endpoint of Docker.\nListening on TLS endpoint of Docker.\n",
        TWICE,
    ),
    "our socket, systemd 252": (
        f"{BEFORE}{TWICE}\n{AFTER}docker-tls.socket: Deactivated successfully.\nListening on docker-tls.socket - TLS endpoint of Docker.\n",
        TWICE,
    ),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("log", "expected"), LOGS.values(), ids=LOGS.keys())
def test_reason_is_what_dockerd_itself_says(log: str, expected: str) -> None:
    found = findings.reason(log)
    if expected == "panic":
        assert found.startswith("panic: no such thing")
    else:
        assert found == expected


def test_telling_lines_leaves_out_what_always_comes() -> None:
    lines = findings.telling_lines(f"{BEFORE}{IN_USE}\n{AFTER}")
    assert IN_USE in lines
    assert not [line for line in lines if "level=info" in line or line.startswith("Starting")]
    assert findings.telling_lines(f"{STAMP}info msg=one") == [f"{STAMP}info msg=one"]
