# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..plugin_utils._plan import bundles, host_reports, inspected, options
from ..plugin_utils._remote import local
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet


class ActionModule(ModuleAction):
    """Decide which certificates are due; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.certificate_requests"
    MAIN = staticmethod(local.main_of("certificate_requests"))

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the requests of this host: of its server certificate, or of its client bundles."""
        del fleet
        package = bound[f"{role}_cryptography_package"]
        if role == bundles.ROLE:
            return {"requests": bundles.requests(bound, bool(self._task.become)), "cryptography_package": package}
        if not bound.get("__docker_server_cert_wanted", True) or _is_prepared(bound):
            return None
        request = options.server_request(bound, options.authorities(bound, role))
        return {"requests": host_reports.with_fact_names([request], bound.written()), "cryptography_package": package}

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result with the controller's own values beside it."""
        arguments["requests"] = host_reports.with_fact_names(arguments.get("requests"), task_vars)
        return self._with_asked(super().run_module(arguments, package, task_vars), arguments)

    @staticmethod
    def _with_asked(result: Result, arguments: Result) -> Result:
        """Return the answer with the controller's own values, which replace those that the host has put there."""
        answer = {name: value for name, value in result.items() if name != "asked"}
        found = host_reports.asked(arguments["requests"]) if isinstance(result.get("requests"), list) else {}
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


def _is_prepared(bound: Bound) -> bool:
    """Return whether the inspection of this host has prepared what it needs, in a play that follows the inspection and so has this variable."""
    return bound.raw("__docker_server_cert_prepared") is not None and bool(inspected.prepared(bound.written()))


def _foretold_names(request: Result) -> list[str]:
    """Return the names that a certificate gets whatever its host reports."""
    found = host_reports.asked([request]).get(str(request.get("id")))
    return list(dict.fromkeys(found["names"] if found else request.get("names") or []))
