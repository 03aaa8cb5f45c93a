# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that hosts report, and whether the ledger seems older than those.

A host's answer is not trusted: a part in a wrong form is left out, and the rest makes a warning at most.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta

from . import inspected

Mapping = t.Mapping[str, t.Any]

#: By which the roles have certificates begin before they are issued (the default of M(signed_certificates)).
_BACKDATE = timedelta(minutes=5)
#: A host has one server certificate, and a client machine a bundle for each of its users.
_MOST = 500
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_IDENTIFIER = re.compile(r"[0-9a-f]{2,128}")
_SERIAL = re.compile(r"[0-9a-f]{2,64}")
_ISSUER = re.compile(r"[\x20-\x7e\xa0-\ud7ff\ue000-\uffff]{0,1000}")


def _answer(variables: Mapping, variable: str) -> t.Any:
    if variable != inspected.REQUESTED:
        return variables.get(variable)
    return inspected.requested(variables) or answer_of(variables, variable)


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
        for certificate in _reported(_answer(hostvars[host], variable))
    ]


def answer_of(variables: Mapping, name: str) -> Mapping:
    """Return the register ``name`` of a role on a host; where the roles had nothing to do, the result of the inspection before them."""
    found = variables.get(name)
    return (variables.get("__docker_tls_inspected") if found is None else found) or {}


def _reported(answer: t.Any) -> t.Iterator[Mapping]:
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
