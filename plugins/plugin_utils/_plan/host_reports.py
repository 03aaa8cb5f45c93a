# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts report: names and certificates, compared with what the inventory and the ledger have.

A host's answer is not trusted: a part in a wrong form is left out, and the rest makes a warning at most. The controller's own values of a
certificate are put beside the answer by the action that asked for it (``asked``), over whatever the host may have put there.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from datetime import datetime, timedelta

from .._variables.fleet_variables import INSPECTED, as_written, has_template
from .inspected import REQUESTED, requested
from .inventory import as_list, ascii_name, listen_addresses

Mapping = t.Mapping[str, t.Any]

#: Variables that give names to a host.
DECLARING = (
    "docker_daemon_address",
    "docker_server_cert_common_name",
    "docker_server_cert_names",
    "docker_server_cert_addresses",
    "docker_daemon_listen",
)
#: Variables of Ansible itself, by their names as facts.
_NO_FACTS = (
    r"host|port|user|connection|inventory_sources|limit|version|check_mode|diff_mode|play\w*|role\w*|ssh_\w*|become\w*"
)
_FACT = re.compile(rf"\b(?:ansible_(?!(?:{_NO_FACTS})\b)|facter_|ohai_)\w+")
_VARIABLE = re.compile(r"\b[A-Za-z_]\w*\b")
#: Large, and without templates.
_SKIPPED = frozenset({"ansible_facts", "groups", "hostvars", "vars", "inventory_hostname"})


