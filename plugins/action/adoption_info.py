# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ..plugin_utils._plan import adoption_answer
from ..plugin_utils._remote.answers import unusable
from ..plugin_utils._remote.module_runner import ModuleAction, Result


class ActionModule(ModuleAction):
    """Examine a host; its answer sets no variable."""

    MODULE = "portcullis.docker_tls.adoption_info"

    def run_module(self, arguments: Result, package: Any, task_vars: Result) -> Result:
        """Return the module's result; an answer that is not shaped as it should be is this host's failure."""
        outcome = super().run_module(arguments, package, task_vars)
        found = outcome.get("adoption")
        why = adoption_answer.problem(found) if found or found is None else ""
        if outcome.get("failed") or outcome.get("unreachable") or not why:
            return outcome
        return unusable(why)

    def predict(self, arguments: Result) -> Result:
        """Return a host of which nothing is known."""
        del arguments
        return {"adoption": {}}
