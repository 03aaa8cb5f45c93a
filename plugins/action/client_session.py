# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t
from datetime import datetime

from ..module_utils._argument_specs import CA_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._bundles.bundle_files import check_docker_host, environment_variables
from ..module_utils._time import utc_now
from ..plugin_utils._client_files import session
from ..plugin_utils._remote.failures import require_cryptography
from ..plugin_utils._remote.module_runner import Result
from . import temporary_client

_OPTIONS: dict[str, t.Any] = {
    **CRYPTOGRAPHY_OPTION,
    **CA_OPTIONS,
    "path": {"type": "path"},
    "passphrase": {"type": "str", "no_log": True, "default": ""},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str"},
    "group": {"type": "str", "default": "clients"},
    "validity": {"type": "str", "default": "1h"},
    "requester": {"type": "str", "default": ""},
    "docker_host": {"type": "str", "default": ""},
    "location": {"type": "path"},
    "session": {"type": "path"},
}


class ActionModule(temporary_client.ActionModule):
    """Make a temporary client and put it into files of this controller, or remove them."""

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the session. Raises TlsError, also where this Python has no usable cryptography."""
        validate: t.Any = self.validate_argument_spec
        required = [("state", "present", ["path", "name"])]
        unused, options = validate(_OPTIONS, required_if=required)
        require_cryptography()
        if options["state"] == "absent":
            return self._end(options["session"] or "")
        return self._begin(options, package, task_vars)

    def _begin(self, options: Result, package: t.Any, task_vars: Result) -> Result:
        if options["docker_host"]:
            check_docker_host(options["docker_host"])
        location, in_memory = session.choose_location(options["location"] or "")
        made = self._make_client(temporary_client.completed(options), package, task_vars)
        if made.get("failed") or "key_content" not in made:
            return made
        directory = "" if self._task.check_mode else self._write(location, made)
        warnings = list(made.get("warnings", []))
        if not in_memory:
            warnings.append(
                f"The session's key is in {location}, which is on a disk. Set location to a directory on a tmpfs."
            )
        return {
            **{name: made[name] for name in ("deprecations", "ansible_facts") if name in made},
            "changed": made["changed"],
            "reasons": made["reasons"],
            "warnings": warnings,
            "session": directory,
            "certificate": made["certificate"],
            **_for_consumers(directory, options["docker_host"]),
        }

    def _write(self, location: str, made: Result) -> str:
        contents = (made["ca_content"], made["certificate_content"], made["key_content"])
        directory = session.create(location, dict(zip(session.FILES, contents)))
        end = datetime.fromisoformat(made["certificate"]["not_after"].replace("Z", "+00:00"))
        session.watch(directory, os.getppid(), (end - utc_now()).total_seconds())
        return directory

    def _end(self, directory: str) -> Result:
        there = session.remove(directory, predict=bool(self._task.check_mode))
        return {"changed": there, "reasons": ["session-ended"] if there else [], "session": ""}


def _for_consumers(directory: str, docker_host: str) -> Result:
    """Return what community.docker's modules and the docker CLI are given; empty paths in check mode."""
    ca, certificate, key = (os.path.join(directory, name) if directory else "" for name in session.FILES)
    host = {"docker_host": docker_host} if docker_host else {}
    return {
        "ca_path": ca,
        "client_cert": certificate,
        "client_key": key,
        "module_defaults": {
            **host,
            "ca_path": ca,
            "client_cert": certificate,
            "client_key": key,
            "validate_certs": True,
        },
        "environment": environment_variables(docker_host, directory),
    }
