# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All authorities rotated in one run: their plans, phase by phase side by side.

Pure. The earliest phase that any authority stands in is due for all; those that are further wait for it. So a host is restarted
once a phase, not once a phase and authority.
"""

from __future__ import annotations

import typing as t

from . import phases as rotation
from . import text

ALL = "all"


def decide(situations: t.Sequence[rotation.Situation]) -> list[rotation.Plan]:
    """Return the plan of each authority.

    While any rotation is under way, an authority whose generation is not older than that rotation was a part of it and is
    complete: the command that is given again to continue is not a wish for two.
    """
    plans = [rotation.decide(one) for one in situations]
    begins = [one.begin_of(plan.target) for one, plan in zip(situations, plans) if not plan.is_idle]
    begun = min((begin for begin in begins if begin is not None), default=None)
    if begun is None:
        return plans
    settled = []
    for one, plan in zip(situations, plans):
        signing = one.at(rotation.ISSUING)[0]
        begin = one.begin_of(signing)
        is_part = begin is not None and begun - begin <= one.again_after and not signing.endswith("-g1")
        if plan.changes == (rotation.ACCEPTED,) and begin is not None and is_part:
            note = f"{signing} signs; its part of the rotation is done"
            plan = rotation.Plan(one.name, rotation.DONE, (), signing, (), note=note)
        settled.append(plan)
    return settled


def phase_of(plans: t.Iterable[rotation.Plan]) -> str:
    """Return the phase that is due for all."""
    phases = {plan.phase for plan in plans}
    return next((phase for phase in rotation.PHASES if phase in phases), rotation.DONE)


def render(
    situations: t.Sequence[rotation.Situation], plans: t.Sequence[rotation.Plan], *, executing: bool
) -> list[str]:
    """Return the plans as text, one authority after the other."""
    due = phase_of(plans)
    lines: list[str] = []
    for situation, plan in zip(situations, plans):
        lines += text.render(situation, plan, executing=True)
        if plan.phase not in (due, rotation.DONE):
            lines.append(f"  (waits until the others have done the phase {due})")
    if due == rotation.DONE or executing:
        return lines
    return [*lines, text.copies(ALL, everything=True), text.NOTHING_CHANGED]


def to_dict(plans: t.Sequence[rotation.Plan]) -> dict[str, t.Any]:
    """Return the plans as one, of the phase that is due; the same keys as that of a single authority."""
    due = phase_of(plans)
    each = [text.to_dict(plan) for plan in plans if plan.phase == due]
    states = [one["change"] for one in each if one["change"]]
    return {
        "authority": ALL,
        "phase": due,
        "change": states[0] if states else "",
        "changes": _joined(each, "changes"),
        "target": ", ".join(one["target"] for one in each),
        "leaving": _joined(each, "leaving"),
        "steps": _joined(each, "steps"),
        "hosts": list(dict.fromkeys(_joined(each, "hosts"))),
        "bundle_hosts": list(dict.fromkeys(_joined(each, "bundle_hosts"))),
        "blockers": list(dict.fromkeys(_joined(each, "blockers"))),
        "risk": " ".join(one["risk"] for one in each if one["blockers"]),
        "note": ". ".join(one["note"] for one in each if one["note"]),
        "idle": all(plan.is_idle for plan in plans),
    }


def _joined(each: t.Iterable[t.Mapping[str, t.Any]], name: str) -> list[t.Any]:
    return [found for one in each for found in one[name]]
