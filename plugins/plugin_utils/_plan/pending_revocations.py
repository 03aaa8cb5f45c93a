# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocations that were begun in an earlier run and are not known to be complete on every host.

The CA reports each valid certificate of a revoked client with the hosts that were verified to refuse it (``refused_by``, from its ledger). Any other
host that admits the access group may have been away when the client was revoked.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._variables.fleet_variables import INSPECTED
from . import access_lists, ca_place

Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]


@dataclass(frozen=True)
class Pending:
    """A revoked client, a generation of which it holds a valid certificate, and the ``hosts`` that are not known to refuse it.

    ``trusted``: whether the CA still has the generation, so that a host refuses the certificate by the revocation list only.
    """

    client: str
    generation: str
    trusted: bool
    hosts: tuple[str, ...]


def pending(answer: Mapping, groups: Groups, hostvars: Mapping) -> list[Pending]:
    """Return the pending revocations. In: ``answer``, a result of M(authorities) or M(authority_info). It does not contain those that this run begins."""
    begun = {each for one in answer.get("revocations") or [] for each in one["generations"]}
    deferred = {each for one in answer.get("revocations_deferred") or [] for each in one["generations"]}
    found: dict[tuple[str, str], Pending] = {}
    admitting: dict[str, list[str]] = {}  # asked once for each group: a fleet may have thousands of hosts
    for one in answer.get("revoked") or []:
        key = (str(one["client"]), str(one["generation"]))
        if key[1] in begun | deferred or (one["trusted"] and not one.get("listed")):
            continue
        refusing, group = set(one.get("refused_by") or ()), str(one["group"])
        if group not in admitting:
            admitting[group] = access_lists.admitting(groups, hostvars, [group])
        hosts = [host for host in admitting[group] if host not in refusing or is_rolled_back(hostvars[host])]
        before = found[key].hosts if key in found else ()
        if hosts:
            found[key] = Pending(*key, bool(one["trusted"]), tuple(dict.fromkeys([*before, *hosts])))
    return list(found.values())


def is_reached(host: str, hostvars: Mapping) -> bool:
    """Return whether this run has inspected a host."""
    seen = ca_place.variables_of(hostvars, host).get(INSPECTED) or {}
    return bool(seen) and not seen.get("unreachable")


def refuses(one: Pending, variables: Mapping) -> bool:
    """Return whether this run has left a host so that it refuses the certificates: changed and verified, or found as it should be."""
    if is_rolled_back(variables):
        # Its former lists may lack the certificates, and its former authorities may be back: only the latter are reported.
        admitted = _admitted_generations(variables)
        return not one.trusted and admitted is not None and one.generation not in admitted
    if one.trusted:
        return one.generation in checked_lists(variables) and is_verified(variables)
    changed, seen = variables.get("docker_daemon_endpoint") or {}, variables.get(INSPECTED) or {}
    if changed:
        return not _has_failed(changed) and is_verified(variables)
    return seen.get("current") is True


def checked_lists(variables: Mapping) -> list[str]:
    """Return the ids of the authorities whose lists a host checks, as this run has left it: changed, or inspected and current."""
    return access_lists.checked_lists(_as_left(variables))


def _admitted_generations(variables: Mapping) -> set[str] | None:
    """Return the generations that a host admits, as this run has left it. None where that is not known: an adopted authority has another subject."""
    subjects = (_as_left(variables).get("endpoint") or {}).get("access")
    found = [access_lists.units(str(subject)) for subject in subjects or ()]
    return {unit for each in found for unit in each} if subjects is not None and all(found) else None


def _as_left(variables: Mapping) -> Mapping:
    """Return the result of the change of a host, or of its inspection where nothing was to change; {} where neither is known."""
    changed, seen = variables.get("docker_daemon_endpoint") or {}, variables.get(INSPECTED) or {}
    there = changed if changed else seen if seen.get("current") else {}
    return {} if _has_failed(there) else there


def is_verified(variables: Mapping) -> bool:
    """Return whether the controller saw nothing wrong, where it has verified the host in this run."""
    verification = variables.get("docker_daemon_verification") or {}
    return bool(verification.get("passed", not verification or verification.get("skipped")))


def is_rolled_back(variables: Mapping) -> bool:
    """Return whether the former state of a host is restored, with its former authorities."""
    return variables.get("docker_daemon_state") == "rolled_back"


def _has_failed(result: Mapping) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))
