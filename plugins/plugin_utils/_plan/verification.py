# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verification of endpoints from the controller: which hosts, with which clients, by what options of M(endpoint_info)."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ...module_utils._errors import TlsError
from ...module_utils._proxy.rights import FULL
from .._client_files import session
from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet, is_true
from . import access_lists, inventory, issuer_settings, options, revocation

Mapping = t.Mapping[str, t.Any]
Options = dict[str, t.Any]

ROLE = "docker_daemon"
#: Register of the temporary clients, and the variables of plays with the clients of single generations.
CLIENTS = "__docker_daemon_clients"
#: Issuers that make a certificate at once, within the run.
MAKES_CLIENTS = ("openbao",)
GENERATIONS = "__docker_daemon_generations"
#: Beside the options of M(endpoint_info): how its good client was got, for the report.
USED = "used"
#: The entry of docker_daemon_verify_clients for the group of the host, with the group and its anchors.
GIVEN = "given"
#: The networks that the host lets connect, for the message of one that does not answer.
SOURCES = "allowed_sources"


def wanted(bound: Bound) -> bool:
    """Return whether the task's own host is verified now."""
    if bound["docker_daemon_state"] != "present" or bound.raw("ansible_check_mode"):
        return False
    return _is_due(bound["docker_daemon_verify"], bound.raw("docker_daemon_endpoint")) or bool(revocations(bound))


def revocations(bound: Bound) -> list[Mapping]:
    """Return the clients that this run shuts out: each host is then asked whether it still admits their generation."""
    checked = bound.of_host(bound["docker_daemon_ca_host"]).get("__docker_ca_checked") or {}
    return list(checked.get("revocations") or [])


def clients(bound: Bound, fleet: Fleet) -> t.Optional[Options]:
    """Return the options of M(temporary_client) for the hosts of the batch, None where none of them is verified.

    They are made once for all hosts: rather too often than too seldom.
    """
    batch = [str(host) for host in bound.raw("ansible_play_batch") or ()]
    hosts = [host for host in batch if not bound.is_witness(host)]  # which has no daemon, and so no access groups
    here = bound["docker_daemon_verify"]
    due = (
        _is_due(verify, fleet[host].get("docker_daemon_endpoint"))
        for host in hosts
        for verify in {here, fleet[host].get("docker_daemon_verify", here)}
    )
    if bound.raw("ansible_check_mode") or not (any(due) or revocations(bound)):
        return None
    firsts = [((fleet[host].get("docker_daemon_access_groups") or ["clients"])[0], host) for host in hosts]
    groups = list(dict.fromkeys(group for group, host in firsts if group not in _given(fleet[host])))
    issuers = options.issuers(bound, fleet)
    external = [group for group in groups if issuer_settings.is_external(issuers, group)]
    return {
        # OpenBao makes a client at once; certificates that people bring do not come within a run.
        "external": [
            one
            for one in issuer_settings.asked(issuers)
            if one["authority"] in external and one["issuer"] in MAKES_CLIENTS
        ],
        "path": options.ca_path(bound, ROLE, fleet),
        "passphrase": options.ca_passphrase(bound, ROLE, fleet),
        "groups": list(
            dict.fromkeys([group for group in groups if group not in external] + _own_limited(bound, fleet, hosts))
        ),
        "name": "docker-tls-verify",
        "validity": "10m",
        "expired": True,
        "revoked": [group for group in _listed_groups(fleet, hosts) if not issuer_settings.is_external(issuers, group)],
    }


def _own_limited(bound: Bound, fleet: Fleet, hosts: t.Iterable[str]) -> list[str]:
    """Return the groups with limited rights on one of the hosts for which this collection's CA makes clients."""
    issuers = options.issuers(bound, fleet)
    found = sorted({group for host in hosts for group in _limited(fleet[host])})
    return [group for group in found if not issuer_settings.is_external(issuers, group)]


def _limited(variables: Mapping) -> list[str]:
    """Return the groups that a host admits with limited rights."""
    rights = variables.get("docker_daemon_group_rights") if access_lists.is_proxy(variables) else None
    groups = variables.get("docker_daemon_access_groups") or ["clients"]
    return [group for group in groups if rights.get(group, FULL) != FULL] if isinstance(rights, t.Mapping) else []


def _listed_groups(fleet: Fleet, hosts: t.Iterable[str]) -> list[str]:
    """Return the access groups of the hosts that check revocation lists."""
    proxies = [fleet[host] for host in hosts if access_lists.is_proxy(fleet[host])]
    return sorted({group for one in proxies for group in one.get("docker_daemon_access_groups") or ["clients"]})


def _given(variables: t.Any) -> Mapping:
    """Return docker_daemon_verify_clients of a host: by access group the files of a client for verifications."""
    found = variables.get(session.VARIABLE)
    return found if isinstance(found, t.Mapping) else {}


