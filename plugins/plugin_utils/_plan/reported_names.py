# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's requirements of a host's certificate, compared with the reports of all hosts of a run.

A host's answer is not trusted. The controller's own values of a certificate are put beside the answer by the action that
asked for it (``asked``), over whatever the host may have put there.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._variables.as_written import as_written
from .fact_names import spelled
from .inventory import as_list

Mapping = t.Mapping[str, t.Any]

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_MACHINE = re.compile(r"[0-9a-f]{64}")
_MOST_NAMES = 256


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
        inspected = variables.get("__docker_tls_inspected")
        inspected = inspected if isinstance(inspected, t.Mapping) else {}
        for answer in (variables.get("__docker_server_cert_requested"), inspected.get("prepared"), inspected):
            entries = answer.get("requests") if isinstance(answer, t.Mapping) else None
            first = entries[0] if isinstance(entries, (list, tuple)) and entries else None
            if isinstance(first, t.Mapping):
                yield host, first
                break
