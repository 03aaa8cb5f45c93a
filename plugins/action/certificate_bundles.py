# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..plugin_utils._plan import bundles
from ..plugin_utils._remote import local
from ..plugin_utils._remote.failures import rejection
from ..plugin_utils._remote.module_runner import ModuleAction, Result, given_rejections
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet


class ActionModule(ModuleAction):
    """Install client bundles; install cryptography where it is missing. A passphrase goes through a pipe, or not at all."""

    MODULE = "portcullis.docker_tls.certificate_bundles"
    MAIN = staticmethod(local.main_of("certificate_bundles"))
    #: Bundles of this host that an earlier task has installed: a role's result names all of them.
    _beside: t.Sequence[t.Mapping[str, t.Any]] = ()

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the bundles of this host, with their certificates of this run."""
        del role
        become = bool(self._task.become)
        self._beside = bundles.installed_before(bound, become)
        for warning in bundles.unusable_endpoints(bound.groups().get("docker_hosts") or [], fleet):
            self._display.warning(warning)
        return bundles.bundles(bound, fleet, become)

    def secret(self, arguments: Result) -> str:
        """Return the secret; only where a passphrase is sent need the connection know pipelining."""
        wanted = arguments.get("bundles", [])
        given = any(bundle.get("pkcs12_passphrase") for bundle in wanted if isinstance(bundle, dict))
        return "the passphrase of client.p12" if given else ""

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result, with the bundles of an earlier task for the same host."""
        result = self._installed(arguments, package, task_vars)
        if result.get("unrecorded") and not result.get("failed"):
            failure = bundles.unrecorded(str(task_vars["inventory_hostname"]), result["unrecorded"])
            result = {**result, **failure, "changed": result.get("changed", False)}
        return {**result, "bundles": [*self._beside, *(result.get("bundles") or [])]} if self._beside else result

    def _installed(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result; where the CA refused some of the bundles, the others are installed and the task fails."""
        rejected = given_rejections(arguments)
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
