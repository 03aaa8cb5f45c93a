# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the table of M(portcullis.docker_tls.fleet_status) as it is, and writes its page: Jinja2 is certain to be here only."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils._errors import TlsError
from ..module_utils._fleet.render import prometheus
from ..plugin_utils._fleet_page import page
from ..plugin_utils._output import run_output
from ..plugin_utils._remote import local

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Run the module, then show its table."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: Result | None = None) -> Result:
        """Return the module's result; the page's file counts like those of the module."""
        result: Result = super().run(tmp, task_vars)
        self._make_absolute()
        path = str(self._task.args.get("html_path") or "")
        try:
            if path:
                self._check_place(path)
            local.keep_account(self, task_vars or {})
            result.update(self._execute_module(task_vars=task_vars))
            run_output.show(self._display, result.get("table") or [])
            return self._with_page(result, path) if path and not result.get("failed") else result
        except TlsError as error:
            return {**result, "failed": True, "msg": str(error), "hint": error.hint, "code": error.code}

    def _make_absolute(self) -> None:
        """Let relative paths begin where the user is: a module here runs in the directory of the playbook, which is the installed collection."""
        if self._connection.transport == "local":
            given = {
                name: str(self._task.args.get(name) or "") for name in ("json_path", "prometheus_path", "html_path")
            }
            self._task.args.update({name: local.absolute(path) for name, path in given.items() if path})

    def _check_place(self, path: str) -> None:
        """Raise TlsError where the page could not be written, before anything else is."""
        if self._connection.transport != "local":
            raise TlsError(
                f"html_path is {path}, and this task runs on another host: the page is made on the controller",
                hint="Add delegate_to: localhost to the task.",
                code="html-not-here",
            )
        prometheus.check_directory(path)

    def _with_page(self, result: Result, path: str) -> Result:
        content = page.render(result["report"], str(self._task.args.get("title") or page.TITLE))
        mode = prometheus.parse_mode(str(self._task.args.get("file_mode") or prometheus.MODE))
        wanted = [prometheus.Output(path, content, shown=False)]
        changed, diff = prometheus.write(wanted, mode, check_mode=bool(self._task.check_mode))
        return {**result, "changed": result["changed"] or changed, "diff": [*result["diff"], *diff]}
