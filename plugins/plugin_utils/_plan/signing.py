# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CA is to sign for the hosts of a batch, in one call: the options of M(signed_certificates), or nothing."""

from __future__ import annotations

import typing as t

from .. import _access, _installed, _inventory, _reports, _reserved
from .._bound import Bound, defaults
from .._variables import Fleet
from . import options

Mapping = t.Mapping[str, t.Any]
Options = dict[str, t.Any]

SERVER, CLIENT = "docker_server_cert", "docker_client_cert"


def batch(bound: Bound, role: str, fleet: Fleet) -> t.Optional[Options]:
    """Return the options of M(signed_certificates) for all hosts of the batch; None where the CA need not be called.

    It is called where a certificate is due, and where the ledger looks older than a certificate that a host has.
    """
    make = {SERVER: _server, CLIENT: _client}[role]
    hosts = list(bound.raw("ansible_play_batch") or ())
    requests = make(bound, hosts, fleet)
    installed = _installed.installed_certificates(hosts, fleet, f"{role}_requested")
    if not requests and not _installed.is_behind(installed, options.ledger(bound, role)):
        return None
    return {
        "path": options.ca_path(bound, role, fleet),
        "passphrase": options.ca_passphrase(bound, role, fleet),
        "requests": requests,
        "installed": installed,
        **(_names(bound, fleet) if role == SERVER else {}),
        "partial": True,
        "lock_timeout": bound[options.ROLES[role].lock_timeout],
    }


def _server(bound: Bound, hosts: t.Sequence[str], fleet: Fleet) -> list[Options]:
    usual = defaults(SERVER)
    return _inventory.server_signing_requests(
        hosts,
        fleet,
        usual["docker_server_cert_validity"],
        usual["docker_server_cert_foreign_authority"],
        bool(bound.raw("ansible_check_mode")),
    )


def _client(bound: Bound, hosts: t.Sequence[str], fleet: Fleet) -> list[Options]:
    machines = bound.groups().get("docker_clients") or []
    lists, _unread = _access.client_lists(bound.groups(), fleet)
    return [
        request
        for host in hosts
        for request in _inventory.client_signing_requests(
            [host], fleet, _access.clients_of(host, lists), machines, _validity(host, fleet)
        )
    ]


def _validity(host: str, fleet: Fleet) -> str:
    return str(fleet[host].get("docker_client_cert_validity") or defaults(CLIENT)["docker_client_cert_validity"])


def _names(bound: Bound, fleet: Fleet) -> Options:
    """Return to whom names belong, as the inventory and the hosts' answers say."""
    everybody = bound.groups().get("all") or []
    return {
        "reserved_names": _reserved.reserved_names(everybody, fleet),
        "contested_names": _reports.contested_names(everybody, fleet),
        "same_machine": _reports.same_machine(everybody, fleet),
    }
