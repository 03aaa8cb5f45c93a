# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a revocation on each host and bundle, as rows of a table."""

from __future__ import annotations

import typing as t

from . import access_lists, ca_place, inventory
from .access_lists import admitting
from .revocation import INSPECTED, REFUSED, is_rolled_back, listed, revocations

Mapping = t.Mapping[str, t.Any]
Row = dict[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]


def rows(groups: Groups, hostvars: Mapping) -> list[Row]:
    """Return one row for each host that admitted a revoked client and each bundle of a member, for M(proof_report)."""
    return [
        *(row for one in revocations(groups, hostvars) for row in _rows(one, groups, hostvars)),
        *(row for one in listed(groups, hostvars) for row in _listed_rows(one, groups, hostvars)),
    ]


def _listed_rows(one: Mapping, groups: Groups, hostvars: Mapping) -> t.Iterator[Row]:
    """Yield for each host that admits a group whether its proxy checks the lists with the revoked certificates."""
    for host in admitting(groups, hostvars, [one["authority"]]):
        variables = ca_place.variables_of(hostvars, host)
        done = set(one["generations"]) <= set(_checked_lists(variables)) and _is_verified(variables)
        for who in one["clients"]:
            text = f"{who} is shut out by the revocation list of {', '.join(one['generations'])}"
            yield _row(host, "revoked", done, text if done else f"STILL ADMITS {who}: {_why_unlisted(variables)}")


def _checked_lists(variables: Mapping) -> list[str]:
    """Return the ids of the authorities whose lists a host checks, as this run has left it: changed, or seen to have what the CA has."""
    changed, seen = variables.get("docker_daemon_endpoint") or {}, variables.get(INSPECTED) or {}
    there = changed if changed else seen if seen.get("current") else {}
    if there.get("failed") or there.get("unreachable"):
        return []
    return access_lists.checked_lists(there)


def _is_verified(variables: Mapping) -> bool:
    """Return whether the controller saw nothing wrong, where it has verified the host in this run."""
    proof = variables.get("docker_daemon_proof") or {}
    return bool(proof.get("passed", not proof or proof.get("skipped")))


def _why_unlisted(variables: Mapping) -> str:
    if not variables.get(INSPECTED):
        return "this run does not include the host"
    endpoint = variables.get("docker_daemon_endpoint") or {}
    if not (endpoint.get("failed") or endpoint.get("unreachable")) and _is_verified(variables):
        seen = variables[INSPECTED]
        if endpoint or seen.get("current"):
            return "its listener checks no revocation list of this group"
        if not (seen.get("unreachable") or seen.get("refused")):
            return "this run has not changed the host"
    return _why(variables)


def _rows(one: Mapping, groups: Groups, hostvars: Mapping) -> t.Iterator[Row]:
    gone = ", ".join(one["generations"])
    for host in admitting(groups, hostvars, [one["authority"]]):
        proof = ca_place.variables_of(hostvars, host).get("docker_daemon_proof") or {}
        names = {f"{REFUSED}{identifier}" for identifier in one["generations"]}
        passed = {check["check"] for check in proof.get("checks") or [] if check["passed"]}
        done = names <= passed and bool(proof.get("passed"))
        for who in one["clients"]:
            detail = f"{who} is shut out, {gone} is refused" if done else f"STILL ADMITS {who}: {_why(hostvars[host])}"
            yield _row(host, "revoked", done, detail)
    machines = groups.get("docker_clients") or []
    for host in ["localhost", *(machine for machine in machines if machine != "localhost")]:
        yield from _member_rows(host, one, ca_place.variables_of(hostvars, host), machines)


def _member_rows(host: str, one: Mapping, variables: Mapping, machines: t.Container[str]) -> t.Iterator[Row]:
    """Yield a row for each bundle of a client that stays in the group: it must be of the new generation."""
    clients = variables.get("docker_client_cert_clients") or access_lists.DEFAULT_CLIENTS
    members = {client["name"] for client in inventory.present_clients(clients) if _group(client) == one["authority"]}
    result = variables.get("docker_client_cert_installed") or {}
    installed = {bundle["id"]: bundle for bundle in result.get("bundles") or []}
    for bundle in inventory.client_bundles(host, {host: variables}, clients, machines):
        if bundle["client"] not in members:
            continue
        certificate = (installed.get(bundle["id"]) or {}).get("certificate") or {}
        done = f"OU={one['issuing']}" in str(certificate.get("issuer", "")).split(",")
        detail = f"{bundle['client']} has a certificate of {one['issuing']}"
        yield _row(
            host,
            f"member {bundle['id']}",
            done,
            detail
            if done
            else f"{bundle['client']} HAS NO CERTIFICATE of {one['issuing']} and is refused until it has: "
            f"{_reason(result) or 'the host was not reached'}",
        )


def _group(client: Mapping) -> str:
    return str(client.get("group", "clients"))


def _why(variables: Mapping) -> str:
    if is_rolled_back(variables):
        return "docker_daemon_state is rolled_back, which gives the host its former authorities; run portcullis.docker_tls.site with present"
    endpoint, proof = variables.get("docker_daemon_endpoint") or {}, variables.get("docker_daemon_proof") or {}
    failed = [check for check in proof.get("checks") or [] if not check["passed"]]
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