def _client(bound: Bound, fleet: Fleet, known: Mapping, group: str) -> Options:
    """Return GIVEN where the user has given a client for the group, and else, for the report, which issuer was asked for one."""
    given = _given(bound).get(group)
    if given is not None:
        return {GIVEN: {"client": given, "group": group, "anchors": known[group]["trusted_content"]}}
    kinds = [one["issuer"] for one in issuer_settings.asked(options.issuers(bound, fleet)) if one["authority"] == group]
    return {USED: kinds[0]} if kinds else {}


def _is_due(verify: t.Any, result: t.Any) -> bool:
    """Return whether a host is verified after M(endpoint) has returned ``result``."""
    found = result or {}
    return bool(verify == "always" or (verify == "changed" and (found.get("changed") or found.get("not_verified"))))


def endpoint(bound: Bound, fleet: Fleet) -> t.Optional[Options]:
    """Return the options of M(endpoint_info) for the task's own host, None where it is not verified.

    Raises TlsError ``run-unfinished`` where the task that makes the clients was skipped.
    """
    if not wanted(bound):
        return None
    host = str(bound["inventory_hostname"])
    address = urlsplit(inventory.endpoint_url(host, fleet))
    known = options.authorities(bound, ROLE)
    groups = bound["docker_daemon_access_groups"]
    made = bound.raw(CLIENTS) or {}
    group = groups[0]
    if "clients" not in made and group not in _given(bound):
        raise TlsError(
            f"the endpoint of {host} is not verified: this run has made no client certificates for that",
            hint="Run the playbook from its beginning, without --start-at-task and --tags.",
            code="run-unfinished",
        )
    client = (made.get("clients") or {}).get(group) or {"certificate_content": "", "expired_certificate_content": ""}
    generations = bound.get(GENERATIONS) or {}
    result = bound.raw("docker_daemon_endpoint") or {}
    seen = result.get("endpoint") or {}
    expired = {
        "name": "expired-client",
        "certificate_content": client["expired_certificate_content"],
        "key_content": made.get("key_content", ""),
    }
    foreign = is_true(bound["docker_daemon_allow_port_2375"]) or seen.get("port_2375")
    return {
        "host": address.hostname,
        "port": address.port,
        "ca_content": known["server"][bound.get("__docker_daemon_verification_trusts") or "trusted_content"],
        "certificate_content": client["certificate_content"],
        "key_content": made.get("key_content", ""),
        **_client(bound, fleet, known, group),
        **_sources(bound),
        "client_ca_content": inventory.client_anchors(known, groups),
        "expected_certificate_fingerprint": (seen.get("certificate") or {}).get("fingerprint_sha256", ""),
        "expected_engine_version": seen.get("engine_version", ""),
        "refused_clients": [
            *([expired] if expired["certificate_content"] else []),
            *revocation.generation_clients(generations, known, "refused"),
            *_revoked_clients(made.get("revoked") or {}, groups, seen),
        ],
        "admitted_clients": revocation.generation_clients(generations, known, "admitted", groups),
        **_proxied(fleet[host], made, group),
        # Another process there is not dockerd: the host has warned of it, by its name.
        "closed_ports": [] if foreign else [2375],
    }


def _proxied(variables: Mapping, made: Mapping, group: str) -> Options:
    """Return what only a proxy has to be asked: whether it limits the groups whose rights are limited, and passes on those of others."""
    if not access_lists.is_proxy(variables):
        return {}
    limited, clients_made = _limited(variables), made.get("clients") or {}
    tried = [
        {
            "name": f"limited-{name}",
            "certificate_content": clients_made[name]["certificate_content"],
            "key_content": made["key_content"],
        }
        for name in limited
        if (clients_made.get(name) or {}).get("certificate_content")
    ]
    return {"limited_clients": tried, "upgraded_connection": group not in limited}


def _sources(bound: Bound) -> Options:
    """Return the sources that the host lets connect, for the message of one that does not answer; nothing where all may."""
    sources = bound["docker_daemon_allowed_sources"]
    return {SOURCES: sources} if sources else {}


def _revoked_clients(made: Mapping, groups: t.Container[str], endpoint_seen: Mapping) -> list[Options]:
    """Return the clients with a revoked serial number that the host has to refuse: of the authorities whose lists it has."""
    lists = {one["issuer"] for one in endpoint_seen.get("revocation_lists") or []}
    return [
        {"name": f"{revocation.LISTED}{group}", **{name: one[name] for name in ("certificate_content", "key_content")}}
        for group, one in sorted(made.items())
        if group in groups and (one.get("certificate") or {}).get("issuer") in lists
    ]
