# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a Docker host has anything to do, and whether that is possible, in one call.

The decisions are those of ``certificate_requests`` and ``endpoint``, by the same functions. A host that the change of its
daemon would refuse is refused here, before it makes a key and before a CA signs anything for it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._docker.systemd import Systemd
from .._errors import TlsError
from .._host import network, request_names
from .._host import requests as _requests
from .._outcome import cryptography_problem, require_root
from .._time import utc_now
from . import endpoint
from .journal import StateDirectory
from .machine import Machine
from .plan import Options, options_from

INSTALLED_BY_ROLES = ("cryptography-missing", "cryptography-too-old")
_AUTHORITIES = ("ca_content", "client_ca_content")


@dataclass(frozen=True)
class HostContext:
    """The host that is inspected."""

    host: request_names.Host
    machine: t.Callable[[Options], Machine]
    state: t.Callable[[Options], StateDirectory]


def this_host() -> HostContext:
    """Return this host."""
    return HostContext(
        host=request_names.Host(
            fqdn=request_names.host_fqdn(),
            select_addresses=lambda selectors: network.select_addresses(selectors, network.local_addresses()),
            machine=request_names.machine_identity(),
        ),
        machine=lambda options: Machine(Systemd(options.service, options.socket)),
        state=lambda options: StateDirectory(options.state_directory),
    )


def run(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the inspection of this host; ``arguments``: the options of M(host_state), with defaults."""
    requests, endpoint_options = arguments["requests"], arguments["endpoint"]
    problem = cryptography_problem()
    if problem is not None and problem[1] in INSTALLED_BY_ROLES:
        return without_library(problem, endpoint_options, this_host(), utc_now())
    return inspect(requests, endpoint_options, this_host(), utc_now(), prepare=arguments["prepare"])


def without_library(
    problem: tuple[str, str], parameters: t.Mapping[str, t.Any] | None, context: HostContext, now: datetime
) -> dict[str, t.Any]:
    """Return the state that is known without ``cryptography``, which the roles install: whether the change of the daemon is refused.

    Everything but the certificates and the authorities is checked. What cannot be read without the library is in doubt.
    """
    message, code = problem
    known = None if parameters is None else {**parameters, "certificate_content": "", **dict.fromkeys(_AUTHORITIES, "")}
    try:
        _endpoint(known, context, now, pending=True)
    except TlsError as error:
        if not error.code.startswith("cryptography-"):
            return _refused(error)
    return {"current": False, "reasons": [code], "warnings": [], "msg": message}


def inspect(
    requests: t.Sequence[t.Mapping[str, t.Any]],
    parameters: t.Mapping[str, t.Any] | None,
    context: HostContext,
    now: datetime,
    *,
    prepare: bool = False,
) -> dict[str, t.Any]:
    """Return ``current``, the ``reasons`` why not, and ``warnings``; for a current host also the results that the two modules would report.

    In: the options of ``certificate_requests`` and of ``endpoint`` (None: only certificates are asked about), with
    their defaults. With ``prepare``, a host where something is due makes the keys and requests that it needs at once, and
    ``prepared`` is the result that ``certificate_requests`` would have. Never raises TlsError: the host is ``refused`` then (message,
    hint and code), and nothing was made.
    """
    reported: dict[str, t.Any] = {}
    try:
        plans = _requests.plan_requests(requests, context.host, now)
        # The CA compares what all hosts report, so a host reports it whatever else it has to do.
        reported = {"requests": _requests.ensure(plans, check_mode=True)["requests"]}
        due = [reason for plan in plans for reason in plan.decision.reasons]
        found = _endpoint(parameters, context, now, pending=bool(due))
        settled = found.current and not due
        certificates = _requests.ensure(plans, check_mode=settled or not prepare)
    except TlsError as error:
        return {**_refused(error), **reported}
    if not settled:
        reasons = list(dict.fromkeys(due or found.reasons)) or ["undecided"]
        prepared = {"prepared": certificates} if prepare else reported
        return {"current": False, "reasons": reasons, "warnings": [], **prepared}
    return {
        "current": True,
        "reasons": [],
        "warnings": [*certificates["warnings"], *(finding.text() for finding in found.warnings)],
        "requests": certificates["requests"],
        "endpoint": found.endpoint or {},
    }


def _refused(error: TlsError) -> dict[str, t.Any]:
    refused = {"msg": error.message, "hint": error.hint, "code": error.code}
    return {"current": False, "reasons": [error.code or "undecided"], "warnings": [], "refused": refused}


def _endpoint(
    parameters: t.Mapping[str, t.Any] | None, context: HostContext, now: datetime, *, pending: bool
) -> endpoint.Current:
    """Return whether the endpoint is current. ``pending``: a certificate will be signed. Raises TlsError where the change is refused."""
    if parameters is None:
        return endpoint.Current(True, (), ())
    options = options_from(parameters)
    require_root("change Docker's daemon")
    if options.state != "present":
        return endpoint.Current(False, ("asked-for",), ())
    options = replace(options, certificate_pending=options.certificate_pending or pending)
    found = endpoint.is_current(options, context.machine(options), context.state(options), now)
    return endpoint.Current(False, ("asked-for",), ()) if found.current and options.verify else found
