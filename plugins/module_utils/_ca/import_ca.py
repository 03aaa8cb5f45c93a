# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adoption of a CA that was made by hand or with another tool.

Its certificate stays as it is, so everything that it has signed continues to work; its key is encrypted with our
passphrase. It becomes generation 1 of the server authority, of an access group, or of both: only an adopted CA has both purposes.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .. import _files
from .._errors import TlsError
from .._pki import keys, reader, verify
from .._time import isoformat
from . import call_context, create, layout, ledger, store
from .call_context import CallContext

_WEAK_RSA = 2048
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_SOON = timedelta(days=90)
_USAGE = {"server": "serverAuth", "client": "clientAuth"}


@dataclass(frozen=True)
class Foreign:
    """A CA to adopt: PEM texts of certificate and key, their origin, and their names here."""

    names: tuple[str, ...]
    certificate: str
    key: str
    key_passphrase: str = ""
    source: str = ""
    #: SHA-256 fingerprint that the certificate has to have, in hexadecimal, with or without colons; "" for any.
    fingerprint: str = ""


@dataclass(frozen=True)
class Adopted:
    """The (predicted) result of an adoption: the ids, the certificate, and all authorities of the CA afterwards."""

    ids: tuple[str, ...]
    view: reader.CertificateView
    stored: store.Stored
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def adopt(
    place: layout.CaDirectory, foreign: Foreign, passphrase: bytes, context: CallContext, *, predict: bool
) -> Adopted:
    """Make ``foreign`` generation 1 of each of its names; nothing changes where it is that already.

    Without a key (it was moved away once it was adopted) nothing is left to do where each name has that CA.

    Raises TlsError ``authority-exists`` (the name has another CA), ``key-missing``, the codes of ``check_foreign``, and those of ``bootstrap.ensure``.
    """
    names = _names(foreign.names)
    if not foreign.key.strip():
        return _adopted_before(place, foreign, names)
    certificate, key, warnings = check_foreign(foreign, names, context.now)
    view = reader.view_certificate(certificate)
    before = create.ensure(place, [], passphrase, context, predict=predict)
    if predict:
        missing = _missing(names, before.stored, view)
        ids = tuple(store.identifier(name, 1) for name in missing)
        reasons = (*before.reasons, *(("authority-adopted",) if ids else ()))
        return Adopted(ids, view, before.stored, reasons, (*before.warnings, *warnings))
    with call_context.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        stored = store.read_authorities(place)
        found = ledger.scan(place)
        for one in (generations[-1] for generations in stored.values()):
            store.open_key(one, passphrase)  # one passphrase for all
        ids = tuple(store.identifier(name, 1) for name in _missing(names, stored, view))
        for identifier in ids:
            create.stage(place, identifier, certificate, key, passphrase, context)
        if ids:
            _files.fsync_directory(place.staging)
            ledger.append(place, found, [_entry(identifier, view, foreign, context) for identifier in ids])
            create.move_in(place, ids)
        reasons = (*before.reasons, *(("authority-adopted",) if ids else ()))
        return Adopted(ids, view, store.read_authorities(place), reasons, (*before.warnings, *warnings))


def _adopted_before(place: layout.CaDirectory, foreign: Foreign, names: t.Sequence[str]) -> Adopted:
    """Return the CA that has been adopted already. Raises TlsError ``key-missing``, ``authority-exists``."""
    what = _what(foreign)
    view = reader.view_certificate(reader.load_certificate(foreign.certificate, what), what)
    _check_expected(view, foreign.fingerprint, what)
    stored = store.read_authorities(place) if os.path.isdir(place.authorities) else {}
    missing = _missing(names, stored, view)
    if missing:
        raise TlsError(
            f"there is no key for {what} ({view.subject}), which is not adopted as {', '.join(missing)} yet",
            hint="Check key_path and its host. docker_adopt_repair with stray_keys has moved keys of earlier runs to "
            "/var/lib/docker-tls/adopted.",
            code="key-missing",
        )
    return Adopted((), view, stored, (), ())


def _what(foreign: Foreign) -> str:
    return f"the CA certificate{f' from {foreign.source}' if foreign.source else ''}"


def _names(given: t.Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(given))
    if not names:
        raise TlsError(
            "names is empty, so the purpose of the CA is not known",
            hint="Use server, an access group, or both, such as [server, clients].",
            code="group-name-invalid",
        )
    layout.check_group_names([name for name in names if name != store.SERVER], "names")
    return names


def _missing(names: t.Sequence[str], stored: store.Stored, view: reader.CertificateView) -> list[str]:
    """Return the names that do not have the CA yet. Raises TlsError ``authority-exists``."""
    missing = []
    for name in names:
        generations = stored.get(name, ())
        if any(one.view.fingerprint_sha256 == view.fingerprint_sha256 for one in generations):
            continue
        if generations:
            raise TlsError(
                f"there is an authority {generations[-1].id} already, and it is another one than {view.subject}",
                hint="Adopt before the first run of portcullis.docker_tls.site. To move from one to the other, adopt into an empty CA directory "
                "and rotate (portcullis.docker_tls.rotate_ca), or give the CA another name.",
                code="authority-exists",
            )
        missing.append(name)
    return missing


