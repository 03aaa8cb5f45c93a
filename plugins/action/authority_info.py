# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..modules import authority_info
from ..plugin_utils import _access
from ..plugin_utils._action import ModuleAction, Result


class ActionModule(ModuleAction):
    """Read the authorities; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.authority_info"
    MAIN = staticmethod(authority_info.main)
    FACTS = ("docker_ca_authorities", "docker_ca_ledger")

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result with the hosts that each certificate opens."""
        outcome = super().run_module(arguments, package, task_vars)
        return _access.with_hosts(outcome, task_vars.get("groups", {}), task_vars.get("hostvars", {}))

    def predict(self, arguments: Result) -> Result:
        """Return the result of a host without a CA."""
        nothing: Result = {"compared": False, "revoked": [], "unlisted": [], "revocations_deferred": []}
        return {**nothing, "authorities": {}, "ansible_facts": {"docker_ca_authorities": {}}}
