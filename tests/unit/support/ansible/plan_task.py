# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module plan, run for a task of the controller."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.portcullis.docker_tls.plugins.action import plan
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ansible.role_variables import HostVars
from support.contracts import records
from support.hosts import fleet

GROUPS = {"all": ["web1", "web2", "db1", "desk"], "docker_hosts": ["web1", "web2", "db1"], "docker_clients": ["desk"]}


def hostvars(pending: t.Sequence[t.Any] = (), **hosts: dict[str, t.Any]) -> HostVars:
    checked = {"authorities": {"server": {}}, "revocations": list(pending)}
    checks = {"__docker_ca_checked": checked, "__docker_tls_inventory": {"changed": False}}
    known = {"localhost": {**checks, "docker_ca_passphrase": "correct horse battery"}}
    return HostVars({**{host: {} for host in GROUPS["all"]}, **known, **hosts})


def rotation_of_a_ca() -> dict[str, t.Any]:
    """Return the variables of a task that plans the rotation of a CA with one client authority and no hosts."""
    generation = {
        "id": "clients-g1",
        "stage": "issuing",
        "certificate_content": fleet.clients_authority().pem,
        "not_before": "2026-10-01T00:00:00Z",
    }
    return {
        "ansible_play_hosts": ["localhost"],
        "__docker_tls_authorities": {"authorities": {"clients": {"generations": [generation]}}},
        "__docker_tls_ledger": {"entries": []},
        "groups": {"docker_ca": ["ca1"]},
    }


class Shown:
    """As much of Ansible's display as is used."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def display(self, line: str, color: str | None = None) -> None:
        del color
        self.lines.append(line)


def make(
    part: str,
    known: HostVars,
    settings: dict[str, t.Any] | None = None,
    template: t.Callable[[t.Any], t.Any] = lambda value: value,
    **task: t.Any,
) -> dict[str, t.Any]:
    """Return the result of the module for a task of the controller, with the lines that were ``shown``."""
    arguments = {"part": part, **({} if settings is None else {"settings": settings})}
    variables = {
        **known["localhost"],
        "groups": GROUPS,
        "hostvars": known,
        "inventory_hostname": "localhost",
        "ansible_check_mode": False,
        **task,
    }
    given = types.SimpleNamespace(args=arguments, check_mode=False, async_val=0, action="x", delegate_to=None)
    connection = types.SimpleNamespace(transport="local", _shell=types.SimpleNamespace(tmpdir="/tmp"))
    create: t.Any = plan.ActionModule
    action = create(given, connection, None, None, types.SimpleNamespace(template=template), None)
    action._display = shown = Shown()
    try:
        result = action.run_module(arguments, "", variables)
    except TlsError as error:
        result = {"failed": True, "changed": False, "msg": error.message, "hint": error.hint, "code": error.code}
    return {**records.returned("plan", result), "shown": shown.lines, "warned": shown.warnings}