def check_foreign(foreign: Foreign, names: t.Sequence[str], now: datetime) -> tuple[t.Any, t.Any, list[str]]:
    """Return certificate, key and warnings of a CA that can be adopted.

    Raises TlsError ``certificate-unreadable``, ``fingerprint-invalid``, ``authority-unexpected`` (it is another one than was
    expected), ``authority-unsuitable`` (no self-signed CA, or not for that purpose),
    ``authority-expired``, ``authority-not-yet-valid``, ``authority-weak``, ``key-unreadable``, ``passphrase-missing``,
    ``passphrase-wrong``, ``key-not-encrypted``, ``key-mismatch``.
    """
    what = _what(foreign)
    certificate = reader.load_certificate(foreign.certificate, what)
    view = reader.view_certificate(certificate, what)
    _check_expected(view, foreign.fingerprint, what)
    _check_suitable(certificate, view, names, what)
    if now >= view.not_after:
        raise TlsError(
            f"{what} ({view.subject}) expired at {isoformat(view.not_after)}",
            hint="There is nothing to continue with: run portcullis.docker_tls.site, which makes new authorities.",
            code="authority-expired",
        )
    if now < view.not_before:
        raise TlsError(
            f"{what} ({view.subject}) begins at {isoformat(view.not_before)}, and it is {isoformat(now)} here",
            hint="Set the clock of the CA host.",
            code="authority-not-yet-valid",
        )
    key = _open(foreign)
    if keys.public_key_fingerprint(key.public_key()) != view.public_key_fingerprint:
        raise TlsError(
            f"the key that was given is not that of {what} ({view.subject})",
            hint="Look for the ca-key.pem that was made with it.",
            code="key-mismatch",
        )
    return certificate, key, list(_warnings(certificate, view, names, now))


def _check_expected(view: reader.CertificateView, given: str, what: str) -> None:
    expected = given.strip().lower().replace(":", "")
    if not expected or expected == view.fingerprint_sha256:
        return
    if not _FINGERPRINT.fullmatch(expected):
        raise TlsError(
            f"fingerprint_sha256 is {given!r}, which is not a SHA-256 fingerprint",
            hint="Write 64 hexadecimal digits: openssl x509 -noout -fingerprint -sha256 -in ca.pem",
            code="fingerprint-invalid",
        )
    raise TlsError(
        f"{what} ({view.subject}) has the fingerprint {view.fingerprint_sha256}, and {expected} is expected (fingerprint_sha256)",
        hint="It is not the expected CA: the file was replaced, the host returns another one, or the path is wrong. "
        "Nothing was adopted. Compare it with a ca.pem that a client uses: openssl x509 -noout -fingerprint -sha256 -in ca.pem",
        code="authority-unexpected",
    )


def _check_suitable(certificate: t.Any, view: reader.CertificateView, names: t.Sequence[str], what: str) -> None:
    usages = set(view.extended_key_usages) - {"anyExtendedKeyUsage"}
    wanted = {_USAGE[store.purpose_of(name)] for name in names}
    fault = ""
    if not view.is_authority:
        fault = "is not a CA (basicConstraints)"
    elif view.key_usages and "keyCertSign" not in view.key_usages:
        fault = f"may not sign certificates (keyUsage is {', '.join(view.key_usages)})"
    elif not verify.issued_by(certificate, certificate):
        fault = f"is not self-signed (its issuer is {view.issuer}), and clients would need the CAs above it too"
    elif usages and not wanted <= usages:
        fault = f"allows {', '.join(sorted(usages))}, but {', '.join(sorted(wanted - usages))} is needed for {', '.join(names)}"
    if fault:
        raise TlsError(
            f"{what} ({view.subject}) {fault}",
            hint="It cannot be continued with. Run portcullis.docker_tls.site without it, and hand the new client bundles out.",
            code="authority-unsuitable",
        )
    kind, _dash, size = view.key_type.partition("-")
    if kind == "rsa" and size.isdigit() and int(size) < _WEAK_RSA:
        raise TlsError(
            f"{what} ({view.subject}) has a key of type {view.key_type}, which today's clients refuse and which can be broken",
            hint="Run portcullis.docker_tls.site without it, which makes new authorities.",
            code="authority-weak",
        )


def _open(foreign: Foreign) -> t.Any:
    try:
        return keys.load_private_key(
            foreign.key,
            foreign.key_passphrase.encode("utf-8", "surrogatepass") if foreign.key_passphrase else None,
            what="the CA's key",
        )
    except TlsError as error:
        hints = {
            "key-unreadable": "Give the ca-key.pem that was made with the certificate.",
            "passphrase-missing": "Give the passphrase that it was made with as key_passphrase.",
            "passphrase-wrong": "Give the passphrase that it was made with as key_passphrase; it is not the new CA's.",
            "key-not-encrypted": "Leave key_passphrase out; the copy in the CA directory will be encrypted.",
        }
        raise TlsError(error.message, hint=hints.get(error.code, error.hint), code=error.code) from error


def _warnings(
    certificate: t.Any, view: reader.CertificateView, names: t.Sequence[str], now: datetime
) -> t.Iterator[str]:
    away = "Rotate away from it when that suits you (portcullis.docker_tls.rotate_ca)"
    if len({store.purpose_of(name) for name in names}) == 2:
        yield (
            f"authority-of-both: {view.subject} signs servers and clients, so a certificate that it has made for both lets one host "
            f"act as a client of all others. {away}"
        )
    if view.not_after - now < _SOON:
        yield (
            f"authority-expires-soon: {view.subject} ends {isoformat(view.not_after)}, in {(view.not_after - now).days} days, and "
            f"nothing that it signs lives longer. {away}"
        )
    for code, words in verify.strict_faults(certificate):
        yield f"{code}: {view.subject} {words}, and strict clients (Python from 3.13 on) refuse its certificates. {away}"


def _entry(identifier: str, view: reader.CertificateView, foreign: Foreign, context: CallContext) -> dict[str, t.Any]:
    audit = {"source": foreign.source, "time": isoformat(context.now), **context.origin}
    return {**create.entry("authority-adopted", identifier, view), **audit}
