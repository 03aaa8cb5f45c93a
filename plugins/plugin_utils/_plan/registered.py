# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results that tasks have registered for later plays, and what in them stops a playbook between two of its steps."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ...module_utils._errors import TlsError
from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet, as_written
from . import locations, revocation, site
from .revocation import Incomplete, RevocationPlan
from .rotation import RotationPlays
from .site import SitePlan

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
    plan = _registered_plan(bound, _ROTATION)
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
    plan = _registered_plan(bound, _ROTATION)
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
    problems = _registered_plan(bound, _ADOPTION)["problems"]
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


def _registered_plan(bound: Bound, name: str) -> Mapping:
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


Groups = t.Mapping[str, t.Sequence[str]]

#: Where the plan of site.yml, its second part, that of a revocation, and the plan of a rotation are registered.
REGISTERED, REVOCATION, REPORT = "__docker_tls_plan", "__docker_tls_revocation", "__docker_tls_report"
ROTATION = "__docker_tls_rotation"
#: Where site.yml registers that the inventory was checked.
INVENTORY = "__docker_tls_inventory"
#: The result of M(plan) has the plan under this name.
KEY = "plan"
_MEND = "Solve the problems that the hosts report above, and run portcullis.docker_tls.site again."
_NOTHING = {**asdict(RotationPlays("done")), **asdict(RevocationPlan()), **asdict(SitePlan())}


def planned(name: str, groups: Groups, hostvars: Mapping, witness: str = "", phase: str = "") -> t.Any:
    """Return a part of the plan of this run; an empty one where the run has made no plan.

    In: the name of a field of SitePlan, RevocationPlan (whose fields come first) or RotationPlays, ``groups`` and ``hostvars`` of a play.
    ``witness`` is a host that is added to the hosts of a play, where these are changed all at once, so that the run does not end with them.
    ``phase``: the field of a rotation counts only where this phase is due. For V(unfinished) the hosts are all of ours, where the plan
    is incomplete or missing.
    """
    if name == "unfinished":
        return _unfinished_hosts(groups, hostvars)
    found = _registered(name, groups, hostvars)
    if found is None or (phase and phase != _registered("phase", groups, hostvars)):
        found = _NOTHING.get(name)
    if not witness or not found or witness in found:
        return found
    in_batches = name in ("change", "revoke_hosts") and _registered("serial", groups, hostvars) != site.ALL_AT_ONCE
    return found if in_batches else [*found, witness]


def inventory_is_checked(groups: Groups, hostvars: Mapping) -> bool:
    """Return whether this run has checked the inventory: not after --start-at-task with a later task."""
    hosts = (locations.ca_host(groups), locations.CONTROLLER, *(groups.get("docker_hosts") or ()))
    return any(INVENTORY in _written(host, hostvars) for host in hosts)


def unfinished(bound: Bound, fleet: Fleet) -> list[Incomplete]:
    """Return the work that this run could not begin; in check mode, the work that the run would not complete."""
    groups, checking = bound.groups(), bool(bound.raw("ansible_check_mode"))
    incomplete = _registered("incomplete", groups, fleet)
    if incomplete is not None:
        held = [Incomplete(one, _MEND) for one in _registered("problems", groups, fleet) or []]
        return [*(Incomplete(*one) for one in incomplete), *held, *_not_verified(groups, fleet)]
    here = set(bound.raw("ansible_play_hosts_all") or ()) & set(groups.get("docker_hosts") or ())
    found = revocation.incomplete_revocations(groups, fleet, checking)
    if here:
        changed = "would change" if checking else "has changed"
        found.append(
            Incomplete(
                f"This run has not inspected the Docker hosts, so it {changed} none of them: --start-at-task skips the inspection.",
                "Run portcullis.docker_tls.site from its beginning, without --start-at-task.",
            )
        )
    return found


def _not_verified(groups: Groups, hostvars: Mapping) -> list[Incomplete]:
    """Return that the verification of a revocation has failed, where it has. --limit and --tags may have left out the table with the rows."""
    rows = _registered("rows", groups, hostvars)
    if rows is None:
        unverified = _report(groups, hostvars) if _registered("record", groups, hostvars) else []
        failed = {str(row["host"]): str(row["detail"]) for row in unverified if not row["passed"]}
        return [
            Incomplete(f"THE REVOCATION IS NOT VERIFIED for {host}: {detail}.", _MEND)
            for host, detail in sorted(failed.items())
        ]
    hosts = sorted({str(row["host"]) for row in rows if not row["passed"]})
    if not hosts:
        return []
    return [
        Incomplete(f"THE REVOCATION IS NOT VERIFIED for {', '.join(hosts)}: the table above has the reasons.", _MEND)
    ]


def _report(groups: Groups, hostvars: Mapping) -> list[dict[str, t.Any]]:
    from . import revocation_report  # most runs revoke nothing

    return revocation_report.rows(groups, hostvars)


def _unfinished_hosts(groups: Groups, hostvars: Mapping) -> list[str]:
    incomplete = _registered("incomplete", groups, hostvars)
    if isinstance(hostvars, dict) and not hostvars:  # a list of hosts or a check of the syntax
        return []
    if incomplete is None and _was_skipped(groups, hostvars):  # adopt.yml, which only shows its plan
        return []
    problems = _registered("problems", groups, hostvars) or _not_verified(groups, hostvars)
    if incomplete is not None and not incomplete and not problems:
        return []
    ours = [host for name in ("docker_ca", "docker_hosts", "docker_clients") for host in groups.get(name) or []]
    return list(dict.fromkeys([locations.CONTROLLER, *ours]))


def _was_skipped(groups: Groups, hostvars: Mapping) -> bool:
    hosts = (locations.CONTROLLER, *(groups.get("docker_hosts") or ()))
    found = (_written(host, hostvars).get(REGISTERED) for host in hosts)
    return any(isinstance(one, t.Mapping) and bool(one.get("skipped")) for one in found)


def _registered(name: str, groups: Groups, hostvars: Mapping) -> t.Any:
    """Return a part of a plan that was made in this run, None without one."""
    for found in _plans(groups, hostvars):
        parts = found.get(KEY) if isinstance(found, t.Mapping) else None
        if isinstance(parts, t.Mapping) and name in parts:
            return parts[name]
    return None


def _plans(groups: Groups, hostvars: Mapping) -> list[t.Any]:
    """Return the registered plans, the later parts first.

    The controller has it, and with --limit, which may exclude the controller, each host that was inspected. They all have the same, so one
    is read: every play asks, and reading the variables of a host takes milliseconds.
    """
    written = _written(locations.CONTROLLER, hostvars)
    found = [written[each] for each in (REPORT, REVOCATION, REGISTERED, ROTATION) if each in written]
    if found:
        return found
    ours = (_written(host, hostvars) for host in groups.get("docker_hosts") or ())
    return [next((written[REGISTERED] for written in ours if REGISTERED in written), None)]


def _written(host: str, hostvars: Mapping) -> Mapping:
    return as_written(hostvars, host) if host in hostvars else {}
