# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stops a playbook between two of its steps, as failures with a code and a hint. Each function raises TlsError or returns {}."""

from __future__ import annotations

import typing as t

from ...module_utils._errors import TlsError
from .._variables.binding import Bound

Mapping = t.Mapping[str, t.Any]

_ROTATION, _ADOPTION = "__docker_tls_rotation", "__docker_adopt_plan"


def rotation_start(settings: Mapping) -> dict[str, t.Any]:
    """Raise ``rotation-authority-missing`` unless an authority is named."""
    if not settings["authority"]:
        raise TlsError(
            "docker_rotate_ca_authority is not set, so there is nothing to rotate",
            hint="Name the authority to replace: -e docker_rotate_ca_authority=server, the name of an access group, or all.",
            code="rotation-authority-missing",
        )
    return {}


def rotation_phase(bound: Bound) -> dict[str, t.Any]:
    """Raise ``rotation-blocked`` where the phase that is due would lock out a client."""
    plan = _registered(bound, _ROTATION)
    if plan["obstacles"]:
        raise TlsError(
            f"the phase {plan['phase']} of the rotation of {plan['authority']} must not begin: {'. '.join(plan['obstacles'])}",
            hint="Remove these obstacles and run the same command again; all clients and hosts continue to work meanwhile. To start the phase "
            f"in spite of them: -e docker_rotate_ca_force_{plan['phase']}=true. {plan['risk']}".strip(),
            code="rotation-blocked",
        )
    return {}


def rotation_end(bound: Bound) -> dict[str, t.Any]:
    """Raise ``rotation-incomplete`` where something is left to do after the last phase that this run was to have."""
    plan = _registered(bound, _ROTATION)
    if plan.get("stopped"):
        if plan["obstacles"]:
            raise TlsError(
                f"the rotation of {plan['authority']} has stopped before the phase {plan['phase']} as it was to, and that phase could not begin: "
                f"{'. '.join(plan['obstacles'])}",
                hint="Remove these obstacles before you continue; all clients and hosts continue to work meanwhile.",
                code="rotation-incomplete",
            )
    elif not plan["idle"]:
        places = ", ".join(dict.fromkeys(step["name"] for step in plan["steps"]))
        raise TlsError(
            f"the rotation of {plan['authority']} is not complete: the phase {plan['phase']} has not reached {places or 'the CA'}",
            hint="All clients and hosts continue to work. Fix what failed above, and run the same command again.",
            code="rotation-incomplete",
        )
    return {}


def adoption(bound: Bound) -> dict[str, t.Any]:
    """Raise ``adoption-blocked`` where the plan that was shown cannot be carried out."""
    problems = _registered(bound, _ADOPTION)["problems"]
    if problems:
        raise TlsError(
            f"the adoption cannot be carried out: {' '.join(problems)}",
            hint="Correct the inventory or the hosts as described, and run the playbook again; nothing was changed.",
            code="adoption-blocked",
        )
    return {}


def restore(bound: Bound) -> dict[str, t.Any]:
    """Raise ``archive-not-named`` unless exactly one archive is named to restore the CA from."""
    names = ("docker_ca_restore_path", "docker_ca_restore_controller_path")
    given = [name for name in names if bound[name]]
    if len(given) != 1:
        found = "both are set" if given else "neither is set"
        raise TlsError(
            f"restoring the CA takes one archive, from {names[0]} or {names[1]}, and {found}",
            hint=f"Set one of the two: {names[0]} for a file on the CA host, {names[1]} for a file on the controller.",
            code="archive-not-named",
        )
    return {}


def _registered(bound: Bound, name: str) -> Mapping:
    """Return the plan that was registered under ``name``. Raises TlsError ``run-unfinished`` after --start-at-task behind it."""
    found = bound.raw(name)
    plan = found.get("plan") if isinstance(found, t.Mapping) else None
    if not isinstance(plan, t.Mapping):
        raise TlsError(
            "this run has made no plan",
            hint="Run the playbook from its beginning, without --start-at-task and --tags.",
            code="run-unfinished",
        )
    return plan
