# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which formats a client's bundle has, and which hosts they name."""

from __future__ import annotations

import re
import typing as t

from .inventory import Mapping, endpoint_url, present_clients

_DEFAULT_GROUPS = ("clients",)


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
    present = [host for host in hosts if hostvars[host].get("docker_daemon_state", "present") == "present"]
    urls = {host: endpoint_url(host, hostvars) for host in present}
    admitting = [
        {"name": host, "docker_host": urls[host]}
        for host in present
        if group in (hostvars[host].get("docker_daemon_access_groups") or _DEFAULT_GROUPS)
    ]
    if default and default not in urls.values():
        name = re.sub(r"^tcp://\[?|\]?:\d+$", "", default)
        admitting = [entry for entry in admitting if entry["name"] != name]
        return [{"name": name, "docker_host": default}, *admitting]
    return sorted(admitting, key=lambda entry: entry["docker_host"] != default)
