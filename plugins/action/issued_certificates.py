# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils._outcome import cryptography_problem
from ..modules import issued_certificates
from ..plugin_utils import _in_process

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Ask issuers from this process: their credentials never leave the controller but for the issuer."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> Result:
        """Return the module's result."""
        super().run(tmp, task_vars)
        problem = cryptography_problem()
        if problem is not None:
            hint = "Install cryptography for the Python that runs Ansible."
            return {"failed": True, "msg": f"on the controller, {problem[0]}", "hint": hint, "code": problem[1]}
        check, diff = bool(self._task.check_mode), bool(getattr(self._task, "diff", False))
        done = _in_process.execute(issued_certificates.main, self._task.args, check_mode=check, diff=diff)
        if done is None:
            return {
                "failed": True,
                "msg": "the options hold a value that is not plain data",
                "hint": "Give texts, numbers, lists and dictionaries.",
                "code": "option-invalid",
            }
        return done
