# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch of requests signed: one lock, one opening of each key, one write of the ledger.

The order is what makes kill -9 safe at every point: sign in memory, check, ledger (write and fsync), files of the
certificates (flushed together), and only then the result. What dies on the way leaves at worst a certificate in the
ledger that no host has; never one that a host has and the ledger does not.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .._errors import TlsError
from .._pki import keys, reader, signing, verify
from .._pki.compat import x509
from .._time import isoformat
from . import (
    call_context,
    certificate_files,
    create,
    layout,
    ledger,
    ledger_query,
    name_ownership,
    policy,
    stages,
    store,
)
from .call_context import CallContext, Head


@dataclass(frozen=True)
class Signed:
    """One certificate of the batch; in a prediction contents are "" and ``view`` is None."""

    approved: policy.Approved
    certificate_content: str
    view: reader.CertificateView | None


@dataclass(frozen=True)
class BatchResult:
    """The certificates by request id, all authorities of the CA, the rejected requests with reasons, and the warnings."""

    signed: t.Mapping[str, Signed]
    stored: store.Stored
    ledger: Head
    refused: t.Mapping[str, TlsError] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    #: What hosts have of this CA and its ledger has not.
    unknown: tuple[ledger_query.Installed, ...] = ()


@dataclass(frozen=True)
class Batch:
    """A batch of requests, its rules and its context."""

    place: layout.CaDirectory
    requests: t.Sequence[policy.SigningRequest]
    rules: policy.Rules
    passphrase: bytes
    context: CallContext
    #: Draws a serial number; 159 random bits, so that a restored backup repeats none.
    draw_serial: t.Callable[[], int] = field(default_factory=lambda: x509.random_serial_number)
    #: Sign the good requests though others are refused; else one bad request refuses the batch.
    partial: bool = False
    #: What hosts report to have, to be compared with the ledger.
    installed: t.Sequence[ledger_query.Installed] = ()


def sign(batch: Batch) -> BatchResult:
    """Sign the batch and return the certificates; with ``rules.predicting`` only report what would be signed.

    Raises TlsError (codes of ``policy``, ``name_ownership``, ``layout``, ``lock``, ``ledger``, ``store``;
    ``authority-missing``); then nothing was signed. With ``partial`` a request's own problem is in ``refused`` instead.
    """
    place, context = batch.place, batch.context
    layout.check_place(place.path, allow_network=context.allow_network_filesystem)
    if not os.path.isdir(place.path):
        return _without_ca(batch)
    layout.insecure_entries(place, os.geteuid())
    if batch.rules.predicting:
        return _predict(batch)
    with call_context.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        return _sign_locked(batch)


def _without_ca(batch: Batch) -> BatchResult:
    if not batch.rules.predicting:
        raise layout.no_ca(batch.place, hint=layout.MAKE_IT_FIRST)
    approved, refused = policy.assess(batch.requests, stored={}, rules=batch.rules, now=batch.context.now)
    approved = _settle(batch, approved, refused, ledger.EMPTY, {})
    signed = {one.request.id: Signed(one, "", None) for one in approved if not one.request.revoked}
    return BatchResult(signed, {}, ledger.EMPTY.head, refused, warnings=tuple(name_ownership.warnings(approved)))


def _settle(
    batch: Batch,
    approved: t.Sequence[policy.Approved],
    refused: dict[str, TlsError],
    found: ledger.Scan,
    stored: store.Stored,
) -> list[policy.Approved]:
    """Return those of ``approved`` that nothing speaks against; the others join ``refused``. Raises where none may be refused."""
    refused.update(ledger_query.refusals(approved, found, stored, batch.place.path))
    approved = [one for one in approved if one.request.id not in refused]
    refused.update(name_ownership.refusals(approved, found, batch.rules, batch.context.now))
    approved = [one for one in approved if one.request.id not in refused]
    approved, nameless = name_ownership.settle(approved, found, batch.rules, batch.context.now)
    refused.update(nameless)
    if refused and not batch.partial:
        raise policy.refusal(batch.requests, refused)
    return approved


@dataclass(frozen=True)
class _Prepared:
    """A batch after all checks: what will be signed, each authority with its key opened, serials, and the ledger's state."""

    approved: t.Sequence[policy.Approved]
    refused: t.Mapping[str, TlsError]
    stored: store.Stored
    opened: t.Mapping[str, signing.Signer]
    serials: t.Mapping[str, int]
    ledger: ledger.Scan
    unknown: tuple[ledger_query.Installed, ...]
    warnings: tuple[str, ...]


