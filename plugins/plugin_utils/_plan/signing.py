# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests of the hosts of a batch: for the CA in one call (M(signed_certificates)), by other issuers (M(issued_certificates))."""

from __future__ import annotations

import typing as t

from .._variables.binding import Bound, defaults
from .._variables.fleet_variables import Fleet
from . import access_lists, host_reports, inventory, issuer_settings, name_owners, options

Options = dict[str, t.Any]

#: What other issuers are asked for, beside the options for the CA.
EXTERNAL = "external"
#: In it, the file of tasks of each authority whose issuer is asked by them. It is not an option of M(issued_certificates).
TASKS = "tasks"
#: In it, where the ledger is that has a line for each certificate; no option of M(issued_certificates) either.
LEDGER = "ledger"
SERVER, CLIENT = "docker_server_cert", "docker_client_cert"


def batch(bound: Bound, role: str, fleet: Fleet) -> t.Optional[Options]:
    """Return the options of M(signed_certificates) for all hosts of the batch; None where no call is needed.

    The CA is called where a certificate of its own is due, and where the ledger looks older than a certificate that a host has. What other
    issuers are to issue is beside that under EXTERNAL, the options of M(issued_certificates); without ``path``, the CA is not called.
    """
    make = {SERVER: _server, CLIENT: _client}[role]
    hosts = list(bound.raw("ansible_play_batch") or ())
    requests = make(bound, hosts, fleet)
    issuers = options.issuers(bound, fleet) if requests else []
    requests = [_known(one, issuers) for one in requests]
    external = [one for one in requests if issuer_settings.is_external(issuers, one["authority"])]
    requests = [one for one in requests if one not in external]
    names = _names(bound, fleet) if role == SERVER else {}
    beside = {EXTERNAL: _external(bound, role, fleet, external, issuers, names)} if external else {}
    installed = host_reports.installed_certificates(hosts, fleet, f"__{role}_requested")
    if not requests and not host_reports.is_behind(installed, options.ledger(bound, role)):
        return beside or None
    return {
        **beside,
        "path": options.ca_path(bound, role, fleet),
        "passphrase": options.ca_passphrase(bound, role, fleet),
        "requests": requests,
        "installed": installed,
        **names,
        "partial": True,
        "lock_timeout": bound[options.ROLES[role].lock_timeout],
    }


def answered(bound: Bound, role: str, fleet: Fleet) -> t.Optional[Options]:
    """Return the options of M(issued_certificates) for what awaited an answer, with the answers; None where nothing did.

    The tasks of an issuer have set docker_issuer_answers; ACME has answered on each host.
    """
    pending = {str(one["id"]): one for one in (bound.raw(f"{role}_signed") or {}).get("pending") or ()}
    planned = (batch(bound, role, fleet) or {}).get(EXTERNAL) if pending else None
    if not planned:
        return None
    answers = dict(bound.raw("docker_issuer_answers") or {})
    for host in bound.raw("ansible_play_batch") or ():
        ordered = fleet[host].get(f"__{role}_ordered") or {}
        if ordered.get("certificate_content") or ordered.get("failed"):
            answers[f"{host}/server"] = {
                name: ordered.get(name) or "" for name in ("certificate_content", "msg", "hint", "code")
            }
    return {
        **planned,
        "requests": [one for one in planned["requests"] if one["id"] in pending],
        "answers": {name: one for name, one in answers.items() if name in pending},
    }


def acme(bound: Bound, fleet: Fleet) -> t.Optional[Options]:
    """Return the options of M(acme_certificate) for the task's own host, None where it awaits nothing."""
    issuer = next((one for one in options.issuers(bound, fleet) if one["authority"] == "server"), {})
    name = f"{bound['inventory_hostname']}/server"
    pending = (bound.raw(f"{SERVER}_signed") or {}).get("pending") or ()
    mine = next((one for one in pending if one["id"] == name), None)
    if issuer.get("issuer") != "acme" or mine is None:
        return None
    return {
        **issuer["acme"],
        "anchors_content": issuer["ca_content"],
        "key_path": f"{bound['docker_server_cert_path']}/server-key.pem",
        "common_name": mine["common_name"],
        "names": mine["names"],
        "cryptography_package": bound[options.ROLES[SERVER].cryptography_package],
    }


def _known(request: Options, issuers: t.Sequence[Options]) -> Options:
    """Return a request that may replace what leads to an anchor of the inventory: a fleet that comes back from another issuer."""
    replaced = request.get("replaces") or {}
    if not issuer_settings.is_anchor(issuers, str(replaced.get("authority_fingerprint_sha256") or "")):
        return request
    return {name: value for name, value in request.items() if name != "replaces"}


def _external(
    bound: Bound,
    role: str,
    fleet: Fleet,
    requests: t.Sequence[Options],
    issuers: t.Sequence[Options],
    names: Options,
) -> Options:
    """Return the options of M(issued_certificates). What only a CA of ours can do is left out of the requests."""
    ours = ("replaces", "generation", "expired")
    before = bound[f"{role}_renew_before"]
    wanted = {one["authority"] for one in requests}
    return {
        "requests": [
            {"renew_before": before, **{name: value for name, value in one.items() if name not in ours}}
            for one in requests
        ],
        "issuers": [one for one in issuer_settings.asked(issuers) if one["authority"] in wanted],
        TASKS: {one["authority"]: str(one["tasks"]) for one in issuers if one.get("issuer") == "tasks"},
        LEDGER: {
            "path": options.ca_path(bound, role, fleet),
            "lock_timeout": bound[options.ROLES[role].lock_timeout],
        },
        **names,
    }


def _server(bound: Bound, hosts: t.Sequence[str], fleet: Fleet) -> list[Options]:
    usual = defaults(SERVER)
    return inventory.server_signing_requests(
        hosts,
        fleet,
        usual["docker_server_cert_validity"],
        usual["docker_server_cert_foreign_authority"],
        bool(bound.raw("ansible_check_mode")),
    )


def _client(bound: Bound, hosts: t.Sequence[str], fleet: Fleet) -> list[Options]:
    machines = bound.groups().get("docker_clients") or []
    lists, _unread = access_lists.client_lists(bound.groups(), fleet)
    return [
        request
        for host in hosts
        for request in inventory.client_signing_requests(
            [host],
            fleet,
            access_lists.clients_of(host, lists),
            machines,
            _validity(host, fleet),
            bool(bound.raw("ansible_check_mode")),
            bound.groups().get("docker_hosts") or [],
        )
    ]


def _validity(host: str, fleet: Fleet) -> str:
    return str(fleet[host].get("docker_client_cert_validity") or defaults(CLIENT)["docker_client_cert_validity"])


def _names(bound: Bound, fleet: Fleet) -> Options:
    """Return the owners of names, by the inventory and the hosts' answers."""
    everybody = bound.groups().get("all") or []
    return {
        "reserved_names": name_owners.reserved_names(everybody, fleet),
        "contested_names": host_reports.contested_names(everybody, fleet),
        "same_machine": host_reports.same_machine(everybody, fleet),
    }
