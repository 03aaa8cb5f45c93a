# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/adopt.yml, run by Ansible, over hosts whose Python answers what it likes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

from ansible_collections.portcullis.docker_tls import plugins

COLLECTIONS = pathlib.Path(next(iter(plugins.__path__))).parents[3]
ADOPT = pathlib.Path(__file__).resolve().parents[3] / "playbooks" / "adopt.yml"
GOOD: dict[str, t.Any] = {
    "layout": "open",
    "managed": False,
    "listeners": ["fd://", "tcp://0.0.0.0:2375"],
    "plain_listeners": ["tcp://0.0.0.0:2375"],
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


def test_adopt_with_a_host_that_answers_nonsense_shows_the_plan_of_the_others(tmp_path: pathlib.Path) -> None:
    hosts = {}
    for name, answer in ANSWERS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"changed": False, "adoption": answer}))
        (tmp_path / name).write_text(f"#!/bin/sh\ncat {tmp_path}/{name}.json\n")
        (tmp_path / name).chmod(0o755)
        hosts[name] = {"ansible_python_interpreter": str(tmp_path / name)}
    everywhere = {"ansible_connection": "local", "ansible_become": False}
    inventory = {"all": {"vars": everywhere, "children": {"docker_hosts": {"hosts": hosts}}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        "LANG": "C.UTF-8",
    }
    program = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run(
        [program, "-i", str(tmp_path / "inventory.json"), str(ADOPT)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    assert "strange: not examined: What this host has answered cannot be used: listeners is not" in output
    assert "huge: not examined: What this host has answered cannot be used: it has" in output
    assert "good: open, tcp://0.0.0.0:2375: is open; site.yml secures it" in output
    assert "{{ 6 * 7 }}" in output
    assert "\\nspoofed" not in output and "\nspoofed" not in output
    assert "Traceback" not in output and "KeyError" not in output
