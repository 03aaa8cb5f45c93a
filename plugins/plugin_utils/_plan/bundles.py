# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client bundles of one host: what the role docker_client_cert passes to M(certificate_requests) and M(certificate_bundles)."""

from __future__ import annotations

import typing as t

from .. import _formats, _inventory
from .._bound import Bound
from .._variables import Fleet
from . import options, registered, revocation

Mapping = t.Mapping[str, t.Any]
Options = dict[str, t.Any]

ROLE = "docker_client_cert"


def requests(bound: Bound) -> list[Options]:
    """Return the requests of all bundles of the task's host. Raises ValueError for an unknown client or group."""
    settings = {
        "key_type": bound["docker_client_cert_key_type"],
        "validity": bound["docker_client_cert_validity"],
        "renew_before": bound["docker_client_cert_renew_before"],
        "renew_jitter": bound["docker_client_cert_renew_jitter"],
        "path": options.bundles_path(bound),
        "host": bound["inventory_hostname"],
        "force": bound["docker_client_cert_force_renewal"],
    }
    clients = bound["docker_client_cert_clients"]
    return _inventory.client_certificate_requests(_assigned(bound), clients, options.authorities(bound, ROLE), settings)


def bundles(bound: Bound, fleet: Fleet) -> Options:
    """Return the options of M(certificate_bundles): bundles with what was signed for them, those to remove, and what was rejected."""
    host, clients = str(bound["inventory_hostname"]), bound["docker_client_cert_clients"]
    signed = options.signed_of(bound, ROLE)
    docker_hosts = bound.groups().get("docker_hosts") or []
    settings = {
        "path": options.bundles_path(bound),
        "docker_host": bound["docker_client_cert_docker_host"] or _first_endpoint(docker_hosts, fleet),
        "bundles": bound["docker_client_cert_bundle_formats"],
        "pkcs12_passphrase": bound["docker_client_cert_pkcs12_passphrase"],
    }
    files = _inventory.client_bundle_files(
        _assigned(bound), host, signed.get("certificates") or {}, options.authorities(bound, ROLE), settings
    )
    wanted = _formats.client_bundle_formats(files, _assigned(bound), clients, docker_hosts, fleet, settings)
    revoked = revocation.revoked_bundles(host, _only(bound), clients, _machines(bound), settings["path"])
    rejected = _inventory.rejected_requests(signed.get("rejected") or {}, host)
    return {"bundles": [*wanted, *revoked], "rejected": rejected}


def _first_endpoint(hosts: t.Sequence[str], fleet: Fleet) -> str:
    return next((_inventory.endpoint_url(host, fleet) for host in hosts[:1]), "")


def _machines(bound: Bound) -> t.Sequence[str]:
    return bound.groups().get("docker_clients") or []


def _assigned(bound: Bound) -> list[Mapping]:
    """Return the bundles of the task's host, without those of groups whose members keep their certificates until a revocation goes on."""
    host, clients = str(bound["inventory_hostname"]), bound["docker_client_cert_clients"]
    found = _inventory.client_bundles(host, _only(bound), clients, _machines(bound))
    held = registered.planned("held", bound.groups(), bound.hostvars())
    groups = {client["name"]: client.get("group", "clients") for client in clients} if held else {}
    return [bundle for bundle in found if groups.get(bundle["client"]) not in held]


def _only(bound: Bound) -> dict[str, Mapping]:
    """Return what is read of the task's own host: only client machines have users, so only they need be able to compute them."""
    host = str(bound["inventory_hostname"])
    names = ("docker_client_cert_users", "ansible_user") if host in _machines(bound) else ()
    return {host: {name: bound.get(name) for name in names if bound.get(name)}}
