# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client bundles of one host: options of the role docker_client_cert for M(certificate_requests) and M(certificate_bundles).

Among them which formats a client's bundle has, and which hosts they name.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ...module_utils._bundles.bundle_files import check_docker_host
from ...module_utils._errors import TlsError
from .._remote.failures import failure
from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet
from . import (
    inventory,
    issuer_settings,
    locations,
    options,
    registered,
    revocation,
)
from .inventory import Mapping, endpoint_url, present_clients, revoked_bundles

Options = dict[str, t.Any]

ROLE = "docker_client_cert"
#: Where the role registers what M(certificate_bundles) has returned.
INSTALLED = "__docker_client_cert_installed"
_DEFAULT_GROUPS = ("clients",)


def requests(bound: Bound, become: bool) -> list[Options]:
    """Return the requests of all bundles that a task on its host is for (``locations.is_for``).

    Raises ValueError for an unknown client or group.
    """
    settings = {
        "key_type": bound["docker_client_cert_key_type"],
        "validity": bound["docker_client_cert_validity"],
        "renew_before": bound["docker_client_cert_renew_before"],
        "renew_jitter": bound["docker_client_cert_renew_jitter"],
        "path": options.bundles_path(bound),
        "host": bound["inventory_hostname"],
        "force": bound["docker_client_cert_force_renewal"],
    }
    clients, known = bound["docker_client_cert_clients"], options.authorities(bound, ROLE)
    if any(one.get("issuer") == "files" for one in known.values()):
        settings["issuers"] = bound.get(issuer_settings.CLIENT_VARIABLE)
    return inventory.client_certificate_requests(_assigned(bound, become), clients, known, settings)


def bundles(bound: Bound, fleet: Fleet, become: bool) -> Options:
    """Return the options of M(certificate_bundles): bundles with their new certificates, those to remove, and rejected requests."""
    host, clients = str(bound["inventory_hostname"]), bound["docker_client_cert_clients"]
    signed = options.signed_of(bound, ROLE)
    docker_hosts = bound.groups().get("docker_hosts") or []
    settings = {
        "path": options.bundles_path(bound),
        "docker_host": default_endpoint(bound["docker_client_cert_docker_host"], docker_hosts, fleet),
        "bundles": bound["docker_client_cert_bundle_formats"],
        "pkcs12_passphrase": bound["docker_client_cert_pkcs12_passphrase"],
    }
    assigned = _assigned(bound, become)
    files = inventory.client_bundle_files(
        assigned, host, signed.get("certificates") or {}, options.authorities(bound, ROLE), settings
    )
    wanted = client_bundle_formats(files, assigned, clients, docker_hosts, fleet, settings)
    revoked = revoked_bundles(host, _only(bound), clients, _machines(bound), settings["path"])
    unknown = revocation.unknown_clients(bound.groups(), bound.hostvars())
    for one in revoked:
        if one["common_name"] in unknown:
            one["keep_if_issued_by"] = _client_authorities(options.authorities(bound, ROLE))
    rejected = inventory.rejected_requests(signed.get("rejected") or {}, host)
    removed = [one for one in revoked if locations.is_for({"user": one["owner"]}, host, _machines(bound), become)]
    return {"bundles": [*wanted, *removed], "rejected": rejected}


def _client_authorities(authorities: Mapping) -> str:
    return "".join(str(one["trusted_content"]) for name, one in authorities.items() if name != "server")


def unrecorded(host: str, kept: t.Sequence[Mapping]) -> Options:
    """Return the failure of a host that has bundles of revoked clients whose certificates the ledger does not have (RV(unrecorded))."""
    which = ", ".join(f"{one['id']} in {one['directory']} (serial {one['serial']})" for one in kept)
    return failure(
        f"NOT REVOKED: the ledger of the CA has no certificate of these revoked clients, but {host} has bundles with valid ones: {which}. The ledger is "
        "older than they are: a backup or a snapshot of the CA came back. The bundles were not removed",
        "Run portcullis.docker_tls.record_certificates, which reads the certificates of all hosts and bundles into the ledger, then "
        "portcullis.docker_tls.site again.",
        "revoked-not-recorded",
    )


def installed_before(bound: Bound, become: bool) -> list[Mapping]:
    """Return the bundles of the task's host that an earlier task of this run has installed, and that this task is not for."""
    host, machines = str(bound["inventory_hostname"]), _machines(bound)
    if not locations.has_both(host, machines):
        return []
    assigned = inventory.client_bundles(host, _only(bound), bound["docker_client_cert_clients"], machines)
    others = {one["id"] for one in assigned if not locations.is_for(one, host, machines, become)}
    return [one for one in (bound.raw(INSTALLED) or {}).get("bundles") or [] if one["id"] in others]


