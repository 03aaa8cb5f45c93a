# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of site.yml: made once, when the CA and every host have answered, and read by the later plays."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet
from . import batches, inspected, issuer_settings, options, revocation


@dataclass(frozen=True)
class SitePlan:
    """The plan of a run of site.yml: its steps by host, with inventory names in the order of the inventory.

    ``change``: hosts that go through the roles; ``prepared``: whether the inspection has prepared what all of them need; ``other_issuer``: whether
    another issuer signs their certificates; ``refused``: hosts whose change is refused, which fail at the end of the run; ``serial``: the batches in
    which hosts are changed; ``revoke``: whether a revocation is due, whose plays then have the controller, the CA host and the hosts that admit the
    client's group; ``record``: the hosts of the play that records where it is complete;
    ``incomplete``: each revocation that this run cannot complete, with advice.
    """

    change: list[str] = field(default_factory=list)
    prepared: bool = False
    other_issuer: bool = True
    refused: list[str] = field(default_factory=list)
    serial: t.Any = batches.ALL_AT_ONCE
    revoke: list[str] = field(default_factory=list)
    revoke_ca: list[str] = field(default_factory=list)
    revoke_hosts: list[str] = field(default_factory=list)
    record: list[str] = field(default_factory=list)
    incomplete: list[list[str]] = field(default_factory=list)


def site(bound: Bound, fleet: Fleet) -> dict[str, t.Any]:
    """Return the plan as a dictionary, for Ansible. ``bound``: the variables of the task that plans; ``fleet``: those of all hosts."""
    groups, checking = bound.groups(), bool(bound.raw("ansible_check_mode"))
    hosts = list(groups.get("docker_hosts") or [])
    change = inspected.hosts_with_work(hosts, fleet)
    planned = SitePlan(
        change=change,
        prepared=inspected.all_prepared(change, fleet),
        other_issuer=bool(change) and issuer_settings.is_external(options.issuers(bound, fleet), "server"),
        refused=inspected.refused_hosts(hosts, fleet),
        serial=bound.get(batches.VARIABLE) or batches.daemon_serial(groups, fleet),
        revoke=revocation.revocation_hosts(groups, fleet, "controller", checking),
        revoke_ca=revocation.revocation_hosts(groups, fleet, "ca", checking),
        revoke_hosts=inspected.hosts_not_refused(revocation.revocation_hosts(groups, fleet, "hosts", checking), fleet),
        record=revocation.recording_hosts(groups, fleet, checking),
        incomplete=[list(one) for one in revocation.incomplete_revocations(groups, fleet, checking)],
    )
    return asdict(planned)
