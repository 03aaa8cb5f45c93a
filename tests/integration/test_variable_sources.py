# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of site.yml whose variables come from everywhere but the inventory: each of them counts for every host and every task."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

SITE = pathlib.Path(__file__).resolve().parents[2] / "playbooks/site.yml"
LOCAL = playbook_runs.LOCAL + " ansible_become=false"
INVENTORY = f"[docker_ca]\ncahost {LOCAL}\n[docker_hosts]\nweb1 {LOCAL} ansible_host=192.0.2.7\nweb2 {LOCAL}\n"


def variables(directory: pathlib.Path) -> dict[str, t.Any]:
    """Return what a user gives to a run: nothing of it is left at its default."""
    return {
        "docker_ca_path": str(directory / "ca"),
        "docker_ca_passphrase": PASSPHRASE_TEXT,
        "docker_client_cert_path": str(directory / "bundles"),
        "docker_client_cert_clients": [{"name": "alice"}, {"name": "bob"}],
        "docker_server_cert_path": "{{ zone }}/{{ inventory_hostname }}",
        "docker_daemon_listen": ["0.0.0.0:2377"],
        "zone": str(directory),
    }


def run(directory: pathlib.Path, plays: list[dict[str, t.Any]], *options: str) -> tuple[int, str]:
    """Run a playbook of a user; return how it ended and what it said."""
    (directory / "inventory").write_text(INVENTORY)
    (directory / "deploy.yml").write_text(json.dumps(plays))
    environment = playbook_runs.environment(directory, directory / "home", directory / "tmp")
    command = [playbook_runs.PLAYBOOK, "-i", str(directory / "inventory"), str(directory / "deploy.yml"), *options]
    done = playbook_runs.run(command, {**environment, "ANSIBLE_NOCOLOR": "1"}, directory)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def imported(directory: pathlib.Path) -> tuple[list[dict[str, t.Any]], list[str]]:
    return [{"import_playbook": str(SITE), "vars": variables(directory)}], []


def included(directory: pathlib.Path) -> tuple[list[dict[str, t.Any]], list[str]]:
    (directory / "more.yml").write_text(yaml.safe_dump(variables(directory)))
    include = {"ansible.builtin.include_vars": str(directory / "more.yml")}
    everywhere = {"hosts": "all:localhost", "gather_facts": False, "tasks": [include]}
    return [everywhere, {"import_playbook": str(SITE)}], []


def extra(directory: pathlib.Path) -> tuple[list[dict[str, t.Any]], list[str]]:
    return [{"import_playbook": str(SITE)}], ["-e", json.dumps(variables(directory))]


@pytest.mark.parametrize("way", [imported, included, extra], ids=lambda way: way.__name__)
def test_variables_count_wherever_they_were_given(
    tmp_path: pathlib.Path, way: t.Callable[[pathlib.Path], tuple[list[dict[str, t.Any]], list[str]]]
) -> None:
    plays, options = way(tmp_path)
    code, output = run(tmp_path, plays, *options)
    # There is no Docker here, and nothing else stops the run.
    assert code != 0
    assert "docker_ca_passphrase is missing" not in output
    assert (tmp_path / "bundles/bob/cert.pem").exists(), output
    for client in ("alice", "bob"):
        assert "DOCKER_HOST=tcp://192.0.2.7:2377" in (tmp_path / f"bundles/{client}/env.sh").read_text()
    again = run(tmp_path, plays, *options)[1]
    issued = [json.loads(line) for line in (tmp_path / "ca/ledger.jsonl").read_text().splitlines()]
    assert sorted(one["requester"] for one in issued if one["event"] == "issued") == ["localhost", "localhost"], again
