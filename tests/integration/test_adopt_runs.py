# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/adopt.yml, run by Ansible, over hosts whose Python answers what it likes."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import sys
import typing as t

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT
from support.ca.foreign import docker_machine

ADOPT = pathlib.Path(__file__).resolve().parents[2] / "playbooks" / "adopt.yml"
GOOD: dict[str, t.Any] = {
    "layout": "open",
    "managed": False,
    "listeners": ["fd://", "tcp://0.0.0.0:2375"],
    "plain_listeners": ["tcp://0.0.0.0:2375"],
    "tls": False,
    "names": [],
    "searched": [],
    "paths": {},
    "where": {},
    "authorities": [],
    "certificates": [],
    "findings": [{"severity": "info", "code": "x", "path": "/p\nspoofed: x", "message": "{{ 6 * 7 }}", "repair": "R"}],
}
ANSWERS: dict[str, t.Any] = {
    "good": GOOD,
    "strange": {**GOOD, "listeners": 5},
    "huge": {**GOOD, "findings": [{**GOOD["findings"][0], "message": "m" * 3900}] * 1200},
}


def program(path: pathlib.Path, text: str) -> dict[str, t.Any]:
    """Return the variables of a host whose Python is this shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"ansible_python_interpreter": str(path)}


def adopt(
    directory: pathlib.Path,
    hosts: t.Mapping[str, t.Any],
    others: t.Mapping[str, t.Any] | None = None,
    **variables: t.Any,
) -> subprocess.CompletedProcess[str]:
    """Run the playbook over ``hosts``, all of them this machine; ``others`` are hosts of the inventory too."""
    everywhere = {"ansible_connection": "local", "ansible_become": False}
    inventory = {
        "all": {"hosts": dict(others or {}), "vars": everywhere, "children": {"docker_hosts": {"hosts": hosts}}}
    }
    (directory / "inventory.json").write_text(json.dumps(inventory))
    settings = {
        **playbook_runs.environment(directory, directory / "home", directory / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
    }
    given = ["-e", json.dumps({"docker_ca_passphrase": PASSPHRASE_TEXT, **variables})]
    command = [playbook_runs.PLAYBOOK, "-i", str(directory / "inventory.json"), str(ADOPT), *given]
    return playbook_runs.run(command, settings, directory)


def test_adopt_with_a_host_that_answers_nonsense_shows_the_plan_of_the_others(tmp_path: pathlib.Path) -> None:
    hosts = {}
    for name, answer in ANSWERS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"changed": False, "adoption": answer}))
        hosts[name] = program(tmp_path / name, f"cat {tmp_path}/{name}.json")
    done = adopt(tmp_path, hosts)
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    assert "strange: not inspected: The answer of this host cannot be used: adoption.listeners is" in output
    assert "huge: not inspected: The answer of this host cannot be used: adoption.findings is a list of 1200" in output
    assert "good: open, tcp://0.0.0.0:2375: is open; portcullis.docker_tls.site secures it" in output
    assert "{{ 6 * 7 }}" in output
    assert "\\nspoofed" not in output and "\nspoofed" not in output
    assert "Traceback" not in output and "KeyError" not in output


def test_key_that_is_read_from_a_host_brings_no_hosts_and_no_variables_with_it(tmp_path: pathlib.Path) -> None:
    """The Python of ``evil`` adds to whatever it is asked what Ansible would make a host and facts of the CA host of."""
    owned, elsewhere = tmp_path / "owned", tmp_path / "elsewhere"
    puppet = {"ansible_connection": "local", **program(tmp_path / "touch", f"touch {owned}")}
    doors = {
        "add_host": {"host_name": "puppet", "groups": ["docker_hosts"], "host_vars": puppet},
        "ansible_facts": {"docker_ca_path": str(elsewhere)},
    }
    answers: list[dict[str, t.Any]] = [{"adoption": GOOD}]
    for name in ("ca.pem", "ca-key.pem"):
        (tmp_path / name).write_text(docker_machine().text(name))
        answers.append({"content": base64.b64encode((tmp_path / name).read_bytes()).decode(), **doors})
    for number, answer in enumerate(answers):
        (tmp_path / f"{number}.json").write_text(json.dumps({"changed": False, **answer}))
    count = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count"
    evil = program(tmp_path / "evil", f"cd {tmp_path}; {count}; cat $n.json")
    authority = {"host": "evil", "certificate_path": str(tmp_path / "ca.pem"), "key_path": str(tmp_path / "ca-key.pem")}
    ca = {"docker_adopt_execute": True, "docker_adopt_authorities": [authority]}
    path = {"localhost": {"docker_ca_path": str(tmp_path / "ca"), "ansible_python_interpreter": sys.executable}}
    done = adopt(tmp_path, {"evil": evil}, path, **ca)
    output = done.stdout + done.stderr
    assert not owned.exists(), output
    assert not elsewhere.exists() and (tmp_path / "ca/authorities/server-g1").is_dir(), output
    assert "PRIVATE KEY" not in output and base64.b64encode(b"-----BEGIN RSA PRIVATE").decode()[:20] not in output
