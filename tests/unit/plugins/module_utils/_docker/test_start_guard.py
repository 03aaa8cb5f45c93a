# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start guard of the listener ``systemd``, run as systemd would, with a systemctl that records its calls."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import command_line, our_units
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import parse_assignments

ANCHORS = "/etc/docker/certs/current/client-ca.pem"
OURS = f'"tlsverify": true, "tlscacert": "{ANCHORS}"'
UNIT = "docker-tls.socket"
# What systemctl says; a stop that fails leaves the socket open.
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> "$0.calls"
case $1 in
    stop) exit ${STOP_STATUS:-0} ;;
    show) echo "${ACTIVE_STATE-inactive}" ;;
esac
"""


class Outcome(t.NamedTuple):
    starts: bool
    closed: bool
    log: str


@pytest.fixture
def start(tmp_path: Path) -> t.Callable[..., Outcome]:
    """Return a function that runs the guard on a daemon.json (None: no file)."""
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(SYSTEMCTL)
    systemctl.chmod(0o755)

    def run(config: str | bytes | None, anchors: str = ANCHORS, **environment: str) -> Outcome:
        path = tmp_path / "da $emon 100%.json"
        if config is not None:
            path.write_bytes(config if isinstance(config, bytes) else config.encode())
        line = our_units.exec_start_pre(str(path), anchors, UNIT)
        (item,) = parse_assignments(f"[Service]\n{line}\n")
        argv = [
            command_line.expand_braced(command_line.expand_specifiers(word.value), {})
            for word in command_line.split_command(item.value)
        ]
        values = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LANG": "C.UTF-8", **environment}
        done = subprocess.run(argv, env=values, capture_output=True, text=True, check=False)
        calls = tmp_path / "systemctl.calls"
        return Outcome(done.returncode == 0, calls.exists() and f"stop {UNIT}\n" in calls.read_text(), done.stderr)

    return run


OPEN = {
    "ours": f"{{{OURS}}}",
    "compact": f'{{"tlsverify":true,"tlscacert":"{ANCHORS}"}}',
    "over lines": f'{{\n "tlsverify"\n:\n true\n,"tlscacert"  :\t"{ANCHORS}"\n}}\n',
    "with others": f'{{"log-opts": {{"tag": "{{{{.Name}}}}"}}, "labels": ["\\"tlsverify\\": false"], {OURS}}}',
    "objects behind": f'{{{OURS}, "features": {{"buildkit": true}}}}',
    "umlaut of a Jinja filter": f'{{"labels": ["\\u00fc"], {OURS}}}',
}
CLOSED = {
    "no file": None,
    "empty": "",
    "no settings": "{}",
    "rendered by another tool": '{\n    "log-driver": "json-file",\n    "live-restore": true\n}\n',
    "not JSON": "{",
    "no tlsverify": f'{{"tls": true, "tlscacert": "{ANCHORS}"}}',
    "no tlscacert": '{"tlsverify": true}',
    "empty tlscacert": '{"tlsverify": true, "tlscacert": ""}',
    "other tlscacert": '{"tlsverify": true, "tlscacert": "/etc/docker/certs/currentXclient-ca.pem"}',
    "longer tlscacert": f'{{"tlsverify": true, "tlscacert": "{ANCHORS}.old"}}',
    "tlsverify off": f'{{"tlsverify": false, "tlscacert": "{ANCHORS}"}}',
    "tlsverify is a text": f'{{"tlsverify": "true", "tlscacert": "{ANCHORS}"}}',
    "tlsverify twice": f'{{"tlsverify": true, "tlsverify":\nfalse, "tlscacert": "{ANCHORS}"}}',
    "tlscacert twice": f'{{{OURS}, "tlscacert": "/etc/ssl/certs/ca-certificates.crt"}}',
    "key in another spelling": f'{{{OURS}, "tlsverif\\u0079": false}}',
    "in an object": f'{{"features": {{{OURS}}}}}',
    "half in an object": f'{{"tlscacert": "{ANCHORS}", "features": {{"x": true, "tlsverify": true}}}}',
    "commented out by its name": f'{{"_tlsverify": true, "tlscacert": "{ANCHORS}"}}',
    "in a value": json.dumps({"labels": [f"{{{OURS}}}"]}),
}


@pytest.mark.parametrize("name", OPEN)
def test_start_guard_leaves_the_port_open_with_our_settings(start: t.Callable[..., Outcome], name: str) -> None:
    assert start(OPEN[name]) == Outcome(starts=True, closed=False, log="")


@pytest.mark.parametrize("name", CLOSED)
def test_start_guard_closes_the_port_and_lets_docker_start_without_them(
    start: t.Callable[..., Outcome], name: str
) -> None:
    """The journal says what is wrong and which command restores the endpoint."""
    done = start(CLOSED[name])
    assert (done.starts, done.closed) == (True, True)
    assert "da $emon 100%.json does not have the TLS settings of this host's endpoint" in done.log
    assert "ansible-playbook portcullis.docker_tls.site" in done.log
    assert done.log.startswith("<3>"), "systemd logs it as an error"
    assert "local socket only" not in done.log, "dockerd may fail for another reason"


@pytest.mark.parametrize(("name", "said"), [("hosts", True), ("no settings", False), ("ours", False)])
def test_start_guard_says_that_dockerd_does_not_start_with_hosts_beside_its_flag(
    start: t.Callable[..., Outcome], name: str, said: bool
) -> None:
    done = start({"hosts": '{"hosts": ["unix:///var/run/docker.sock"]}', **CLOSED, **OPEN}[name])
    assert ("has hosts, and the unit says with -H where dockerd listens" in done.log) == said
    assert all(line.startswith("<3>") for line in done.log.splitlines())


@pytest.mark.parametrize("state", ["active", "activating", "deactivating", "", "Failed to connect to bus"])
@pytest.mark.parametrize("status", ["0", "1"])
def test_start_guard_refuses_to_start_docker_when_the_port_is_not_known_to_be_closed(
    start: t.Callable[..., Outcome], state: str, status: str
) -> None:
    done = start("{}", ACTIVE_STATE=state, STOP_STATUS=status)
    assert not done.starts
    assert "could not be closed" in done.log
    assert f"systemctl stop {UNIT}" in done.log


def test_start_guard_lets_docker_start_where_the_socket_unit_is_gone(start: t.Callable[..., Outcome]) -> None:
    """systemctl stop fails for a unit that is not loaded, and nothing is open then."""
    assert start("{}", STOP_STATUS="5").starts


def test_start_guard_without_systemctl_refuses_to_start_docker(start: t.Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\nexit 127\n")
    assert not start("{}").starts


def test_start_guard_finds_its_programs_where_the_unit_has_another_path(start: t.Callable[..., Outcome]) -> None:
    assert start(OPEN["ours"], PATH="/opt/app/bin") == Outcome(starts=True, closed=False, log="")


@pytest.mark.parametrize("anchors", ['/srv/a+b (c)/[d]{e}^$f|g\\h"i*j?.pem', "/srv/zertifikate-ü/client-ca.pem"])
def test_start_guard_matches_an_awkward_path_literally(start: t.Callable[..., Outcome], anchors: str) -> None:
    text = json.dumps({"tlsverify": True, "tlscacert": anchors}, ensure_ascii=False)
    assert not start(text, anchors).closed
    assert start(text.replace(".pem", "Xpem"), anchors).closed


def test_start_guard_reads_a_file_that_is_not_utf_8(start: t.Callable[..., Outcome]) -> None:
    assert start(f'{{{OURS}, "labels": ["'.encode() + b'\xff"], "tlsverify": false}').closed


VERIFIED = f'"tlsverify": true, "tlscacert": "{ANCHORS}"'
TCP = '"hosts": ["fd://", "tcp://0.0.0.0:2376"]'


@pytest.mark.parametrize(
    ("config", "starts"),
    [
        (f"{{{TCP}, {VERIFIED}}}", True),
        (f'{{{TCP}, "tlsverify": true, "tlscacert": "/etc/other/ca.pem"}}', True),
        ('{"hosts": ["fd://", "unix:///run/x.sock"]}', True),
        ('{"log-opts": {"syslog-address": "tcp://10.0.0.9:514"}, "hosts": ["fd://"]}', True),
        ("{}", True),
        (None, True),
        (f"{{{TCP}}}", False),
        ('{"hosts": ["tcp://[::]:2375"]}', False),
        ('{"hosts" :\n["unix:///run/x.sock" , "0.0.0.0:2375"]}', False),
        ('{"hosts": ["fd://", "unix:///a", ":2375"]}', False),
        (f'{{{TCP}, "tls": true}}', False),
        (f'{{{TCP}, "tlsverify": false, "tlscacert": "{ANCHORS}"}}', False),
        (f'{{{TCP}, "tlsverify": true}}', False),
        (f'{{{TCP}, "tlsverify": true, "tlscacert": ""}}', False),
        (f'{{{TCP}, {VERIFIED}, "tlsverify": false}}', False),
    ],
)
def test_port_that_daemon_json_opens_without_client_checks_is_refused(
    tmp_path: Path, config: str | None, starts: bool
) -> None:
    """The packaged unit would not start with hosts at all; another tool's own verified endpoint is its own."""
    path = tmp_path / "daemon.json"
    if config is not None:
        path.write_text(config)
    (item,) = parse_assignments(f"[Service]\n{our_units.refuse_open_port(str(path))}\n")
    argv = [
        command_line.expand_braced(command_line.expand_specifiers(word.value), {})
        for word in command_line.split_command(item.value)
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is starts
    assert starts or "does not verify clients (tlsverify, tlscacert), so dockerd is not started" in done.stderr
