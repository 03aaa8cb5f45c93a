# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rotation of an authority: one phase after the other, so that every client keeps its access.

C(rotate_ca.yml) reads the certificate files of all hosts and bundles, the authorities and the ledger, and this plan asks every endpoint what
it serves. These results decide which phase is next, so the same command continues an interrupted rotation:

1. C(trust): the CA makes the next generation, and hosts and bundles accept it beside the present one.
2. C(reissue): the next generation signs, and certificates are issued again.
3. C(retire): the CA retires the former generation, and hosts and bundles drop it.

After each phase everything is read and planned again, which is the verification: a phase is complete where nothing is left to do for it.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from ...module_utils import _time
from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet
from . import (
    access_lists,
    inventory,
    locations,
    revocation,
    site,
    status,
)

Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

#: Where C(rotation/inspect.yml) registers the state of the CA.
AUTHORITIES, LEDGER = "__docker_tls_authorities", "__docker_tls_ledger"
#: The state that the CA has in each phase.
STATES = {"trust": "accepted", "reissue": "issuing", "retire": "retired"}
#: All authorities in one run.
ALL = "all"
_LOST = {"state": "unreachable", "problem": "it failed or was left out in this run"}
_TIMEOUT, _CONNECTIONS = 5, 64


@dataclass(frozen=True)
class RotationPlays:
    """The plays of a phase: ``phase`` is the one that is due, ``done`` where none is.

    ``rotate_*``: the hosts of its plays, none unless the plan is carried out; ``serial``: the batches in which hosts are changed;
    ``ca_changes``: the generations that the CA makes, lets sign or retires; ``obstacles``: why the phase must not begin;
    ``stopped``: the phase comes after the one with which this run is to stop.
    """

    phase: str
    rotate: list[str] = field(default_factory=list)
    rotate_ca: list[str] = field(default_factory=list)
    rotate_bundles: list[str] = field(default_factory=list)
    rotate_machines: list[str] = field(default_factory=list)
    rotate_hosts: list[str] = field(default_factory=list)
    rotate_inspect: list[str] = field(default_factory=list)
    serial: t.Any = site.ALL_AT_ONCE
    ca_changes: list[dict[str, t.Any]] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    stopped: bool = False


def rotation(bound: Bound, fleet: Fleet, settings: Mapping) -> dict[str, t.Any]:
    """Return where a rotation is and its next phase: the plan of ``_rotation/phases.py``, RotationPlays, and ``lines``, the same as text.

    In: the variables of a task that runs after everything was read; ``settings``: ``authority`` (a name, or V(all)), ``again_after``, ``execute``,
    ``stop_after``, the last phase of this run, and ``forced``, phases whose obstacles were accepted.
    Raises TlsError for an unknown authority and an invalid time.
    """
    read = places(bound.raw("ansible_play_hosts") or (), bound.groups(), fleet)
    authorities = (bound.raw(AUTHORITIES) or {}).get("authorities") or {}
    held = (bound.raw(LEDGER) or {}).get("entries") or []
    plan, plans, lines = decide(read, authorities, held, revoked_names(bound.groups(), fleet), settings)
    stopped = settings["execute"] and plan["stopped"]
    serial = bound.get(site.VARIABLE) or site.daemon_serial(bound.groups(), fleet)
    plays = RotationPlays(
        phase=plan["phase"],
        serial=serial,
        ca_changes=changes(plan, plans),
        obstacles=obstacles(plan, settings["forced"]),
        stopped=stopped,
        **(hosts(plan, bound.groups()) if settings["execute"] and not stopped else {}),
    )
    return {**plan, **asdict(plays), "lines": lines}


def places(active: t.Collection[str], groups: Groups, fleet: Mapping) -> dict[str, t.Any]:
    """Return the Docker hosts and client bundles of the inventory with the state of each, as M(fleet_status) takes them.

    ``active``: the hosts that are still in the play. What earlier plays have read of the others does not count: they failed, were not
    reached, or are excluded by --limit.
    """
    everybody = [*(groups.get("docker_hosts") or []), *(groups.get("docker_clients") or []), locations.CONTROLLER]
    found = status.fleet(list(dict.fromkeys(everybody)), groups, fleet, {}, {})
    for one in found["hosts"]:
        if one["name"] not in active or one["stored"] is None:
            one["stored"] = _LOST
    known = {(one["host"], one["id"]) for one in found["clients"]}
    clients = [{**one, "stored": one["stored"] if one["host"] in active else _LOST} for one in found["clients"]]
    clients += [one for one in _unread(groups, fleet) if (one["host"], one["id"]) not in known]
    return {"hosts": found["hosts"], "clients": clients}


