# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of site.yml: the hosts of each play, and their batches."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass, field

from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet, as_written, is_computed, variable
from . import inspected, issuer_settings, options, revocation

Mapping = t.Mapping[str, t.Any]

VARIABLE = "docker_daemon_serial"
ALL_AT_ONCE = "100%"
_BATCH = re.compile(r"[1-9][0-9]*|[1-9][0-9]?%|100%")


def daemon_serial(groups: t.Mapping[str, t.Sequence[str]], hostvars: Mapping) -> t.Any:
    """Return the inventory's ``docker_daemon_serial``, all hosts at once where it is not set.

    Ansible computes ``serial`` before there is any host, from extra variables alone; a value beside the hosts would have no
    effect, without a message. The first Docker host decides for all, because Ansible asks in every run and four times:
    ``serial_problems`` has seen that they agree.
    """
    first = next((host for host in groups.get("docker_hosts") or [] if host in hostvars), None)
    serial = variable(hostvars, first, VARIABLE, as_written(hostvars, first)) if first is not None else None
    return serial or ALL_AT_ONCE


def serial_problems(values: Mapping) -> list[str]:
    """Return the problems of ``docker_daemon_serial``: ``values`` has its value for each Docker host, None where it has none."""
    for host, serial in values.items():
        if not is_computed(serial):
            return [
                f"{host}: {VARIABLE} is made of a variable that is not defined. Define it, or write the number itself."
            ]
        batches = serial if isinstance(serial, list) and serial else [serial]
        if serial is not None and not all(_is_batch(batch) for batch in batches):
            return [
                f"{host}: {VARIABLE} is {serial!r}. Write how many hosts are changed at a time: a number, a percentage such as 25%, "
                'or a list of them such as [1, 25%]; with -e as JSON: -e \'{"docker_daemon_serial": [1, "25%"]}\'.'
            ]
    if not values:
        return []
    (first, order), *others = values.items()
    return [
        f"{VARIABLE} is {_shown(order)} for {first} and {_shown(serial)} for {host}, but a run has one order for all hosts: set it for the "
        "whole group docker_hosts, or with -e."
        for host, serial in others
        if serial != order
    ][:1]


def _is_batch(value: t.Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, str)) and bool(_BATCH.fullmatch(str(value)))


def _shown(serial: t.Any) -> str:
    return "not set" if serial is None else repr(serial)


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
    serial: t.Any = ALL_AT_ONCE
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
        serial=bound.get(VARIABLE) or daemon_serial(groups, fleet),
        revoke=revocation.revocation_hosts(groups, fleet, "controller", checking),
        revoke_ca=revocation.revocation_hosts(groups, fleet, "ca", checking),
        revoke_hosts=inspected.hosts_not_refused(revocation.revocation_hosts(groups, fleet, "hosts", checking), fleet),
        record=revocation.recording_hosts(groups, fleet, checking),
        incomplete=[list(one) for one in revocation.incomplete_revocations(groups, fleet, checking)],
    )
    return asdict(planned)