def _prepare(batch: Batch, stored: store.Stored | None = None) -> _Prepared:
    """Check everything that can be wrong, before anything is touched.

    ``stored``: the authorities as the ledger has them, where a killed run left the disk behind.
    """
    stored = store.read_authorities(batch.place) if stored is None else stored
    if not stored and not batch.rules.predicting:
        raise layout.no_ca(batch.place, hint=layout.MAKE_IT_FIRST)
    approved, refused = policy.assess(batch.requests, stored=stored, rules=batch.rules, now=batch.context.now)
    serials = _draw_serials(batch, len(approved))
    found = ledger.scan(
        batch.place,
        asked={*serials, *ledger_query.serials(approved), *(one.serial for one in batch.installed)},
        names=name_ownership.undeclared_names(approved, batch.rules),
    )
    living = stages.settled(stored, found)
    if living != stored:
        return _prepare(batch, living)
    ledger.check_clock(batch.place, found, batch.context.now)
    create.check_recorded(batch.place, found, [one for generations in stored.values() for one in generations])
    if not found.used.isdisjoint(serials):
        raise TlsError("a serial number was drawn that is in use already", hint="Run again.", code="serial-used")
    approved = _with_revoked_serials(_settle(batch, approved, refused, found, stored), found, stored)
    opened: dict[str, signing.Signer] = {}
    for one in approved:
        if one.authority is not None and one.authority.id not in opened:
            store.check_authority(one.authority, batch.context.now)
            key = store.open_key(one.authority, batch.passphrase)
            opened[one.authority.id] = signing.signer(one.authority.certificate, key)
    missing, lost = ledger_query.unknown(batch.installed, found.used, stored)
    warnings = [
        *name_ownership.warnings(approved),
        *ledger_query.warnings(batch.place.ledger, found, missing, lost),
    ]
    return _Prepared(approved, refused, stored, opened, serials, found, missing, tuple(warnings))


def _with_revoked_serials(
    approved: t.Sequence[policy.Approved], found: ledger.Scan, stored: store.Stored
) -> list[policy.Approved]:
    """Give each request for an imitation the serial that was revoked last in its authority; without one it is left out.

    Whatever generation that was: each has a revocation list, and a list is in force as a whole.
    """
    settled = []
    for one in approved:
        if not one.request.revoked:
            settled.append(one)
            continue
        living = {
            each.id: each for each in stored.get(one.request.authority, ()) if each.view.not_after >= one.not_after
        }
        last = next((name for name in reversed(list(found.last_revoked)) if name in living), None)
        if last is not None:
            settled.append(replace(one, authority=living[last], serial=found.last_revoked[last]))
    return settled


def serial_text(number: int) -> str:
    """Return a serial as everywhere in results, the ledger and file names: lower-case hex of whole bytes."""
    text = f"{number:x}"
    return text.zfill(len(text) + len(text) % 2)


def _draw_serials(batch: Batch, count: int) -> dict[str, int]:
    """Return ``count`` different serials by their hex."""
    serials: dict[str, int] = {}
    while len(serials) < count:
        number = batch.draw_serial()
        serials[serial_text(number)] = number
    return serials


def _predict(batch: Batch) -> BatchResult:
    prepared = _prepare(batch)
    signed = {one.request.id: Signed(one, "", None) for one in prepared.approved}
    head, warnings = prepared.ledger.head, prepared.warnings
    return BatchResult(signed, prepared.stored, head, prepared.refused, (), warnings, prepared.unknown)


def _sign_locked(batch: Batch) -> BatchResult:
    place = batch.place
    prepared = _prepare(batch)
    reasons, repaired = create.repair(place, prepared.ledger)
    layout.empty_staging(place)
    new = [one for one in prepared.approved if not one.serial]
    signed = {
        serial: _sign_one(one, prepared.opened, number, batch)
        for one, (serial, number) in zip(new, prepared.serials.items())
    }
    imitations = [
        _sign_one(one, prepared.opened, int(one.serial, 16), batch) for one in prepared.approved if one.serial
    ]
    found = store.finish(place, prepared.ledger)
    head = found.head
    if signed or imitations:
        entries = [_entry(serial, one, batch) for serial, one in signed.items()]
        entries += [_entry(one.approved.serial, one, batch) for one in imitations]
        head = ledger.append(place, found, entries).head
        certificate_files.write_issued(place, {serial: one.certificate_content for serial, one in signed.items()})
    warnings = (*prepared.warnings, *repaired)
    by_request = {one.approved.request.id: one for one in (*signed.values(), *imitations)}
    return BatchResult(by_request, prepared.stored, head, prepared.refused, reasons, warnings, prepared.unknown)


def _sign_one(one: policy.Approved, opened: t.Mapping[str, signing.Signer], number: int, batch: Batch) -> Signed:
    """Sign one approved request and check the result as if a stranger had signed it."""
    authority = t.cast("store.StoredAuthority", one.authority)
    certificate = signing.sign_leaf(
        opened[authority.id],
        public_key=one.public_key,
        profile=one.request.profile,
        subject=one.subject,
        not_before=one.not_before,
        not_after=one.not_after,
        serial=number,
    )
    view = verify.check_issued(
        certificate,
        public_key_fingerprint=keys.public_key_fingerprint(one.public_key),
        names=one.subject.names,
        profile=one.request.profile,
        authority=authority.certificate,
        now=one.not_before if one.request.expired else batch.context.now,
        minimum_life=timedelta(0),
    )
    return Signed(one, reader.certificate_pem(certificate), view)


def _entry(serial: str, one: Signed, batch: Batch) -> dict[str, t.Any]:
    """Return the ledger's fields of one certificate."""
    view = t.cast("reader.CertificateView", one.view)
    request = one.approved.request
    return {
        "serial": serial,
        "event": "revoked-serial-signed" if one.approved.serial else "issued",
        "time": isoformat(batch.context.now),
        "authority": t.cast("store.StoredAuthority", one.approved.authority).id,
        "profile": request.profile,
        "request": request.id,
        "requester": request.requester,
        "reasons": list(request.reasons),
        **certificate_files.fields(view),
        **batch.context.origin,
    }
