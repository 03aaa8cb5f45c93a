# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a play costs whose certificates OpenBao signs, against the same play with the CA of the collection.

usage: issuers.py [REQUESTS] [REPETITIONS], with the Python of .venv and after tools/issuers

The play is the role docker_server_cert for REQUESTS hosts (200) that are directories of this machine. Each host makes its own key and request,
all of them are signed in one call, and each installs its certificate. The engine's own time is the processor time of its process. The goal:
with OpenBao at most 1.5 times the processor time with the CA of the collection, plus the engine's own time.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import sys
import tempfile
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(PROJECT / "tests/unit"), str(PROJECT / ".collections")]

from harness import measure

from support.ansible import playbook_runs
from support.ca import bao_server

PASSPHRASE = "an uncommon sequence of words"
PLAY = """
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_ca]
- hosts: docker_hosts
  gather_facts: false
  strategy: linear
  roles: [portcullis.docker_tls.docker_server_cert]
"""


def run(directory: pathlib.Path, hosts: int, label: str, server: dict[str, t.Any]) -> measure.Sample:
    """Return what a first run costs; every host gets its first certificate."""
    work = directory / label
    work.mkdir()
    names = [f"h{number}.example.test" for number in range(hosts)]
    lines = [
        f"{name} docker_server_cert_path={work}/{name} docker_server_cert_names='[\"{name}\"]' {playbook_runs.LOCAL}"
        for name in names
    ]
    (work / "inventory").write_text(f"localhost {playbook_runs.LOCAL}\n[docker_hosts]\n" + "\n".join(lines) + "\n")
    (work / "play.yml").write_text(PLAY)
    variables = {
        "docker_ca_path": str(work / "ca"),
        "docker_ca_passphrase": PASSPHRASE,
        "docker_server_cert_addresses": [],
        "docker_server_cert_local_names": False,
        "docker_server_cert_issuer": server,
    }
    (work / "variables.json").write_text(json.dumps(variables))
    settings = playbook_runs.environment(work / "project", work / "home", work / "tmp")
    command = [playbook_runs.PLAYBOOK, "-f", "4", "-i", "inventory", "-e", "@variables.json", "play.yml"]
    environment = {**os.environ, **settings, "PWD": str(work)}
    here = os.getcwd()
    os.chdir(work)
    try:
        return measure.run(command, log=work / "log", environment=environment, timeout=3000)
    finally:
        os.chdir(here)


def engine_time(bao: bao_server.Bao) -> float:
    """Return the processor seconds that the server has used."""
    fields = pathlib.Path(f"/proc/{bao.process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(hosts: int = 200, repetitions: int = 1) -> int:
    """Measure both in turns, and print the medians and the ratio."""
    local, external, engine = [], [], []
    with tempfile.TemporaryDirectory(prefix="issuers-") as scratch:
        directory = pathlib.Path(scratch)
        for bao in bao_server.started(directory / "bao"):
            root = bao.make_ca("pki", "Example root")
            bao.make_role("pki", "dockerd", allow_any_name=True, max_ttl="9000h")
            access = {"url": bao.url, "ca_content": bao.ca_content, "mount": "pki", "role": "dockerd"}
            issuer = {
                "issuer": "openbao",
                "ca_content": root,
                "openbao": {**access, "token": bao_server.ADMINISTRATOR},
            }
            for number in range(repetitions):
                local.append(run(directory, hosts, f"local-{number}", {}).cpu)
                before = engine_time(bao)
                external.append(run(directory, hosts, f"openbao-{number}", issuer).cpu)
                engine.append(engine_time(bao) - before)
    ours, theirs, own = (statistics.median(cells) for cells in (local, external, engine))
    print(f"{hosts} server certificates, processor time of the play (median of {repetitions})")
    print(f"  with the CA of the collection  {ours:8.1f} s")
    print(f"  with OpenBao                   {theirs:8.1f} s, {theirs / ours:.2f} times as much (goal: at most 1.5)")
    print(f"  the engine's own time          {own:8.1f} s, {1000 * own / hosts:.1f} ms a certificate")
    return 0 if theirs <= 1.5 * ours + own else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
