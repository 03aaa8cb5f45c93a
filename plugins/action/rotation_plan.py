# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the text of M(portcullis.docker_tls.rotation_plan) as it is; a callback would quote its lines."""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ..plugin_utils._remote import controller

_COLOUR = "COLOR_WARN"


class ActionModule(ActionBase):
    """Run the module, then show the plan."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        controller.keep_account(self, task_vars or {})
        result.update(self._execute_module(task_vars=task_vars))
        for line in result.get("table") or []:
            warns = "NOT KNOWN:" in line or "IN THE WAY" in line
            self._display.display(line, color=getattr(C, _COLOUR) if warns else None)
        return result
