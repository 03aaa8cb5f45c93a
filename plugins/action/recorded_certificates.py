# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ..plugin_utils._remote.module_runner import ModuleAction, Result, controller_user


class ActionModule(ModuleAction):
    """Record certificates; the operator is the controller's user."""

    MODULE = "portcullis.docker_tls.recorded_certificates"

    def run_module(self, arguments: Result, package: Any, task_vars: Result) -> Result:
        """Return the module's result; the operator is filled in for the ledger."""
        if not arguments.get("operator"):
            arguments["operator"] = controller_user()
        return super().run_module(arguments, package, task_vars)
