# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts a second dockerd on a test host for each row of support/hosts/tls_switches, and reports the admitted clients. Copied there by its test.

usage: python3 switches_on_host.py < [{"name", "values", "flags", "environment"}, ...]; the answer is {name: [admits, CA's name]}.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import tls_greeting
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import probe
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import der_name

PORT, PATIENCE = 2399, 60.0
TARGET = probe.Target("127.0.0.1", PORT, "localhost", 3.0)


def admitted(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Return the admitted clients, and their CA; ``refused`` where dockerd does not start."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            return "refused", ""
        if probe.is_open(TARGET):
            if probe.ask(TARGET, None).status == 200:
                return "plain", ""
            greeting = tls_greeting.read_greeting("127.0.0.1", PORT, 3.0)
            if greeting.asks_for_certificate:
                names = [der_name.name_text(name) for name in greeting.authority_names]
                return ("clients", names[0].partition("=")[2]) if names else ("system", "")
            answer = probe.ask(TARGET, probe.client_context(probe.Client(), "", verify=False))
            return ("unverified", "") if answer.status == 200 else ("nobody", answer.detail)
        time.sleep(0.2)
    return "nobody", "nothing listened in time"


def ask_dockerd(row: dict[str, typing.Any], place: str) -> tuple[str, str]:
    """Start a dockerd of its own in ``place`` with the options of ``row``; return the admitted clients."""
    with open(f"{place}/daemon.json", "w") as stream:
        json.dump({"hosts": [f"tcp://127.0.0.1:{PORT}"], **row["values"]}, stream)
    roots = [f"--{name}={place}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    quiet = [
        "--iptables=false",
        "--bridge=none",
        "--storage-driver=vfs",
        "--containerd=/run/containerd/containerd.sock",
    ]
    process = subprocess.Popen(
        ["dockerd", f"--config-file={place}/daemon.json", *roots, *quiet, *row["flags"]],
        env={"HOME": "/nonexistent", "PATH": os.environ["PATH"], **row["environment"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return admitted(process)
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """Ask a dockerd for each row."""
    found = {}
    for row in json.load(sys.stdin):
        place = tempfile.mkdtemp(dir="/var/tmp")
        try:
            found[row["name"]] = ask_dockerd(row, place)
        finally:
            subprocess.run(f"grep -o '{place}[^ ]*' /proc/mounts | xargs -r umount -l", shell=True, check=False)
            shutil.rmtree(place, ignore_errors=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
