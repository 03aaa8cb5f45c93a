# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of site.yml: made once, when the CA and every host have answered, and read by the later plays."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from .. import _ca_place
from .._as_written import as_written
from .._bound import Bound
from .._variables import Fleet
from . import batches, inspected
from . import revocation as _revocation

Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

#: Where the plan and its second part, that of a revocation, are registered.
REGISTERED, REVOCATION, REPORT = "__docker_tls_plan", "__docker_tls_revocation", "__docker_tls_report"
#: The result of M(plan) has the plan under this name.
KEY = "plan"


@dataclass(frozen=True)
class SitePlan:
    """What a run of site.yml is to do on which hosts, by inventory name and in the order of the inventory.

    ``change``: hosts that go through the roles; ``refused``: hosts whose change is refused, which fail at the end of the run; ``serial``: the
    batches in which hosts are changed; ``revoke``: whether a revocation is due, whose plays then have the controller, the CA host and the hosts
    that admit the client's group; ``undone``: a sentence for each revocation that this run cannot complete.
    """

    change: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    serial: t.Any = batches.ALL_AT_ONCE
    revoke: list[str] = field(default_factory=list)
    revoke_ca: list[str] = field(default_factory=list)
    revoke_hosts: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RevocationPlan:
    """The rest of a revocation, once the hosts have taken the new generation of the authority.

    ``held``: authorities whose other members keep their certificates, because no host admits the new generation yet; ``problems``: a sentence
    for each of them; ``changes``: generations that the CA retires; ``revoke_ca`` and ``revoke_hosts`` as above, without what is held.
    """

    held: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    changes: list[dict[str, t.Any]] = field(default_factory=list)
    revoke_ca: list[str] = field(default_factory=list)
    revoke_hosts: list[str] = field(default_factory=list)


def site(bound: Bound, fleet: Fleet) -> dict[str, t.Any]:
    """Return the plan as a dictionary, for Ansible. ``bound``: the variables of the task that plans; ``fleet``: those of all hosts."""
    groups, checking = bound.groups(), bool(bound.raw("ansible_check_mode"))
    hosts = list(groups.get("docker_hosts") or [])
    planned = SitePlan(
        change=inspected.hosts_with_work(hosts, fleet),
        refused=inspected.refused_hosts(hosts, fleet),
        serial=bound.get(batches.VARIABLE) or batches.daemon_serial(groups, fleet),
        revoke=_revocation.revocation_hosts(groups, fleet, "controller", checking),
        revoke_ca=_revocation.revocation_hosts(groups, fleet, "ca", checking),
        revoke_hosts=inspected.hosts_not_refused(_revocation.revocation_hosts(groups, fleet, "hosts", checking), fleet),
        undone=[] if checking else _revocation.undone_revocations(groups, fleet),
    )
    return asdict(planned)


def revocation(bound: Bound, fleet: Fleet) -> dict[str, t.Any]:
    """Return the plan of a revocation as a dictionary."""
    groups = bound.groups()
    held = _revocation.held(groups, fleet)
    going = [one for one in _revocation.revocations(groups, fleet) if one["authority"] not in held]
    hosts = _revocation.dropping(groups, fleet, going)
    planned = RevocationPlan(
        held=list(held),
        problems=list(held.values()),
        changes=_revocation.changes(going),
        revoke_ca=[_ca_place.ca_host(groups)] if going else [],
        revoke_hosts=inspected.hosts_not_refused(hosts, fleet),
    )
    return asdict(planned)


def planned(name: str, groups: Groups, hostvars: Mapping, witness: str = "") -> t.Any:
    """Return a part of the plan of this run; what it is without anything to do where the run has made no plan.

    In: the name of a field of SitePlan or RevocationPlan (whose fields come first), ``groups`` and ``hostvars`` of a play. ``witness`` is a host
    that is added to the hosts of a play, where these are changed all at once, so that the run does not end with them. For V(unfinished) the
    hosts are all of ours, where the plan has something undone or there is no plan.
    """
    if name == "unfinished":
        return _unfinished_hosts(groups, hostvars)
    found = _registered(name, groups, hostvars)
    if found is None:
        found = asdict(SitePlan()).get(name, asdict(RevocationPlan()).get(name))
    if not witness or not found or witness in found:
        return found
    in_batches = name in ("change", "revoke_hosts") and _registered("serial", groups, hostvars) != batches.ALL_AT_ONCE
    return found if in_batches else [*found, witness]


def unfinished(bound: Bound, fleet: Fleet) -> list[str]:
    """Return a sentence for everything that this run was to do and could not begin; nothing in check mode, which begins nothing."""
    groups = bound.groups()
    undone = _registered("undone", groups, fleet)
    if undone is not None:
        return [*undone, *(_registered("problems", groups, fleet) or []), *_not_verified(groups, fleet)]
    if bound.raw("ansible_check_mode"):
        return []
    here = set(bound.raw("ansible_play_hosts_all") or ()) & set(groups.get("docker_hosts") or ())
    sentences = _revocation.undone_revocations(groups, fleet)
    if here:
        sentences.append(
            "This run has not inspected the Docker hosts, so it has changed none of them: --start-at-task skips the inspection. Run portcullis.docker_tls.site "
            "from its beginning."
        )
    return sentences


def _not_verified(groups: Groups, hostvars: Mapping) -> list[str]:
    """Return a sentence where the verification of a revocation has failed."""
    rows = _registered("rows", groups, hostvars) or []
    failed = sorted({str(row["host"]) for row in rows if not row["passed"]})
    if not failed:
        return []
    return [
        f"THE REVOCATION IS NOT VERIFIED for {', '.join(failed)}: the table above says why. Fix that and run portcullis.docker_tls.site again."
    ]


def _unfinished_hosts(groups: Groups, hostvars: Mapping) -> list[str]:
    undone = _registered("undone", groups, hostvars)
    if isinstance(hostvars, dict) and not hostvars:  # a list of hosts or a check of the syntax
        return []
    if undone is None and _was_skipped(groups, hostvars):  # adopt.yml, which only shows its plan
        return []
    problems = _registered("problems", groups, hostvars) or _not_verified(groups, hostvars)
    if undone is not None and not undone and not problems:
        return []
    ours = [host for name in ("docker_ca", "docker_hosts", "docker_clients") for host in groups.get(name) or []]
    return list(dict.fromkeys([_ca_place.CONTROLLER, *ours]))


def _was_skipped(groups: Groups, hostvars: Mapping) -> bool:
    hosts = (_ca_place.CONTROLLER, *(groups.get("docker_hosts") or ()))
    found = ((as_written(hostvars, host) if host in hostvars else {}).get(REGISTERED) for host in hosts)
    return any(isinstance(one, t.Mapping) and bool(one.get("skipped")) for one in found)


def _registered(name: str, groups: Groups, hostvars: Mapping) -> t.Any:
    """Return a part of a plan that was made in this run, None where none was."""
    places = [(_ca_place.CONTROLLER, each) for each in (REPORT, REVOCATION, REGISTERED)]
    # With --limit the controller may be left out; then the hosts that were inspected have the plan.
    places += [(host, REGISTERED) for host in groups.get("docker_hosts") or ()]
    for host, registered in places:
        found = (as_written(hostvars, host) if host in hostvars else {}).get(registered)
        parts = found.get(KEY) if isinstance(found, t.Mapping) else None
        if isinstance(parts, t.Mapping) and name in parts:
            return parts[name]
    return None
