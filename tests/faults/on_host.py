# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the core of ``endpoint`` on a test host, with faults at named steps. Copied there by conftest.py.

usage: python3 on_host.py < {"options": {...}, "check_mode": false, "hooks": {"STEP": "COMMAND"}, "die_at": 0}

A step is an effect: ``rename .daemon.json.docker-tls-new``, ``daemon-reload``, ``restart``, ``restarted``, ... A hook runs
before the first effect whose name begins with STEP; the command ``die`` is kill -9 of this process. ``die_at`` dies at that
number. The answer is {"result": ...} or {"error": {message, hint, code}}, and {"steps": [...]}.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.systemd import Systemd
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import endpoint
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.atomic_swap import orderly_end
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.machine import Machine
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import Options, parse_time
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now

STEPS: list[str] = []
ORDER = json.load(sys.stdin)
HOOKS = dict(ORDER.get("hooks", {}))


def step(name: str) -> None:
    """Count an effect, and do what is ordered for it."""
    STEPS.append(name)
    if len(STEPS) == ORDER.get("die_at", 0):
        os.kill(os.getpid(), signal.SIGKILL)
    for start in [start for start in HOOKS if name.startswith(start)]:
        command = HOOKS.pop(start)
        if command == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        subprocess.run(["/bin/sh", "-c", command], check=True, stdout=sys.stderr)


def counted(owner: object, name: str, label: str = "", *, after: str = "") -> None:
    """Make a call of ``owner.name`` an effect."""
    real = getattr(owner, name)

    def effect(*arguments: object, **options: object) -> object:
        word = label or f"{name} {os.path.basename(str(arguments[0]))}"
        if name != "open" or int(str(arguments[1])) & os.O_CREAT:
            step(word)
        result = real(*arguments, **options)
        if after:
            step(after)
        return result

    setattr(owner, name, effect)


def main() -> None:
    """Run what standard input orders."""
    given = {key: tuple(v) if isinstance(v, list) else v for key, v in ORDER["options"].items()}
    options = Options(**{**given, "controller_now": parse_time(given.get("controller_now", ""))})
    machine = Machine(Systemd(options.service, options.socket))
    for name in ("rename", "unlink", "mkdir", "link", "symlink", "open"):
        counted(os, name)
    for name, label, after in (
        ("daemon_reload", "daemon-reload", ""),
        ("close_endpoint_socket", "close-socket", ""),
        ("restart", "restart", "restarted"),
        ("hang_up", "hang-up", ""),
        ("change_proxy", "change-proxy", "proxy-changed"),
        ("arm_guard", "arm-guard", ""),
        ("arm_timer", "arm-timer", ""),
    ):
        counted(machine, name, label, after=after)
    answer: dict[str, object] = {}
    try:
        with orderly_end():
            check_mode = bool(ORDER.get("check_mode"))
            options.checked()
            answer["result"] = endpoint.run(
                options, machine, StateDirectory(options.state_directory), utc_now(), check_mode=check_mode
            )
    except TlsError as error:
        answer["error"] = {"message": error.message, "hint": error.hint, "code": error.code}
    answer["steps"] = STEPS
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
