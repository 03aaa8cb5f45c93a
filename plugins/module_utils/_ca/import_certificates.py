# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates in the ledger that the CA did not sign: those of an adopted CA, and those of other issuers.

They come from hosts, so only those that an authority of this CA has signed are taken, and the ledger marks that they were
recorded, not issued. For CAs that were adopted, and after an older state of the CA directory came back.

The record of the issuer is its own log. This line ties it to the fleet: the request, the host, the reason and the user of the run. It is
written after the certificate was checked and before it is passed on. It needs no authority and no passphrase, so a fleet without a CA of
its own has a directory with a ledger alone.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace

from .. import _files
from .._errors import TlsError
from .._pki import reader, renewal, verify
from .._time import isoformat
from . import (
    call_context,
    certificate_files,
    create,
    layout,
    ledger,
    report,
    stages,
    store,
)
from .call_context import CallContext

#: Why certificates are recorded, and the event that each gets.
EVENTS = {"adopted": "leaf-adopted", "restored": "leaf-recorded"}


@dataclass(frozen=True)
class Found:
    """A certificate file of a host; ``source`` is its former place."""

    content: str
    requester: str = ""
    source: str = ""


@dataclass(frozen=True)
class Recorded:
    """The certificates that were (would be) recorded, and the others with reasons."""

    entries: tuple[dict[str, t.Any], ...]
    known: int
    foreign: tuple[str, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def record(
    place: layout.CaDirectory,
    certificates: t.Sequence[Found],
    reason: str,
    context: CallContext,
    *,
    predict: bool,
    complete: bool = True,
) -> Recorded:
    """Record those of ``certificates`` (leaf first) that our authorities have signed and the ledger does not know.

    With the reason ``restored`` the ledger also records that it is complete again, unless ``complete`` shows that hosts were
    left out. Raises TlsError (codes of ``directory``,
    ``lock``, ``ledger``, ``store``; ``authority-missing``).
    """
    layout.check_parents(place.path)
    layout.check_writable(place.path)
    if not os.path.isdir(place.authorities):
        raise layout.no_ca(place)
    layout.insecure_entries(place, os.geteuid())
    if predict:
        return _decide(place, certificates, reason, ledger.scan(place), context, complete)[0]
    with call_context.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        found = ledger.scan(place)
        layout.prepare(place)
        layout.empty_staging(place)
        warnings = ledger.repair(place, found)
        found = store.finish(place, found)
        result, contents = _decide(place, certificates, reason, found, context, complete)
        entries = list(result.entries)
        if "ledger-recorded" in result.reasons:
            entries.append({"serial": "", "event": "ledger-recorded", "count": len(entries), **_common(context)})
        if entries:
            ledger.append(place, found, entries)
            certificate_files.write_issued(place, contents)
        return Recorded(result.entries, result.known, result.foreign, result.reasons, warnings)


def _common(context: CallContext) -> dict[str, t.Any]:
    return {"time": isoformat(context.now), **context.origin}


def _decide(
    place: layout.CaDirectory,
    certificates: t.Sequence[Found],
    reason: str,
    found: ledger.Scan,
    context: CallContext,
    complete: bool,
) -> tuple[Recorded, dict[str, str]]:
    """Return the result and the files for ``issued/`` by their names without suffix."""
    ledger.check_clock(place, found, context.now)
    living = stages.settled(store.read_authorities(place), found)
    authorities = [one for generations in living.values() for one in generations]
    create.check_recorded(place, found, authorities)
    known = {entry.get("fingerprint_sha256") for entry in ledger.entries(place)}
    entries: dict[str, dict[str, t.Any]] = {}
    contents: dict[str, str] = {}
    foreign, seen = [], set()
    shown: dict[str, set[str]] = {}
    for one in certificates:
        where = f"{one.requester}:{one.source}" if one.requester else one.source or "a certificate"
        try:
            leaf = reader.load_certificate(one.content, where)
            view = reader.view_certificate(leaf, where)
        except TlsError as error:
            foreign.append(f"{where}: {error.message}")
            continue
        issuer = next((item for item in authorities if verify.issued_by(leaf, item.certificate)), None)
        if view.is_authority or issuer is None:
            foreign.append(f"{where}: {'an authority' if view.is_authority else f'issued by {view.issuer}'}")
        elif view.fingerprint_sha256 in known:
            seen.add(view.fingerprint_sha256)
        else:
            entries.setdefault(view.fingerprint_sha256, _entry(one, view, issuer, reason, context))
            shown.setdefault(view.fingerprint_sha256, set()).add(one.requester)
            name = view.serial if not _taken(place, view.serial) else f"{view.serial}-{view.fingerprint_sha256[:16]}"
            contents[name] = reader.certificate_pem(leaf)
    for fingerprint, requesters in shown.items():
        if len(requesters - {""}) > 1:
            entries[fingerprint]["claimants"] = sorted(requesters - {""})
    reasons = [f"certificates-{reason}"] if entries else []
    if reason == "restored" and complete and (found.restored or entries):
        reasons.append("ledger-recorded")
    return Recorded(tuple(entries.values()), len(seen), tuple(foreign), tuple(reasons)), contents


def _taken(place: layout.CaDirectory, serial: str) -> bool:
    """Return whether another certificate has this serial here: other tools count from one."""
    return _files.file_status(os.path.join(place.issued, f"{serial}.pem")) is not None


def _entry(
    one: Found, view: reader.CertificateView, issuer: store.StoredAuthority, reason: str, context: CallContext
) -> dict[str, t.Any]:
    profile = next((name for name in ("server", "client") if renewal.has_profile(view, name)), "both")
    return {
        "serial": view.serial,
        "event": EVENTS[reason],
        **_common(context),
        "authority": issuer.id,
        "profile": profile,
        "requester": one.requester,
        "source": one.source,
        "reasons": [reason],
        **certificate_files.fields(view),
    }


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


def record_external(
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
    with call_context.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
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
            entries.setdefault(view.fingerprint_sha256, _external_entry(one, view, context))
    return tuple(entries.values()), known


def _external_entry(one: External, view: reader.CertificateView, context: CallContext) -> dict[str, t.Any]:
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
