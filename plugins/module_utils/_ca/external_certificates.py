# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that other issuers have signed for this fleet, recorded in the ledger: what, for which host, by whom.

The record of the issuer is its own log. This line ties it to the fleet: the request, the host, the reason and the user of the run. It is
written after the certificate was checked and before it is passed on. It needs no authority and no passphrase, so a fleet without a CA of
its own has a directory with a ledger alone.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace

from .._pki import reader
from .._time import isoformat
from . import certificate_files, layout, ledger, lock, report
from .call_context import CallContext

#: The event; unlike ``issued`` it means that no authority of this CA has signed the certificate.
EVENT = "external-issued"
_LINE = b'"event":"external-issued"'


@dataclass(frozen=True)
class External:
    """A certificate as its issuer returned it (leaf first), for which request, and which kind of issuer was asked."""

    content: str
    authority: str
    profile: str
    issuer: str
    request: str = ""
    requester: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The entries that were (would be) written, how many certificates the ledger had, its end, and warnings about it."""

    entries: tuple[dict[str, t.Any], ...]
    known: int
    ledger: dict[str, t.Any]
    warnings: tuple[str, ...] = ()


def record(
    place: layout.CaDirectory, certificates: t.Sequence[External], context: CallContext, *, predict: bool
) -> Outcome:
    """Record those of ``certificates`` that the ledger does not have. Makes the directory where there is none.

    Raises TlsError (codes of ``layout``, ``lock`` and ``ledger``; ``certificate-unreadable``); then nothing was written.
    """
    layout.check_parents(place.path)
    layout.check_file_system(place.path, allow_network=context.allow_network_filesystem)
    if os.path.isdir(place.path):
        layout.insecure_entries(place, os.geteuid())
    if predict:
        entries, known = _compare(place, certificates, context)
        return Outcome(entries, known, report.ledger_end(place, ledger.scan(place)))
    layout.prepare(place)
    with lock.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        found = ledger.scan(place)
        ledger.check_clock(place, found, context.now)
        entries, known = _compare(place, certificates, context)
        warnings = ledger.repair(place, found)
        if entries:
            found = replace(ledger.append(place, found, entries), time=isoformat(context.now))
        return Outcome(entries, known, report.ledger_end(place, found), warnings)


def _compare(
    place: layout.CaDirectory, certificates: t.Sequence[External], context: CallContext
) -> tuple[tuple[dict[str, t.Any], ...], int]:
    """Return the entries that the ledger lacks, and how many of the certificates it has."""
    there = {str(entry.get("fingerprint_sha256")) for entry in ledger.entries(place, lambda line: _LINE in line)}
    entries: dict[str, dict[str, t.Any]] = {}
    known = 0
    for one in certificates:
        view = reader.view_certificate(reader.load_certificates(one.content, f"the certificate of {one.request}")[0])
        if view.fingerprint_sha256 in there:
            known += 1
        else:
            entries.setdefault(view.fingerprint_sha256, _entry(one, view, context))
    return tuple(entries.values()), known


def _entry(one: External, view: reader.CertificateView, context: CallContext) -> dict[str, t.Any]:
    """Return the ledger's fields of one certificate, in the order of those of certificates that the CA signs."""
    return {
        "serial": view.serial,
        "event": EVENT,
        "time": isoformat(context.now),
        "authority": f"{one.authority}-external",
        "profile": one.profile,
        "request": one.request,
        "requester": one.requester,
        "reasons": list(one.reasons),
        **certificate_files.fields(view),
        "issuer": one.issuer,
        "issuer_subject": view.issuer,
        **context.origin,
    }
