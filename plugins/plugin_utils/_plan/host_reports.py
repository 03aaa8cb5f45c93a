# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts report about their certificates: names compared with the controller's requirements, and certificates that the ledger may not have.

A host's answer is not trusted: a part in a wrong form is left out, and the rest makes a warning at most. The controller's own values of a
certificate are put beside the answer by the action that asked for it (``asked``), over whatever the host may have put there.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from datetime import datetime, timedelta

from .._variables.as_written import as_written
from .._variables.fleet_variables import INSPECTED
from .fact_names import spelled
from .inspected import REQUESTED, requested
from .inventory import as_list

Mapping = t.Mapping[str, t.Any]

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
