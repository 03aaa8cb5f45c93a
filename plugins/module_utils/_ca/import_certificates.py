# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of our authorities that the ledger does not know, recorded afterwards.

They come from hosts, so only those that an authority of this CA has signed are taken, and the ledger marks that they were
recorded, not issued. For CAs that were adopted, and after an older state of the CA directory came back.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from .._pki import reader, renewal, verify
from .._time import isoformat
from . import certificate_files, create, layout, ledger, lock, stages, store, swap_keys
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
    with lock.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        found = ledger.scan(place)
        layout.prepare(place)
        layout.empty_staging(place)
        warnings = ledger.repair(place, found)
        found = swap_keys.finish(place, found)
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
