# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs with hosts whose Python never answers: they fail by name, and the others go on. The hosts are this machine."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest
from test_limited_runs import play
from test_refused_hosts import SUMMARY, problems

from helpers_ansible import LOCAL


def sleeper(directory: pathlib.Path) -> pathlib.Path:
    """Return a Python that answers Ansible's question what it is, and then nothing any more."""
    path = directory / "python"
    path.write_text(f"#!/bin/sh\necho $$ >> {directory}/pids\nexec sleep 1000\n")
    path.chmod(0o755)
    return path


def run(directory: pathlib.Path, *options: str, **settings: str) -> tuple[int, str, dict[str, t.Any]]:
    """Run site.yml for a host that answers and one that hangs; return how it ended, what it said, and its summary."""
    common = f"ansible_become=false docker_server_cert_path={directory}/certs"
    hung = LOCAL.replace(sys.executable, str(sleeper(directory)))
    code, output = play(
        directory,
        "site.yml",
        *options,
        more=f"[docker_hosts]\nweb1 {LOCAL} {common}\nhung {hung} {common} docker_daemon_host_timeout=2\n",
        settings={"DOCKER_TLS_SUMMARY_PATH": str(directory / SUMMARY), **settings},
    )
    return code, output, json.loads((directory / SUMMARY).read_text())


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        pytest.param((), {}, id="program"),
        pytest.param(("--check",), {}, id="check mode"),
    ],
)
def test_hanging_host_fails_by_name_and_the_others_go_on(
    tmp_path: pathlib.Path, options: tuple[str, ...], settings: dict[str, str]
) -> None:
    code, output, summary = run(tmp_path, *options, **settings)
    assert code != 0
    found = problems(summary)
    assert "within 2 seconds" in found["hung"] and "docker_daemon_host_timeout" in output
    assert "web1" in found and "within" not in found["web1"]
    assert (tmp_path / "bundles/bob/cert.pem").is_file() is not ("--check" in options)
    left = [pid for pid in (tmp_path / "pids").read_text().split() if pathlib.Path("/proc", pid).exists()]
    assert left == []
