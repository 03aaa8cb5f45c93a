# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a revocation on each host and bundle, as rows of a table."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._variables.fleet_variables import INSPECTED
from . import access_lists, inventory, locations
from .access_lists import admitting, is_rolled_back, is_verified, lists_after_run
from .revocation import LISTED, REFUSED, continued, listed, revocations

Mapping = t.Mapping[str, t.Any]
Row = dict[str, t.Any]
#: What a host does that does not refuse the client: known, or not verified.
STILL, PERHAPS = "STILL ADMITS", "MAY STILL ADMIT"
_OUTSIDE = "this run does not include the host"
_UNCHECKED = "its listener checks no revocation list of this group"
Groups = t.Mapping[str, t.Sequence[str]]


@dataclass(frozen=True)
class Outcome:
    """Whether a host refuses the certificates of ``generations`` of a revoked client; ``detail`` is the text about it."""

    host: str
    client: str
    generations: tuple[str, ...]
    done: bool
    detail: str


def rows(groups: Groups, hostvars: Mapping) -> list[Row]:
    """Return one row for each host that admitted a revoked client and each bundle of a member, for M(verification_report)."""
    found = [_row(one.host, "revoked", one.done, one.detail) for one in outcomes(groups, hostvars)]
    machines = groups.get("docker_clients") or []
    for one in revocations(groups, hostvars):
        for host in ["localhost", *(machine for machine in machines if machine != "localhost")]:
            found += _member_rows(host, one, locations.variables_of(hostvars, host), machines)
    return found