def _unread(groups: Groups, fleet: Mapping) -> t.Iterator[dict[str, t.Any]]:
    """Yield the bundles of client machines of which nothing was read."""
    machines = groups.get("docker_clients") or []
    for host in machines:
        clients = status.defined_clients(fleet[host])
        by_name = {client["name"]: client for client in clients}
        for bundle in inventory.client_bundles(host, fleet, clients, machines):
            group = by_name.get(bundle["client"], {}).get("group", "clients")
            yield {"id": bundle["id"], "client": bundle["client"], "group": group, "host": host, "stored": dict(_LOST)}


def revoked_names(groups: Groups, fleet: Mapping) -> list[str]:
    """Return the names of the clients that any list of the inventory revokes. Their certificates delay no phase."""
    lists, _unread_lists = access_lists.client_lists(groups, fleet)
    return list(dict.fromkeys(one["name"] for each in lists for one in revocation.revoked_clients(each.entries())))


def decide(
    read: Mapping, authorities: Mapping, held: t.Sequence[Mapping], revoked: t.Sequence[str], settings: Mapping
) -> tuple[dict[str, t.Any], dict[str, dict[str, t.Any]], list[str]]:
    """Ask the endpoints, and return the plan of the phase that is due, the plan of each authority by its name, and the text."""
    # Not at the top: every run of site.yml loads this file, and these take 0.07 s.
    from ...module_utils._fleet import collect
    from ...module_utils._rotation import inputs as rotation_inputs
    from ...module_utils._rotation import phases

    again = settings["again_after"].strip()
    wait = timedelta(0) if again == "0s" else _time.parse_duration(again, "docker_rotate_ca_again_after")
    limits = collect.ProbeLimits(_TIMEOUT, _CONNECTIONS)
    served = collect.probe([collect.endpoint(host["endpoint"]) for host in read["hosts"]], limits)
    hosts = [collect.host(host, served) for host in read["hosts"]]
    clients = [collect.client(client) for client in read["clients"]]
    wanted, executing, now = settings["authority"], settings["execute"], _time.utc_now()
    ours = [name for name, one in authorities.items() if not one.get("external")]
    names = (ours or list(authorities)) if wanted == ALL else [wanted]
    situations = [
        rotation_inputs.situation(name, authorities, hosts, clients, held, revoked, now, wait)
        for name in sorted(names, key=lambda name: (name != phases.SERVER, name))
    ]
    if wanted == ALL:
        plans = phases.decide_all(situations)
        plan, lines = phases.all_to_dict(plans), phases.render_all(situations, plans, executing=executing)
    else:
        plans = [phases.decide(situations[0])]
        plan, lines = phases.to_dict(plans[0]), phases.render(situations[0], plans[0], executing=executing)
    stopped = phases.is_after(plan["phase"], settings["stop_after"])
    if stopped and executing:
        lines += phases.stopped(
            wanted, plan["phase"], settings["stop_after"], _clients(clients, wanted), everything=wanted == ALL
        )
    return {**plan, "stopped": stopped}, {one.name: phases.to_dict(one) for one in plans}, lines


def _clients(clients: t.Iterable[t.Any], wanted: str) -> list[str]:
    """Return the names of the clients whose bundles a rotation of ``wanted`` concerns."""
    found = (one for one in clients if wanted in (ALL, "server", one.group) and one.stored.state != "missing")
    return list(dict.fromkeys(one.client for one in found))


def hosts(plan: Mapping, groups: Groups) -> dict[str, list[str]]:
    """Return the hosts of the plays of the phase that is due."""
    controller = locations.CONTROLLER
    machines = groups.get("docker_clients") or []
    inspected = [controller, *(groups.get("docker_hosts") or []), *machines]
    return {
        "rotate": [controller],
        "rotate_ca": [locations.ca_host(groups)],
        "rotate_bundles": [host for host in plan["bundle_hosts"] if host == controller],
        "rotate_machines": [host for host in plan["bundle_hosts"] if host != controller or host in machines],
        "rotate_hosts": list(plan["hosts"]),
        "rotate_inspect": inspected,
    }


def changes(plan: Mapping, plans: t.Mapping[str, Mapping]) -> list[dict[str, t.Any]]:
    """Return the changes of the CA in the due phase.

    An authority that is already in the state of the phase is in the list too. It does not change, but the clients for the verification
    are made from the list.
    """
    due = {name: one for name, one in plans.items() if one["phase"] == plan["phase"] and one["phase"] in STATES}
    found = [dict(one) for one in plan["changes"]]
    changed = {one["name"] for one in found}
    reached = [
        {"name": name, "state": STATES[one["phase"]], "generation": _generation(one["target"])}
        for name, one in due.items()
        if name not in changed
    ]
    return [*found, *reached]


def _generation(identifier: t.Any) -> int:
    number = str(identifier or "").rpartition("-g")[2]
    return int(number) if number.isdigit() else 0


def obstacles(plan: Mapping, forced: t.Collection[str]) -> list[str]:
    """Return why the phase that is due must not begin; none where it was forced or changes nothing in the CA."""
    return [] if not plan["change"] or plan["phase"] in forced else list(plan["blockers"])
