# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..plugin_utils._remote import external_issuers

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Ask issuers from this process, whatever host the task is for."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> Result:
        """Return the module's result."""
        super().run(tmp, task_vars)
        check, diff = bool(self._task.check_mode), bool(getattr(self._task, "diff", False))
        return external_issuers.issue(self._task.args, check_mode=check, diff=diff)