def verified(groups: Groups, hostvars: Mapping) -> list[dict[str, t.Any]]:
    """Return which hosts refuse which revoked client at the end of this run, as M(recorded_certificates) takes it."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in outcomes(groups, hostvars):
        for generation in one.generations if one.done else ():
            hosts = found.setdefault((one.client, generation), [])
            hosts += [one.host] if one.host not in hosts else []
    return [
        {"client": client, "authority": generation, "hosts": hosts} for (client, generation), hosts in found.items()
    ]


def outcomes(groups: Groups, hostvars: Mapping) -> list[Outcome]:
    """Return what became of every revocation that this run has begun or continued, on each host that it concerns."""
    return [
        *(each for one in revocations(groups, hostvars) for each in _by_authority(one, groups, hostvars)),
        *(each for one in listed(groups, hostvars) for each in _by_list(one, groups, hostvars)),
        *(each for one in continued(groups, hostvars) for each in _continued(one, hostvars)),
    ]


def _by_authority(one: Mapping, groups: Groups, hostvars: Mapping) -> t.Iterator[Outcome]:
    gone = ", ".join(one["generations"])
    for host in admitting(groups, hostvars, [one["authority"]]):
        verification = locations.variables_of(hostvars, host).get("docker_daemon_verification") or {}
        names = {f"{REFUSED}{identifier}" for identifier in one["generations"]}
        passed = {check["check"] for check in verification.get("checks") or [] if check["passed"]}
        done = names <= passed and bool(verification.get("passed"))
        variables = locations.variables_of(hostvars, host)
        admits, why = _admits(variables, names), _why_unchanged(variables)
        for who in one["clients"]:
            detail = f"{who} is shut out, {gone} is refused" if done else f"{admits} {who}: {why}"
            yield Outcome(host, who, tuple(one["generations"]), done, detail)


def _by_list(one: Mapping, groups: Groups, hostvars: Mapping) -> t.Iterator[Outcome]:
    """Yield for each host that admits a group whether its proxy checks the lists with the revoked certificates."""
    for host in admitting(groups, hostvars, [one["authority"]]):
        variables = locations.variables_of(hostvars, host)
        done = set(one["generations"]) <= set(lists_after_run(variables)) and is_verified(variables)
        checks = (variables.get("docker_daemon_verification") or {}).get("checks") or []
        name = f"{LISTED}{one['authority']}"
        tried = any(check["check"] == name for check in checks)
        why = _why_unlisted(variables)
        admits = STILL if why in (_OUTSIDE, _UNCHECKED) else _admits(variables, {name})
        for who in one["clients"]:
            text = f"{who} is shut out by the revocation list of {', '.join(one['generations'])}"
            text += ", and a certificate with a revoked serial number is refused" if tried else ""
            detail = text if done else f"{admits} {who}: {why}"
            yield Outcome(host, who, tuple(one["generations"]), done, detail)


def _continued(one: access_lists.Pending, hostvars: Mapping) -> t.Iterator[Outcome]:
    """Yield for each host of this run whether it refuses a client that an earlier run has revoked."""
    for host in one.hosts:
        variables = locations.variables_of(hostvars, host)
        if not variables.get(INSPECTED):
            continue
        done = access_lists.refuses(one, variables)
        text = f"{one.client} is shut out, its certificate of {one.generation} is refused"
        why = _why_unlisted(variables) if one.trusted else _why_unchanged(variables)
        detail = text if done else f"{PERHAPS} {one.client}: {why}"
        yield Outcome(host, one.client, (one.generation,), done, detail)


def _admits(variables: Mapping, checks: t.Collection[str]) -> str:
    """Return ``STILL`` where a host is known to admit the client: one of ``checks`` was answered, or it has its former authorities again."""
    made = (variables.get("docker_daemon_verification") or {}).get("checks") or []
    # Where nothing listens, a check fails as well, and has verified nothing.
    answered = any(check["check"] in checks and str(check["detail"]).startswith("ADMITTED") for check in made)
    return STILL if answered or is_rolled_back(variables) else PERHAPS


def _why_unchanged(variables: Mapping) -> str:
    """Return why a host may still admit an authority that the CA has retired."""
    seen = variables.get(INSPECTED) or {"unreachable": True}
    reached = not (seen.get("unreachable") or seen.get("refused") or seen.get("failed"))
    if reached and not variables.get("docker_daemon_endpoint") and not is_rolled_back(variables):
        return "this run has not changed the host"
    return _why(variables)


def _why_unlisted(variables: Mapping) -> str:
    if not variables.get(INSPECTED):
        return _OUTSIDE
    endpoint = variables.get("docker_daemon_endpoint") or {}
    if not (endpoint.get("failed") or endpoint.get("unreachable")) and is_verified(variables):
        seen = variables[INSPECTED]
        if endpoint or seen.get("current"):
            return _UNCHECKED
        if not (seen.get("unreachable") or seen.get("refused")):
            return "this run has not changed the host"
    return _why(variables)


def _member_rows(host: str, one: Mapping, variables: Mapping, machines: t.Container[str]) -> t.Iterator[Row]:
    """Yield a row for each bundle of a client that stays in the group: it must be of the new generation."""
    clients = variables.get("docker_client_cert_clients") or access_lists.DEFAULT_CLIENTS
    members = {client["name"] for client in inventory.present_clients(clients) if _group(client) == one["authority"]}
    result = variables.get("__docker_client_cert_installed") or {}
    # The controller is always reached; a run that stops does not come to its bundles.
    here = host == locations.CONTROLLER
    not_come_to = "the run has not come to the bundles there" if here else "the host was not reached"
    installed = {bundle["id"]: bundle for bundle in result.get("bundles") or []}
    for bundle in inventory.client_bundles(host, {host: variables}, clients, machines):
        if bundle["client"] not in members:
            continue
        certificate = (installed.get(bundle["id"]) or {}).get("certificate") or {}
        done = f"OU={one['issuing']}" in str(certificate.get("issuer", "")).split(",")
        detail = f"{bundle['client']} has a certificate of {one['issuing']}"
        if not done:
            why = _reason(result) or not_come_to
            detail = f"{bundle['client']} HAS NO CERTIFICATE of {one['issuing']} and is refused until it has: {why}"
        yield _row(host, f"member {bundle['id']}", done, detail)


def _group(client: Mapping) -> str:
    return str(client.get("group", "clients"))


def _why(variables: Mapping) -> str:
    if is_rolled_back(variables):
        return "docker_daemon_state is rolled_back, which gives the host its former authorities; run portcullis.docker_tls.site with present"
    endpoint = variables.get("docker_daemon_endpoint") or {}
    verification = variables.get("docker_daemon_verification") or {}
    failed = [check for check in verification.get("checks") or [] if not check["passed"]]
    if endpoint and not endpoint.get("failed") and not endpoint.get("unreachable") and failed:
        return "; ".join(f"{check['check']}: {check['detail']}" for check in failed)
    refused = (variables.get(INSPECTED) or {}).get("refused") or {}
    return _reason(endpoint) or str(refused.get("msg") or "the host was not reached")


def _reason(result: Mapping) -> str:
    return str(result.get("msg") or "") if result.get("failed") or result.get("unreachable") else ""


def _row(host: str, check: str, passed: bool, detail: str) -> Row:
    return {
        "host": host,
        "seen_from": "controller",
        "check": check,
        "passed": passed,
        "detail": " ".join(detail.split()),
    }