def default_endpoint(given: str, hosts: t.Sequence[str], hostvars: Mapping) -> str:
    """Return ``given``, or that of the first Docker host with an endpoint; "" for none. One whose endpoint is removed is never named."""
    present = _present(hosts, hostvars)
    kept = {endpoint_url(host, hostvars) for host in present} if given else set()
    if given and (
        given in kept or given not in {endpoint_url(host, hostvars) for host in hosts if host not in present}
    ):
        return given
    return next((url for url in (endpoint_url(host, hostvars) for host in present) if _is_address(url)), "")


def unusable_endpoints(hosts: t.Sequence[str], hostvars: Mapping) -> list[str]:
    """Return a sentence for each Docker host that no bundle can name. It must not keep all clients from their certificates."""
    urls = {host: endpoint_url(host, hostvars) for host in _present(hosts, hostvars)}
    return [
        f"no client bundle names {host}, because clients would have to reach it at {url!r}, which is not an address of a TLS endpoint. "
        "Correct docker_daemon_listen of this host, or set its docker_daemon_address to a name or an IP address that its clients use."
        for host, url in urls.items()
        if not _is_address(url)
    ]


@functools.cache  # a fleet asks for each client and each host
def _is_address(url: str) -> bool:
    try:
        check_docker_host(url)
    except TlsError:
        return False
    return True


def _present(hosts: t.Sequence[str], hostvars: Mapping) -> list[str]:
    return [host for host in hosts if hostvars[host].get("docker_daemon_state", "present") == "present"]


def _machines(bound: Bound) -> t.Sequence[str]:
    return bound.groups().get("docker_clients") or []


def _assigned(bound: Bound, become: bool) -> list[Mapping]:
    """Return the bundles that the task is for, without those of groups whose members keep their certificates until a revocation continues."""
    host, clients = str(bound["inventory_hostname"]), bound["docker_client_cert_clients"]
    machines = _machines(bound)
    found = [
        one
        for one in inventory.client_bundles(host, _only(bound), clients, machines)
        if locations.is_for(one, host, machines, become)
    ]
    held = registered.planned("held", bound.groups(), bound.hostvars())
    groups = {client["name"]: client.get("group", "clients") for client in clients} if held else {}
    return [bundle for bundle in found if groups.get(bundle["client"]) not in held]


def _only(bound: Bound) -> dict[str, Mapping]:
    """Return the variables that are read of the task's own host: only client machines have users, so only they need be able to compute them."""
    host = str(bound["inventory_hostname"])
    names = ("docker_client_cert_users", "ansible_user") if host in _machines(bound) else ()
    return {host: {name: bound.get(name) for name in names if bound.get(name)}}


def client_bundle_formats(
    files: t.Iterable[Mapping],
    bundles: t.Iterable[Mapping],
    clients: t.Sequence[Mapping],
    hosts: t.Sequence[str],
    hostvars: Mapping,
    settings: Mapping,
) -> list[dict[str, t.Any]]:
    """Return the ``bundles`` of M(certificate_bundles) with their formats.

    In: what client_bundle_files and client_bundles gave, docker_client_cert_clients, the hosts of docker_hosts, ``hostvars``, and the
    role's ``bundles``, ``docker_host`` and ``pkcs12_passphrase`` as settings. A client's own ``bundles`` count more.
    """
    by_name = {client["name"]: client for client in present_clients(clients)}
    assigned = {bundle["id"]: by_name[bundle["client"]] for bundle in bundles}
    return [{**entry, **_wish(assigned[entry["id"]], hosts, hostvars, settings)} for entry in files]


def _wish(client: Mapping, hosts: t.Sequence[str], hostvars: Mapping, settings: Mapping) -> dict[str, t.Any]:
    formats = list(client.get("bundles", settings["bundles"]))
    endpoints = client_endpoints(client.get("group", "clients"), hosts, hostvars, settings["docker_host"])
    return {
        "formats": formats,
        "environment_file": "environment" in formats,
        "endpoints": endpoints,
        # Not a host that would refuse this client.
        "docker_host": endpoints[0]["docker_host"] if endpoints else settings["docker_host"],
        "consumer_directory": client.get("consumer_directory", ""),
        "pkcs12_passphrase": settings["pkcs12_passphrase"] if "pkcs12" in formats else "",
    }


def client_endpoints(group: str, hosts: t.Sequence[str], hostvars: Mapping, default: str) -> list[dict[str, str]]:
    """Return the Docker hosts that admit ``group``, by inventory name, with the one of ``default`` first.

    A ``default`` that is not an inventory host's address (for example a name in front of one) is an endpoint of its own.
    """
    present = _present(hosts, hostvars)
    urls = {host: endpoint_url(host, hostvars) for host in present}
    admitting = [
        {"name": host, "docker_host": urls[host]}
        for host in present
        if group in (hostvars[host].get("docker_daemon_access_groups") or _DEFAULT_GROUPS) and _is_address(urls[host])
    ]
    if default and default not in urls.values():
        name = re.sub(r"^tcp://\[?|\]?:\d+$", "", default)
        admitting = [entry for entry in admitting if entry["name"] != name]
        return [{"name": name, "docker_host": default}, *admitting]
    return sorted(admitting, key=lambda entry: entry["docker_host"] != default)
