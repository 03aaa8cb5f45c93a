# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An action that sends a program of ours (``program.py``) where it can, and its module where it cannot."""

from __future__ import annotations

import typing as t

from . import pipelining, program
from .module_runner import ModuleAction, Result


class ProgramAction(ModuleAction):
    """What the action plugins of the look and of the change share."""

    def can_send(self) -> bool:
        """Return whether a program can go to the task's host, with everything that the task asks for."""
        return not (pipelining.obstacle(self._connection) or any(self._task.environment or ()))

    def send(self, sent: program.Program, arguments: t.Mapping[str, t.Any], task_vars: Result) -> tuple[str, int]:
        """Return what ``sent`` has printed on the host, and its exit code."""
        run: t.Any = self._low_level_execute_command
        command = program.command(task_vars, self._templar.template)
        with pipelining.switched_on(self._connection), self.waiting(arguments.get("options") or {}, task_vars):
            answer = run(command, in_data=sent.script(arguments), sudoable=True)
        return str(answer.get("stdout", "")), int(answer.get("rc") or 0)
