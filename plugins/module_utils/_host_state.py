# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a Docker host has anything to do, in one look. PRIVATE: may change without notice.

The decisions are those of ``certificate_requests`` and ``daemon_endpoint``, by the same functions. What cannot be decided
is not current: the modules themselves then say what is wrong, and how to go on.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from datetime import datetime

from . import _request_names, _requests
from ._daemon import endpoint
from ._daemon.journal import StateDirectory
from ._daemon.machine import Machine
from ._daemon.options import Options, options_from
from ._daemon.systemd import Systemd
from ._errors import TlsError
from ._host import addresses, identity
from ._time import utc_now


@dataclass(frozen=True)
class Surroundings:
    """The host that is looked at."""

    host: _request_names.Host
    machine: t.Callable[[Options], Machine]
    state: StateDirectory


def real_surroundings() -> Surroundings:
    """Return this host."""
    return Surroundings(
        host=_request_names.Host(
            fqdn=_request_names.host_fqdn(),
            select_addresses=lambda selectors: addresses.select_addresses(selectors, addresses.local_addresses()),
            machine=identity.machine_identity(),
        ),
        machine=lambda options: Machine(Systemd(options.service, options.socket)),
        state=StateDirectory(),
    )


def called(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the look at this host; ``arguments``: the options of M(host_state), with defaults."""
    requests, endpoint_options = arguments["requests"], arguments["endpoint"]
    return look(requests, endpoint_options, real_surroundings(), utc_now(), prepare=arguments["prepare"])


def look(
    requests: t.Sequence[t.Mapping[str, t.Any]],
    parameters: t.Mapping[str, t.Any] | None,
    around: Surroundings,
    now: datetime,
    *,
    prepare: bool = False,
) -> dict[str, t.Any]:
    """Return ``current``, the ``reasons`` why not, and ``warnings``; for a current host also what the two modules would report.

    In: the options of ``certificate_requests`` and of ``daemon_endpoint`` (None: only certificates are asked about), with
    their defaults. With ``prepare``, a host where a certificate is due makes its key and its request at once, and ``prepared``
    is what ``certificate_requests`` would have said. Never raises TlsError: its code becomes a reason.
    """
    reasons: list[str] = []
    warnings: list[str] = []
    certificates: dict[str, t.Any] = {}
    prepared: dict[str, t.Any] = {}
    shown: t.Mapping[str, t.Any] | None = None
    try:
        plans = _requests.plan_requests(requests, around.host, now)
        reasons += [reason for plan in plans for reason in plan.decision.reasons]
        certificates = _requests.ensure(plans, check_mode=not prepare)
        warnings += certificates["warnings"]
        # The CA compares what all hosts report, so a host says it whatever else it has to do.
        prepared = {"prepared": certificates} if prepare and reasons else {"requests": certificates["requests"]}
        if parameters is not None and not reasons:
            found = _endpoint(options_from(parameters), around, now)
            reasons += found.reasons or (() if found.current else ("undecided",))
            warnings += [finding.text() for finding in found.warnings]
            shown = found.endpoint
    except TlsError as error:
        reasons.append(error.code or "undecided")
    if reasons:
        return {"current": False, "reasons": list(dict.fromkeys(reasons)), "warnings": [], **prepared}
    return {
        "current": True,
        "reasons": [],
        "warnings": warnings,
        "requests": certificates["requests"],
        "endpoint": shown or {},
    }


def _endpoint(options: Options, around: Surroundings, now: datetime) -> endpoint.Current:
    if os.geteuid() != 0:
        raise TlsError(
            "only root can look at Docker's daemon", hint="Set become: true for this task or play.", code="not-root"
        )
    if options.state != "present" or options.prove:
        return endpoint.Current(False, ("asked-for",), ())
    return endpoint.is_current(options, around.machine(options), around.state, now)
