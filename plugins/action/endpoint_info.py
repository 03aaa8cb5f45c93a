# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ..module_utils._endpoint.probe import NO_ANSWER
from ..module_utils._time import utc_now
from ..modules import endpoint_info
from ..plugin_utils._client_files import session
from ..plugin_utils._plan import verification
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet

GOOD = "good-client"


class ActionModule(ModuleAction):
    """Send the good client's key through a pipe, never through a file."""

    MODULE = "portcullis.docker_tls.endpoint_info"
    MAIN = staticmethod(endpoint_info.main)
    CARRIED = "the client's key"

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return how the endpoint of this host is verified, None where it is not."""
        del role
        return verification.endpoint(bound, fleet)

    def run_module(self, arguments: Result, package: Any, task_vars: Result) -> Result:
        """Return the module's result. Where another issuer signs for the clients, it contains the client that was used, or that there was none."""
        given, issuer = arguments.pop(verification.GIVEN, None), arguments.pop(verification.USED, "")
        used = f"made by the issuer {issuer} for this verification" if issuer else ""
        if given is not None:
            certificate, key, used = session.read(given["client"], given["group"], given["anchors"], utc_now())
            arguments.update(certificate_content=certificate, key_content=key)
        sources = arguments.pop(verification.SOURCES, None)
        result = super().run_module(arguments, package, task_vars)
        if sources and any(str(one["detail"]).endswith(NO_ANSWER) for one in result.get("checks") or ()):
            result = {**result, "msg": f"{result.get('msg', '')} {_filtered(sources)}".strip()}
        if issuer and not arguments.get("certificate_content") and not result.get("failed"):
            return {**result, "warnings": [*(result.get("warnings") or ()), _without_client(issuer)]}
        return _with_client(result, used) if used else result


def _filtered(sources: list[Any]) -> str:
    return f"docker_daemon_allowed_sources is set on this host ({', '.join(map(str, sources))}): is this machine in it?"


def _without_client(issuer: str) -> str:
    return (
        f"verification-without-client: the issuer {issuer} has made no client certificate for this verification, so whether a good client "
        f"is answered was not checked. Give one with {session.VARIABLE}."
    )


def _with_client(result: Result, used: str) -> Result:
    checks = [
        {**one, "detail": f"{one['detail']} (client: {used})"} if one["check"] == GOOD else one
        for one in result.get("checks") or ()
    ]
    return {**result, "checks": checks} if checks else result
