# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the table of M(portcullis.docker_tls.verification_report); the callback would quote its lines."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils import _files
from ..module_utils._errors import TlsError
from ..module_utils._time import utc_now
from ..plugin_utils._output import run_output
from ..plugin_utils._plan.inventory import endpoint_url
from ..plugin_utils._remote import local


class ActionModule(ActionBase):
    """Show the checks of the fleet, write them as JSON on request, and fail if one was not passed."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the rows; nothing runs on a host."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        validate: t.Any = self.validate_argument_spec
        unused, options = validate(
            {
                "rows": {"type": "list", "elements": "dict", "required": True},
                "json_path": {"type": "str", "default": ""},
                "authorities": {"type": "dict", "default": {}},
            }
        )
        rows = options["rows"]
        run_output.show(self._display, run_output.verification_table(rows))
        verified = bool(rows) and all(row["passed"] for row in rows)
        result.update(changed=False, checks=rows, verified=verified)
        try:
            result["changed"] = self._write(
                local.absolute(options["json_path"]),
                run_output.verification_json(rows, self._about(options, task_vars or {})),
            )
        except TlsError as error:
            result.update(failed=True, msg=error.message, hint=error.hint, code=error.code)
            return result
        if not verified:
            result.update(failed=True, msg=run_output.summary(rows))
        return result

    def _about(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        hosts = dict.fromkeys(row["host"] for row in options["rows"])
        hostvars = task_vars.get("hostvars", {})
        endpoints = {host: endpoint_url(host, hostvars) for host in hosts if host in hostvars}
        return run_output.head(utc_now(), local.user(), _version(), options["authorities"], endpoints)

    def _write(self, path: str, text: str) -> bool:
        if not path or _files.read_bytes_or_none(path) == text.encode():
            return False
        if not self._task.check_mode:
            _files.write_atomic(path, text.encode(), 0o644)
        return True


def _version() -> str:
    """Return the collection's version: an installed one has it in its manifest, a checkout in galaxy.yml."""
    root = pathlib.Path(__file__).parents[2]
    manifest = root / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    found = re.search(r"^version: (\S+)$", (root / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""
