# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be signed in one call of the CA, and which names belong to which host. |."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from .._variables.binding import Bound, defaults
from .._variables.fleet_variables import ADDRESSES, Fleet, as_written, is_computed
from . import (
    access_lists,
    host_reports,
    inventory,
    issuer_settings,
    options,
)
from .host_reports import spelled
from .inventory import as_list, listen_addresses

Mapping = t.Mapping[str, t.Any]

#: Words that select addresses of the host and are not names.
_SELECTORS = ("private", "all")


def reserved_names(hosts: t.Iterable[str], hostvars: Mapping) -> dict[str, list[str]]:
    """Return which hosts each name of the inventory belongs to, so that no other host is given a certificate for it.

    A name may belong to several hosts (an ``ansible_host`` in front of forwarded ports, a balancer's name). But a variable may
    take its value from a fact, and a fact is reported by the host itself. So another host's inventory name and ``ansible_host``
    are shared only where they are written out, and a name from a fact is assigned to no host here: it counts as reported.
    """
    own: dict[str, set[str]] = {}
    declared: list[tuple[str, list[str]]] = []
    for host in hosts:
        variables = _computed(hostvars[host])
        for name in (host, *_address_of(host, variables, hostvars)):
            own.setdefault(spelled(name), set()).add(host)
        declared.append((host, [spelled(name) for name in _declared_names(variables)]))
    owners = {name: set(found) for name, found in own.items()}
    for host, names in declared:
        said = _Said(host, hostvars)
        for name in dict.fromkeys(names):
            others = own.get(name, set()) - {host}
            if host in own.get(name, ()) or said.is_literal(name) or not (others or said.is_from_fact(name)):
                owners.setdefault(name, set()).add(host)
    return {name: sorted(hosts) for name, hosts in owners.items()}


def _computed(variables: Mapping) -> Mapping:
    """Return those variables that give names to a host and that can be computed from another host's point of view.

    One that cannot (``hostvars`` inside of it, a missing variable) must not keep all hosts from their certificates; the host itself
    reads it again where it can be computed, or where the failure is its own.
    """
    found = {}
    for name in (*host_reports.DECLARING, *ADDRESSES):
        try:
            value = variables.get(name)
        except AnsibleError:
            continue
        if is_computed(value):
            found[name] = value
    return found


def _address_of(host: str, variables: Mapping, hostvars: Mapping) -> list[str]:
    """Return the address by which Ansible reaches a host, nothing where it has none or takes it from a fact."""
    name = next((name for name in ADDRESSES if variables.get(name)), "")
    if not name:
        return []
    written = as_written(hostvars, host)
    return [] if host_reports.is_from_fact(written.get(name), written) else [variables[name]]


class _Said:
    """A host's variables as they are written in the inventory, read only where needed, because all of them have to be read."""

    def __init__(self, host: str, hostvars: Mapping) -> None:
        self._host, self._hostvars = host, hostvars
        self._literal: set[str] | None = None
        self._of_facts: set[str] | None = None

    def is_literal(self, name: str) -> bool:
        """Return whether the inventory has this very name for this host."""
        if self._literal is None:
            self._literal = host_reports.written_out(as_written(self._hostvars, self._host))
        return name in self._literal

    def is_from_fact(self, name: str) -> bool:
        """Return whether this name comes from a fact."""
        if self._of_facts is None:
            written, values = as_written(self._hostvars, self._host), _computed(self._hostvars[self._host])
            self._of_facts = {
                spelled(each)
                for variable in host_reports.DECLARING
                for value in host_reports.of_facts(written.get(variable), _values(values.get(variable)), written)
                for each in (value, *listen_addresses([value]))
            }
        return name in self._of_facts


def _values(value: t.Any) -> list[t.Any]:
    """Return the entries of a variable, one for a single text that is not a list."""
    return [value] if isinstance(value, str) and "," not in value else as_list(value)


def _declared_names(variables: Mapping) -> list[str]:
    """Return the names and addresses that the inventory gives to a host beside its own name and ``ansible_host``."""
    literal = [
        *(each for each in as_list(variables.get("docker_server_cert_addresses")) if each != "listen"),
        *listen_addresses(variables.get("docker_daemon_listen")),
    ]
    single = [variables.get(name) for name in ("docker_daemon_address", "docker_server_cert_common_name")]
    return [
        name
        for name in [*single, *as_list(variables.get("docker_server_cert_names")), *literal]
        if name and name not in _SELECTORS
    ]


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
        "lock_timeout": bound[f"{role}_lock_timeout"],
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
        "cryptography_package": bound["docker_server_cert_cryptography_package"],
    }


def _known(request: Options, issuers: t.Sequence[Options]) -> Options:
    """Return a request that may replace what leads to an anchor of the inventory: a fleet that comes back from another issuer."""
    replaced = request.get("replaces") or {}
    if not issuer_settings.is_anchor(issuers, str(replaced.get("authority_fingerprint_sha256") or "")):
        return request
    return {name: value for name, value in request.items() if name != "replaces"}


def _external(
    bound: Bound, role: str, fleet: Fleet, requests: t.Sequence[Options], issuers: t.Sequence[Options], names: Options
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
        LEDGER: {"path": options.ca_path(bound, role, fleet), "lock_timeout": bound[f"{role}_lock_timeout"]},
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
        "reserved_names": reserved_names(everybody, fleet),
        "contested_names": host_reports.contested_names(everybody, fleet),
        "same_machine": host_reports.same_machine(everybody, fleet),
    }