def is_from_fact(value: t.Any, variables: Mapping, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether a variable as it is written takes something from a fact, itself or through other variables.

    Every word of a template counts that is the name of a variable (``hostvars[inventory_hostname].x`` too): a doubt is on the
    safe side, and a name that is written out is never in doubt.
    """
    for text in _texts(value):
        if _FACT.search(text):
            return True
        words = set(_VARIABLE.findall(text)).intersection(variables) - seen - _SKIPPED
        if any(is_from_fact(variables[word], variables, seen | words) for word in words):
            return True
    return False


def _texts(value: t.Any) -> t.Iterator[str]:
    """Yield the templates anywhere in a value."""
    if isinstance(value, str):
        if has_template(value):
            yield value
    elif isinstance(value, t.Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _texts(item)


def of_facts(written: t.Any, values: t.Sequence[t.Any], variables: Mapping) -> list[t.Any]:
    """Return those of the ``values`` of a variable that come from a fact; ``written`` is the variable with its templates."""
    if not has_template(written):
        return []
    if isinstance(written, list) and len(written) == len(values):
        return [value for value, text in zip(values, written) if is_from_fact(text, variables)]
    return list(values) if is_from_fact(written, variables) else []


def written_out(variables: Mapping) -> set[str]:
    """Return the names that the inventory writes out for a host; ``variables`` with their templates as they are."""
    texts = [str(text) for name in DECLARING for text in _items(variables.get(name))]
    literal = {text for text in texts if not has_template(text)}
    return {spelled(text) for text in (*literal, *listen_addresses(literal)) if text}


def _items(value: t.Any) -> list[t.Any]:
    """Return the entries of a variable; a template is one, whatever it comes to."""
    return [value] if isinstance(value, str) and "{" in value else as_list(value)


def fact_names(request: Mapping, variables: Mapping) -> list[str]:
    """Return the ``fact_names`` of a request of M(certificate_requests) that the role docker_server_cert makes.

    In: the request with values; the host's variables, those of the role among them, with their templates as they are.
    """
    given = {
        "docker_server_cert_names": as_list(request.get("names")),
        "docker_server_cert_common_name": [request.get("common_name") or ""],
        "docker_server_cert_addresses": as_list(request.get("addresses")),
        **{name: as_list(request.get("optional_names"))[1:] for name in ("ansible_host", "ansible_ssh_host")},
    }
    found = {str(value) for name, values in given.items() for value in of_facts(variables.get(name), values, variables)}
    if is_from_fact(
        variables.get("docker_daemon_listen"), variables
    ):  # its addresses are among docker_server_cert_addresses
        found |= {str(value) for value in given["docker_server_cert_addresses"]}
    return sorted(name for name in found - {""} if spelled(name) not in written_out(variables)) if found else []


def with_fact_names(requests: t.Any, variables: Mapping) -> t.Any:
    """Return ``requests`` with their ``fact_names``, unless these are given."""
    if not isinstance(requests, list) or not all(isinstance(request, dict) for request in requests):
        return requests  # the module reports its problem
    return [_with_fact_names(request, variables) for request in requests]


def _with_fact_names(request: dict[str, t.Any], variables: Mapping) -> dict[str, t.Any]:
    asks = request.get("profile") == "server" and not request.get("fact_names")
    found = fact_names(request, variables) if asks else []
    return {**request, "fact_names": found} if found else request


def spelled(name: t.Any) -> str:
    """Return a name in one spelling, whatever it is."""
    text = str(name).strip()
    if ":" in text or text[-1:].isdigit():
        try:
            return str(ipaddress.ip_address(text.strip("[]")))
        except ValueError:
            pass
    return text.lower().rstrip(".") if text.isascii() else ascii_name(text)


LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_MACHINE = re.compile(r"[0-9a-f]{64}")
_MOST_NAMES = 256
#: By which the roles have certificates begin before they are issued (the default of M(signed_certificates)).
_BACKDATE = timedelta(minutes=5)
#: A host has one server certificate, and a client machine a bundle for each of its users.
_MOST = 500
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_IDENTIFIER = re.compile(r"[0-9a-f]{2,128}")
_SERIAL = re.compile(r"[0-9a-f]{2,64}")
_ISSUER = re.compile(r"[\x20-\x7e\xa0-\ud7ff\ue000-\uffff]{0,1000}")


def asked(requests: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the controller's own values of each server request of M(certificate_requests), by its id.

    ``names``: the names that it gives to the host; ``extends``: those that the host's full name may extend; ``address_ranges``:
    which of its addresses the host may report; ``common_name``: the one that is declared, "" for none.
    """
    return {str(request.get("id")): _asked(request) for request in requests or () if request.get("profile") == "server"}


def _asked(request: Mapping) -> dict[str, t.Any]:
    of_facts = {spelled(name) for name in as_list(request.get("fact_names"))}
    common_name = str(request.get("common_name") or "")
    addresses = [str(entry) for entry in as_list(request.get("addresses"))]
    own = [*as_list(request.get("optional_names")), *as_list(request.get("names"))]
    own += [entry for entry in addresses if is_address(entry)]
    own += [common_name] if "." in common_name else []
    declared = [name for name in map(spelled, own) if name not in of_facts]
    fqdn = request.get("fqdn", True)
    hosts = [spelled(name) for name in as_list(request.get("optional_names"))] if fqdn else []
    return {
        "names": [*declared, *(LOCAL_NAMES if request.get("local_names", True) else ())],
        "extends": [
            name for name in hosts if name not in of_facts and not is_address(name) and name not in LOCAL_NAMES
        ],
        "address_ranges": [
            *(entry for entry in addresses if not is_address(entry)),
            *(name for name in sorted(of_facts) if is_address(name)),
        ],
        "common_name": common_name if spelled(common_name) not in of_facts else "",
    }


def is_address(text: t.Any) -> bool:
    """Return whether a text is one IP address."""
    try:
        ipaddress.ip_address(str(text).strip("[]"))
    except ValueError:
        return False
    return True


def contested_names(hosts: t.Iterable[str], hostvars: Mapping) -> dict[str, list[str]]:
    """Return the addresses that several hosts report, with those hosts: ``contested_names`` of M(signed_certificates).

    Only addresses: which host a reported DNS name belongs to follows from the names of the inventory.
    """
    found: dict[str, set[str]] = {}
    for host, entry in _reported(hosts, hostvars):
        names = entry.get("names")
        for name in names[:_MOST_NAMES] if isinstance(names, (list, tuple)) else ():
            if isinstance(name, str) and is_address(name) and not ipaddress.ip_address(name.strip("[]")).is_loopback:
                found.setdefault(spelled(name), set()).add(host)
    return {name: sorted(owners) for name, owners in found.items() if len(owners) > 1}


def same_machine(hosts: t.Iterable[str], hostvars: Mapping) -> list[list[str]]:
    """Return the inventory names that are one and the same machine with one directory: ``same_machine`` of M(signed_certificates)."""
    found: dict[str, set[str]] = {}
    for host, entry in _reported(hosts, hostvars):
        machine = entry.get("machine")
        if isinstance(machine, str) and _MACHINE.fullmatch(machine):
            found.setdefault(machine, set()).add(host)
    return [sorted(names) for names in found.values() if len(names) > 1]


def _reported(hosts: t.Iterable[str], hostvars: Mapping) -> t.Iterator[tuple[str, Mapping]]:
    """Yield the report of each host about its server certificate: to the role, otherwise to the inspection before it."""
    for host in hosts:
        if host not in hostvars:
            continue
        variables = as_written(hostvars, host)
        inspected = variables.get(INSPECTED)
        inspected = inspected if isinstance(inspected, t.Mapping) else {}
        for answer in (variables.get(REQUESTED), inspected.get("prepared"), inspected):
            entries = answer.get("requests") if isinstance(answer, t.Mapping) else None
            first = entries[0] if isinstance(entries, (list, tuple)) and entries else None
            if isinstance(first, t.Mapping):
                yield host, first
                break


def _answer(variables: Mapping, variable: str) -> t.Any:
    if variable != REQUESTED:
        return variables.get(variable)
    return requested(variables) or answer_of(variables, variable)


def installed_certificates(hosts: t.Iterable[str], hostvars: Mapping, variable: str) -> list[dict[str, t.Any]]:
    """Return the certificates that ``hosts`` report in ``variable`` to have, as M(signed_certificates) takes them (``installed``)."""
    return [
        {
            "requester": host,
            "serial": certificate["serial"],
            "issuer": certificate["issuer"],
            "not_before": certificate["not_before"],
            "authority_key_identifier": _identifier(certificate),
        }
        for host in hosts
        for certificate in _certificates_of(_answer(hostvars[host], variable))
    ]


def answer_of(variables: Mapping, name: str) -> Mapping:
    """Return the register ``name`` of a role on a host; where the roles had nothing to do, the result of the inspection before them."""
    found = variables.get(name)
    return (variables.get(INSPECTED) if found is None else found) or {}


def _certificates_of(answer: t.Any) -> t.Iterator[Mapping]:
    entries = answer.get("requests") if isinstance(answer, t.Mapping) else None
    for entry in entries[:_MOST] if isinstance(entries, (list, tuple)) else ():
        # What another issuer has signed is in no ledger of ours, so it cannot be younger than it should be.
        certificate = (
            entry.get("certificate")
            if isinstance(entry, t.Mapping) and entry.get("external_issuer") is not True
            else None
        )
        if isinstance(certificate, t.Mapping) and _is_shaped(certificate):
            yield certificate


def _identifier(certificate: Mapping) -> str:
    found = certificate.get("authority_key_identifier")
    return found if isinstance(found, str) and _IDENTIFIER.fullmatch(found) else ""


def _is_shaped(certificate: Mapping) -> bool:
    texts = [certificate.get(name) for name in ("serial", "issuer", "not_before")]
    if not all(isinstance(text, str) for text in texts):
        return False
    serial, issuer, begin = map(str, texts)
    return bool(_SERIAL.fullmatch(serial) and _ISSUER.fullmatch(issuer) and _issued(begin))


def _issued(not_before: str) -> str:
    """Return when a certificate was issued, as far as its begin shows it; "" otherwise."""
    if not _SHAPE.fullmatch(not_before):
        return ""
    try:
        # Not strptime: its first use costs 3 ms, and Ansible makes a new process for each host.
        begin = datetime.fromisoformat(not_before[:-1])
        return (begin + _BACKDATE).strftime(_TIME)
    except (ValueError, OverflowError):
        return ""


def is_behind(installed: t.Iterable[Mapping], ledger: Mapping) -> bool:
    """Return whether the ledger may be older than what hosts have, so that the CA host has to be asked even if nothing is due.

    In: what installed_certificates gave, the fact docker_ca_ledger. A certificate begins five minutes before it is issued, and
    the ledger then has an entry of that moment.
    """
    if not ledger:
        return False
    end = str(ledger.get("time", ""))
    return bool(ledger.get("restored")) or any(_issued(entry["not_before"]) > end for entry in installed)
