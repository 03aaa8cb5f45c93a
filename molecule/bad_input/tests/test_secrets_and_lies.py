# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When box is secured: what a run shows of its secrets, and what a host gains that lies."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

from fleet import ledger, servers_in_ledger
from playbook import fingerprint_of_host, play
from testinfra_helpers import address_of, client_bundle, docker
from thief import request

testinfra_hosts = ["ansible://box"]
PASSPHRASE = "correct horse battery staple"


class Arguments(threading.Thread):
    """Look again and again at the arguments of every process of this machine, those of the hosts among them, for a secret."""

    def __init__(self, *secrets: bytes) -> None:
        super().__init__(daemon=True)
        self._secrets = secrets
        self._ended = threading.Event()
        self.found: set[bytes] = set()
        self.seen: set[str] = set()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    data = path.read_bytes()
                    self.seen.add(path.parent.name)
                    self.found |= {data for secret in self._secrets if secret in data}

    def __enter__(self) -> Arguments:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self.join()


# Modules that Ansible leaves on the host (ANSIBLE_KEEP_REMOTE_FILES) are packed; this unpacks each, with its arguments.
UNPACK = "for file in $(find /root/.ansible /tmp -name 'AnsiballZ_*.py' 2>/dev/null); do python3 $file explode >/dev/null; done"
SECRETS = f"grep -rlsE '{PASSPHRASE}|BEGIN.* PRIVATE KEY-----.{{9}}' /root/.ansible /tmp /var/log"


def test_no_secret_in_the_most_verbose_output_nor_in_arguments_logs_and_temporary_files(
    host: Any, tmp_path: Any
) -> None:
    started = host.check_output("date +%s")
    kept = {
        "ANSIBLE_DEBUG": "1",
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
        "TMPDIR": str(tmp_path),
    }
    with Arguments(PASSPHRASE.encode(), b"PRIVATE KEY") as arguments:
        run = play(
            "--limit",
            "localhost,box",
            "-vvvvv",
            "--diff",
            environment=kept,
            docker_server_cert_force_renewal=True,
            docker_client_cert_force_renewal=True,
        )
    assert run.returncode == 0, run.output[-3000:]
    assert PASSPHRASE not in run.output
    assert "PRIVATE KEY" not in run.output
    assert len(arguments.seen) > 20
    assert arguments.found == set()
    host.run(UNPACK)
    assert host.run(SECRETS).stdout == ""
    assert host.run(f"journalctl --since @{started} | grep -E '{PASSPHRASE}|PRIVATE KEY'").stdout == ""
    held = [path for path in tmp_path.rglob("*") if path.is_file() and PASSPHRASE.encode() in path.read_bytes()]
    assert held == []


LIAR = """#!/bin/sh
# A host that answers what it likes, whatever Ansible has it run.
cat >/dev/null
cat /root/answer
"""


def test_host_that_lies_gets_no_certificate_of_another_and_no_say(host: Any, tmp_path: Any) -> None:
    """It asks for box's name, and says variables of ours as facts."""
    nodocker = host.get_host("ansible://nodocker", ansible_inventory=host.backend.ansible_inventory)
    directory = tmp_path / "thief"
    directory.mkdir()
    request(directory, "box")
    entry = {"id": "server", "profile": "server", "action": "issue", "reasons": ["key-missing"], "names": ["box"]}
    entry = {**entry, "common_name": "box", "request_content": (directory / "request.pem").read_text()}
    answer = {
        "current": False,
        "reasons": ["key-missing"],
        "prepared": {"requests": [entry], "plan": ["x"], "warnings": []},
        "ansible_facts": {"docker_daemon_access_groups": ["everybody"], "docker_ca_path": "/nowhere"},
    }
    for path, text in (
        ("/root/answer", "\n" + json.dumps({"docker_tls_answer": answer}) + "\n"),
        ("/root/python", LIAR),
    ):
        nodocker.run_expect([0], f"cat > {path} <<'END'\n{text}\nEND\nchmod 755 {path}")
    inventory = tmp_path / "liar.yml"
    inventory.write_text("docker_hosts: {hosts: {nodocker: {ansible_python_interpreter: /root/python}}}\n")
    before = fingerprint_of_host(host), servers_in_ledger()
    run = play("-i", str(inventory), "--limit", "localhost,box,nodocker")
    assert run.returncode != 0, run.output
    assert (fingerprint_of_host(host), servers_in_ledger()) == before
    assert not [line for line in ledger() if "nodocker" in str(line.get("requester")) and "box" in line["names"]]
    assert docker(address_of(host), client_bundle(), "version").succeeded
