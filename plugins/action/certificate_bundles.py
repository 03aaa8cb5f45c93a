# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..modules import certificate_bundles
from ..plugin_utils._bound import Bound
from ..plugin_utils._plan import bundles
from ..plugin_utils._remote.module_runner import ModuleAction, Result, SecretAction, rejection
from ..plugin_utils._variables import Fleet


class ActionModule(SecretAction):
    """Install client bundles; install cryptography where it is missing. A passphrase goes through a pipe, or not at all."""

    MODULE = "portcullis.docker_tls.certificate_bundles"
    MAIN = staticmethod(certificate_bundles.main)
    CARRIED = "the passphrase of client.p12"

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the bundles of this host, with what was signed for them in this run."""
        del role
        return bundles.bundles(bound, fleet)

    def execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        """Return the module's result; only where a passphrase is sent need the connection know pipelining."""
        if any(bundle.get("pkcs12_passphrase") for bundle in arguments.get("bundles", []) if isinstance(bundle, dict)):
            return super().execute(module, arguments, task_vars)
        return ModuleAction.execute(self, module, arguments, task_vars)

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result; where the CA refused some of the bundles, the others are installed and the task fails."""
        rejected = arguments.pop("rejected", None) or {}
        if not rejected:
            return super().run_module(arguments, package, task_vars)
        arguments["bundles"] = [bundle for bundle in arguments["bundles"] if bundle["id"] not in rejected]
        outcome = super().run_module(arguments, package, task_vars) if arguments["bundles"] else {}
        if outcome.get("failed"):
            return outcome
        return {**outcome, **rejection(rejected), "changed": outcome.get("changed", False)}

    def predict(self, arguments: Result) -> Result:
        """Return every bundle without its certificate."""
        return {
            "bundles": [
                {
                    "id": bundle.get("id", ""),
                    "directory": bundle.get("directory", ""),
                    "certificate": None,
                    "formats": {},
                    "reasons": ["cryptography-missing"],
                }
                for bundle in arguments.get("bundles", [])
            ]
        }
