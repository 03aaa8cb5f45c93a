# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``playbooks/rotate_ca.yml`` looks at, and on which hosts each of its plays works."""

from __future__ import annotations

import typing as t

from .. import _access, _inventory
from . import revocation, status

Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

FOUND = "docker_rotation"
#: The state that the CA is to have in each phase; a state that is reached changes nothing.
STATES = {"trust": "introduced", "reissue": "signing", "retire": "retired"}
#: All authorities in one run.
ALL = "all"


def rotation_fleet(active: t.Collection[str], groups: Groups, hostvars: Mapping) -> dict[str, t.Any]:
    """Return the options ``hosts`` and ``clients`` of M(rotation_plan), for all of the inventory.

    ``active``: the hosts that are still in the play. What is known of the others is from before, so it does not count:
    they failed, could not be reached, or were left out by --limit.
    """
    everybody = [*(groups.get("docker_hosts") or []), *(groups.get("docker_clients") or []), "localhost"]
    fleet = status.fleet(list(dict.fromkeys(everybody)), groups, hostvars, {}, {})
    lost = {"state": "unreachable", "problem": "it failed or was left out in this run"}
    for one in fleet["hosts"]:
        if one["name"] not in active or one["stored"] is None:
            one["stored"] = lost
    known = {(one["host"], one["id"]) for one in fleet["clients"]}
    clients = [{**one, "stored": one["stored"] if one["host"] in active else lost} for one in fleet["clients"]]
    clients += [one for one in _unread(groups, hostvars, lost) if (one["host"], one["id"]) not in known]
    return {"hosts": fleet["hosts"], "clients": clients}


def _unread(groups: Groups, hostvars: Mapping, lost: Mapping) -> t.Iterator[dict[str, t.Any]]:
    """Yield the bundles of client machines of which nothing was read at all."""
    machines = groups.get("docker_clients") or []
    for host in machines:
        clients = status.defined_clients(hostvars[host])
        by_name = {client["name"]: client for client in clients}
        for bundle in _inventory.client_bundles(host, hostvars, clients, machines):
            group = by_name.get(bundle["client"], {}).get("group", "clients")
            yield {"id": bundle["id"], "client": bundle["client"], "group": group, "host": host, "stored": dict(lost)}


def revoked_names(groups: Groups, hostvars: Mapping) -> list[str]:
    """Return the names of the clients that any list of the inventory revokes: nobody waits for them."""
    lists, _unread = _access.client_lists(groups, hostvars)
    return list(dict.fromkeys(one["name"] for each in lists for one in revocation.revoked_clients(each.entries())))


def rotation_hosts(groups: Groups, hostvars: Mapping, phase: str, step: str, execute: bool) -> list[str]:
    """Return the hosts of a play of a phase; [] where that phase is not the one that is due, and without ``execute``.

    ``step``: ``look`` and ``controller`` (the controller), ``ca``, ``hosts``, ``bundles`` (on the controller) or ``machines``.
    """
    plan = _plan(hostvars)
    if not execute or plan.get("phase") != phase:
        return []
    if step == "ca":
        return [revocation.ca_host(groups)]
    if step == "hosts":
        return list(plan["hosts"])
    if step == "bundles":
        return [host for host in plan["bundle_hosts"] if host == "localhost"]
    if step == "machines":
        return [host for host in plan["bundle_hosts"] if host != "localhost"]
    return ["localhost"]


def rotation_changes(hostvars: Mapping, phase: str) -> list[dict[str, t.Any]]:
    """Return what the CA has to do in a phase.

    Where that is done already it is the state that the phase has, which changes nothing: the clients for the proof are made by it.
    """
    plan = _plan(hostvars)
    names = list((hostvars["localhost"][FOUND].get("plans") or {}) if plan["authority"] == ALL else [plan["authority"]])
    plans = hostvars["localhost"][FOUND].get("plans") or {}
    due = [name for name in names if (plans.get(name) or plan).get("phase") == phase]
    changes = [dict(one) for one in plan.get("changes") or []]
    told = {one["name"] for one in changes}
    reached = [
        {"name": name, "state": STATES[phase], "generation": _generation((plans.get(name) or plan).get("target"))}
        for name in due
        if name not in told
    ]
    return [*changes, *reached]


def _generation(identifier: t.Any) -> int:
    number = str(identifier or "").rpartition("-g")[2]
    return int(number) if number.isdigit() else 0


def rotation_obstacles(hostvars: Mapping, forced: t.Collection[str] = ()) -> list[str]:
    """Return why the phase that is due must not begin; ``forced`` are the phases whose risk was accepted."""
    plan = _plan(hostvars)
    if not plan.get("change") or plan["phase"] in forced:
        return []
    return list(plan["blockers"])


def _plan(hostvars: Mapping) -> Mapping:
    try:
        return t.cast(Mapping, (hostvars["localhost"].get(FOUND) or {}).get("plan") or {})
    except KeyError:
        return {}
