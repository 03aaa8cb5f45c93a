# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._module import plan_diff
from ..modules import certificate_requests
from ..plugin_utils._plan import bundles, fact_names, options, reported_names
from ..plugin_utils._remote.answer_schema import Misshapen
from ..plugin_utils._remote.answers import PREPARED
from ..plugin_utils._remote.failures import failure
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import INSPECTED, Fleet


class ActionModule(ModuleAction):
    """Decide which certificates are due; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.certificate_requests"
    MAIN = staticmethod(certificate_requests.main)

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the requests of this host: of its server certificate, or of its client bundles."""
        del fleet
        package = bound[options.ROLES[role].cryptography_package]
        if role == bundles.ROLE:
            return {"requests": bundles.requests(bound, bool(self._task.become)), "cryptography_package": package}
        if not bound.get("__docker_server_cert_wanted", True):
            return None
        prepared = _prepared(bound)
        if prepared and not bound.raw("ansible_check_mode"):
            return {"prepared": prepared}
        request = options.server_request(bound, options.authorities(bound, role))
        return {"requests": fact_names.with_fact_names([request], bound.written()), "cryptography_package": package}

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the result that the inspection of this host has prepared, otherwise the module's result."""
        prepared = arguments.pop("prepared", None)
        if prepared and not self._task.check_mode:
            return self._of_inspection(prepared)
        arguments["requests"] = fact_names.with_fact_names(arguments.get("requests"), task_vars)
        return self._with_asked(super().run_module(arguments, package, task_vars), arguments)

    def _of_inspection(self, prepared: t.Any) -> Result:
        """Return the module's result, which M(host_state) has returned as ``prepared``."""
        try:
            found = PREPARED.clean(prepared, "prepared")
        except Misshapen as problem:
            return failure(
                f"The option prepared is not what host_state returns: {problem}",
                "Give it prepared of that module's result, or leave it out.",
                "option-invalid",
            )
        plan, warnings = found["plan"], found["warnings"]
        answer = {"changed": bool(plan), "plan": plan, "requests": found["requests"], "diff": plan_diff(plan)}
        result = self._admitted({**answer, **({"warnings": warnings} if warnings else {})})
        return {**result, **({"asked": found["asked"]} if found.get("asked") else {})}

    @staticmethod
    def _with_asked(result: Result, arguments: Result) -> Result:
        """Return the answer with the controller's own values, which replace those that the host has put there."""
        answer = {name: value for name, value in result.items() if name != "asked"}
        found = reported_names.asked(arguments["requests"]) if isinstance(result.get("requests"), list) else {}
        return {**answer, "asked": found} if found else answer

    def foretell(self, outcome: Result, arguments: Result) -> Result:
        """Return every identity as due, a server's with the names that its host reports."""
        found = self.predict(arguments)
        foretold = {str(entry["id"]): entry for entry in outcome.get("foretold") or ()}
        for entry in found["requests"]:
            more = foretold.get(str(entry["id"]))
            if more is not None:
                entry["names"] = list(dict.fromkeys([*entry["names"], *more["names"]]))
                entry["machine"] = more["machine"]
        return found

    def predict(self, arguments: Result) -> Result:
        """Return every identity as due: without the library nothing that is there can be read."""
        return {
            "requests": [
                {
                    "id": request.get("id", ""),
                    "profile": request.get("profile", ""),
                    "action": "issue",
                    "reasons": ["cryptography-missing"],
                    "request_content": "",
                    "common_name": request.get("common_name") or "",
                    "names": _foretold_names(request),
                    "key_type": request.get("key_type", "ecdsa-p256"),
                    "certificate": None,
                    "authority_fingerprint_sha256": "",
                    "external_issuer": bool(request.get("external_issuer")),
                }
                for request in arguments.get("requests", [])
            ]
        }


def _prepared(bound: Bound) -> t.Any:
    """Return the preparation by the inspection of this host, in a play of site.yml that begins with it.

    Read as it was registered: Ansible would walk through the whole answer to fill in templates that are not there.
    """
    inspected = bound.raw(INSPECTED) if bound.get("__docker_server_cert_prepared") else None
    return inspected.get("prepared") if isinstance(inspected, t.Mapping) else None


def _foretold_names(request: Result) -> list[str]:
    """Return the names that a certificate gets whatever its host reports."""
    found = reported_names.asked([request]).get(str(request.get("id")))
    return list(dict.fromkeys(found["names"] if found else request.get("names") or []))
