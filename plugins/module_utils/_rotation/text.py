# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a rotation as lines of text and as plain values."""

from __future__ import annotations

import typing as t

from .._text_table import align
from . import phases

NOTHING_CHANGED = "Nothing has been changed. To carry it out: -e docker_rotate_ca_execute=true"
_UNKNOWN = "Not known here are copies of bundles outside of this inventory (Portainer, another machine)."
_STOP = "-e docker_rotate_ca_stop_after="
# A copy trusts the new generation of the server authority after phase 1, and has a certificate of the new one of its group after phase 2.
_COPIES_SERVER = f"{_UNKNOWN} They fail in phase 2. To copy the bundles there before: {_STOP}trust, and afterwards the same command without it."
_COPIES_GROUP = f"{_UNKNOWN} They fail in phase 3. To copy the bundles there before: {_STOP}reissue, and afterwards the same command without it."
_COPIES_ALL = (
    f"{_UNKNOWN} They fail in phase 2. To copy the bundles there before: {_STOP}trust; and again before phase 3: {_STOP}reissue; and afterwards the same "
    "command without it."
)
_CHANGES = {
    "accepted": "the CA makes {target}, which is trusted and does not sign yet",
    "issuing": "in the CA, {target} signs from now on",
    "retired": "the CA gives {leaving} up; its private key is destroyed",
}
_ONE_RESTART = "each host's dockerd is restarted once; a host with the listener proxy reloads that instead"
_RESTART = {
    (phases.REISSUE, True): _ONE_RESTART,
    (phases.TRUST, False): _ONE_RESTART,
    (phases.RETIRE, False): _ONE_RESTART,
}


def render(situation: phases.Situation, plan: phases.Plan, *, executing: bool) -> list[str]:
    """Return the plan as text: the state of each place, the next steps, the obstacles."""
    stages = ", ".join(f"{one.id} ({one.stage})" for one in situation.generations)
    lines = [f"Rotation of the authority {situation.name}: {stages}"]
    lines += [f"  {line}" for line in align([_row(place) for place in (*situation.hosts, *situation.bundles)])]
    if plan.phase == phases.DONE:
        return [*lines, f"Complete: {plan.note}."]
    lines.append(f"Phase {phases.PHASES.index(plan.phase) + 1} of 3, {plan.phase}:")
    lines += [f"  ({plan.note})"] if plan.note else []
    if plan.changes:
        text = _what_changes(plan).format(target=plan.target, leaving=", ".join(plan.leaving))
        lines.append(f"  first  {text}")
    lines += [f"  then   {step.place.name}: {step.what}" for step in plan.steps]
    restart = _RESTART.get((plan.phase, situation.name == phases.SERVER)) or (
        "issuing" in plan.changes and _ONE_RESTART
    )
    if restart and plan.hosts:
        lines.append(f"  ({restart})")
    lines += [f"  OBSTACLE  {blocker}" for blocker in plan.blockers]
    return lines if executing else [*lines, copies(plan.name), NOTHING_CHANGED]


def copies(authority: str, *, everything: bool = False) -> str:
    """Return when copies of bundles fail that are not in the inventory. ``everything``: all authorities are replaced together."""
    if everything:
        return _COPIES_ALL
    return _COPIES_SERVER if authority == phases.SERVER else _COPIES_GROUP


def stopped(
    authority: str, due: str, stop_after: str, clients: t.Sequence[str], *, everything: bool = False
) -> list[str]:
    """Return why the phase ``due`` does not begin, and what is to be done before it. ``clients``: those with bundles that the rotation concerns."""
    has_server, has_group = everything or authority == phases.SERVER, everything or authority != phases.SERVER
    carry = f"copy the bundles of {', '.join(clients)} to where they are used outside of this inventory"
    steps = []
    if clients and due == phases.REISSUE and has_server:
        steps.append(
            f"{carry}: their ca.pem trusts both generations now, and a copy of the former one refuses the hosts from the next phase on"
        )
    if clients and due == phases.RETIRE and has_group:
        steps.append(
            f"{carry}: they have new certificates now, and the hosts refuse the former ones from the next phase on"
        )
    following = phases.PHASES[phases.PHASES.index(due) :]
    next_stop = (
        f"{_STOP}{due}, or without it, to continue with {due}" if len(following) > 1 else "it, to continue with retire"
    )
    steps.append(f"run the same command {'with ' if len(following) > 1 else 'without '}{next_stop}")
    return [
        f"Stopped before the phase {due}, because docker_rotate_ca_stop_after is {stop_after}. All clients and hosts continue to work.",
        "Next:",
        *(f"  - {step}" for step in steps),
    ]


def _what_changes(plan: phases.Plan) -> str:
    if plan.changes == (phases.ACCEPTED, phases.ISSUING):
        return "the CA makes {target}, which signs at once"
    return _CHANGES[plan.change]


def _row(place: phases.Place) -> tuple[str, str]:
    if place.problem:
        return place.name, f"NOT KNOWN: {place.problem}"
    parts = []
    if place.issuers:
        parts.append(f"certificate of {', '.join(sorted(place.issuers))}")
    if place.still_trusts or not place.client:
        partly = place.still_trusts - place.trusts
        text = f"trusts {', '.join(sorted(place.trusts)) or 'none'}"
        parts.append(f"{text} (and {', '.join(sorted(partly))} either on disk or on the wire)" if partly else text)
    return place.name, "; ".join(parts)


def to_dict(plan: phases.Plan) -> dict[str, t.Any]:
    """Return the plan as the module reports it."""
    return {
        "authority": plan.name,
        "phase": plan.phase,
        "change": plan.change,
        "changes": [{"name": plan.name, "state": state, "generation": _number(plan.target)} for state in plan.changes],
        "target": plan.target,
        "leaving": list(plan.leaving),
        "steps": [{"name": step.place.name, "host": step.place.host, "what": step.what} for step in plan.steps],
        "hosts": list(plan.hosts),
        "bundle_hosts": list(plan.bundle_hosts),
        "blockers": list(plan.blockers),
        "risk": plan.risk,
        "note": plan.note,
        "idle": plan.is_idle,
    }


def _number(identifier: str) -> int:
    return int(identifier.rpartition("-g")[2])
