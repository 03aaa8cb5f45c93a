# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of a host in a play with both roles, and what Ansible makes of a template."""

from __future__ import annotations

import ast
import functools
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import yaml
from ansible.errors import AnsibleError

ROOT = pathlib.Path(__file__).resolve().parents[4]


ROLES = ("docker_server_cert", "docker_daemon")


AUTHORITIES = {
    "server": {"purpose": "server", "certificate_content": "SERVER\n", "trusted_content": "SERVER\nOLD\n"},
    "clients": {"purpose": "client", "certificate_content": "CLIENTS\n", "trusted_content": "CLIENTS\n"},
    "ops": {"purpose": "client", "certificate_content": "OPS\n", "trusted_content": "OPS\n"},
}


def role_variables() -> dict[str, t.Any]:
    """Return the defaults and internal variables of the two roles, as a play with both has them."""
    found: dict[str, t.Any] = {}
    for role in ROLES:
        for name in ("defaults", "vars"):
            path = ROOT / "roles" / role / name / "main.yml"
            found.update((yaml.safe_load(path.read_text()) if path.exists() else None) or {})
    return found


class HostVars(dict[str, dict[str, t.Any]]):
    """As much of Ansible's hostvars as is used."""

    def raw_get(self, host: str) -> dict[str, t.Any]:
        return self[host]


def facts(**found: t.Any) -> dict[str, t.Any]:
    """Return the variables of a host that has said this of itself."""
    return {"ansible_facts": found}


def variables(**changes: t.Any) -> dict[str, t.Any]:
    return {
        **role_variables(),
        "inventory_hostname": "web1",
        "groups": {"docker_hosts": ["web1"], "all": ["web1"]},
        "hostvars": HostVars({"localhost": facts(docker_ca_authorities=AUTHORITIES), "web1": {}}),
        "ansible_check_mode": False,
        "ansible_python_interpreter": sys.executable,
        **changes,
    }


def jinja(found: t.Any, known: dict[str, t.Any]) -> t.Any:
    """Return what Ansible makes of a template, in a process of its own: Ansible's finder of collections stays there."""
    process = _templating()
    plain = {**known, "hostvars": dict(known["hostvars"])}
    process.stdin.write(json.dumps([found, plain]) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    if "error" in answer:
        raise AnsibleError(answer["error"])
    return answer["value"]


@functools.cache
def _templating() -> t.Any:
    """Return the process that templates for all tests of this one; it ends with its input, that is with this process."""
    return subprocess.Popen(
        [sys.executable, "-c", TEMPLATE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "LC_ALL": "C.UTF-8"},
    )


TEMPLATE = """
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core 2.18 trusts all
    trust_as_template = str

def trusted(value):
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value

init_plugin_loader([])
for line in sys.stdin:
    found, known = json.loads(line)
    try:
        answer = json.dumps({"value": Templar(DataLoader(), trusted(known)).template(trusted(found))})
    except Exception as error:
        answer = json.dumps({"error": f"{type(error).__name__}: {error}".splitlines()[-1]})
    print(answer, flush=True)
"""


class Reported(str):
    """Text from a host, as Ansible marks it."""


def asked(program: bytes) -> dict[str, t.Any]:
    """Return the arguments in the program that a host was sent."""
    line = next(line for line in program.decode().splitlines() if line.startswith("arguments = "))
    found: dict[str, t.Any] = json.loads(
        ast.literal_eval(line.removeprefix("arguments = json.loads(").removesuffix(")"))
    )
    return found
