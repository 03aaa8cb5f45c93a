# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates checked: what came back from an issuer, before it is installed, and whether strict clients accept an authority.

The checks of an answer are the same for every issuer. They do not ask for what public issuers leave out or put in as they like: the
common name of a server, a subject key identifier, keyEncipherment. Names are exactly those of the request: one more would
let its holder stand in for another host.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import datetime, timedelta

from .._errors import TlsError
from .._time import isoformat
from . import compat, keys, reader, renewal
from .compat import ExtensionOID, NameOID, x509

_MAXIMUM_CHAIN = 5
_HINT = "It was not installed; the former certificate stays in use. Check the issuer's settings."


def check_issued(
    certificate: x509.Certificate,
    *,
    public_key_fingerprint: str,
    names: t.Iterable[str],
    profile: str,
    authority: x509.Certificate | t.Sequence[x509.Certificate],
    now: datetime,
    minimum_life: timedelta,
    chain: t.Sequence[x509.Certificate] = (),
    common_name: str | None = None,
    optional_names: t.Container[str] = frozenset(),
    what: str = "the issued certificate",
    hint: str = _HINT,
) -> reader.CertificateView:
    """Return the view of ``certificate``; raise TlsError ``issued-certificate-wrong`` with every fault where it has any.

    Wanted are: the key of the request; exactly ``names``, with or without ``optional_names``; ``common_name`` where it is
    given; the usage of ``profile`` and not that of the other one; no CA; a chain (through ``chain``) to one of the pinned
    ``authority`` certificates; validity now and for ``minimum_life`` more. ``hint`` is that of the error.
    """
    view = reader.view_certificate(certificate, what)
    anchors = [authority] if isinstance(authority, x509.Certificate) else list(authority)
    faults = []
    if view.public_key_fingerprint != public_key_fingerprint:
        faults.append("it is for another key than the request's")
    faults.extend(_name_faults(view, set(names), optional_names, common_name))
    if len(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)) > 1:
        faults.append(f"its subject {view.subject} has more than one common name")
    if view.is_authority:
        faults.append("it is the certificate of a CA, which could sign others")
    elif not renewal.has_profile(view, profile):
        usages = ", ".join(view.extended_key_usages) or "no extended key usage"
        faults.append(f"it is not a pure {profile} certificate: it has {usages}")
    if not leads_to(certificate, chain, anchors):
        subjects = " or ".join(reader.name_text(anchor.subject) for anchor in anchors)
        faults.append(f"it does not lead to {subjects or 'any authority'} (its issuer is {view.issuer})")
    faults.extend(_time_faults(view, now, minimum_life))
    if faults:
        raise TlsError(
            f"{what} for {view.common_name or view.serial!r} cannot be used: {'; '.join(faults)}",
            hint=hint,
            code="issued-certificate-wrong",
        )
    return view


def _name_faults(
    view: reader.CertificateView, wanted: set[str], optional: t.Container[str], common_name: str | None
) -> t.Iterator[str]:
    missing = sorted(wanted - set(view.names))
    if missing:
        yield f"it lacks the names {', '.join(missing)}"
    more = sorted({name for name in view.names if name not in optional} - wanted)
    if more:
        yield f"it also has the names {', '.join(more)}, which were not asked for"
    if common_name is not None and view.common_name != common_name:
        yield f"its common name is {view.common_name!r} instead of {common_name!r}"


def _time_faults(view: reader.CertificateView, now: datetime, minimum_life: timedelta) -> list[str]:
    if now < view.not_before:
        return [f"it is valid only from {isoformat(view.not_before)} on, and now is {isoformat(now)}"]
    if view.not_after < now + minimum_life:
        return [f"it ends already {isoformat(view.not_after)}, and now is {isoformat(now)}"]
    return []


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether ``issuer`` is an authority with the stated name whose key signed ``certificate``."""
    key = _signing_key(issuer)
    return certificate.issuer == issuer.subject and key is not None and compat.signature_is_by(certificate, key)


@functools.lru_cache(maxsize=16)
def _signing_key(issuer: x509.Certificate) -> t.Any:
    """Return the public key of an authority, None for another certificate; a batch asks for the same few again and again."""
    return issuer.public_key() if _is_authority(issuer) else None


def _is_authority(certificate: x509.Certificate) -> bool:
    """Return basicConstraints; a whole view would cost as much as a signature, for each certificate of a batch."""
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value
    except x509.ExtensionNotFound:
        return False
    except (x509.DuplicateExtension, ValueError):
        return reader.view_certificate(certificate, "the issuer").is_authority
    return bool(getattr(found, "ca", False))


def leads_to(
    certificate: x509.Certificate, chain: t.Sequence[x509.Certificate], anchors: t.Sequence[x509.Certificate]
) -> bool:
    """Return whether ``certificate`` leads over ``chain`` to one of ``anchors``. Dates are not checked."""
    return path_to(certificate, chain, anchors) is not None


def path_to(
    certificate: x509.Certificate, chain: t.Sequence[x509.Certificate], anchors: t.Sequence[x509.Certificate]
) -> list[x509.Certificate] | None:
    """Return ``certificate``, what leads over ``chain`` from it to an anchor, and the anchor; None where nothing does.

    All ways are tried: a cross-signed intermediate is there twice, and only one of the two may lead to an anchor.
    """
    return _path([certificate], chain, anchors)


def _path(
    path: list[x509.Certificate], chain: t.Sequence[x509.Certificate], anchors: t.Sequence[x509.Certificate]
) -> list[x509.Certificate] | None:
    if len(path) > _MAXIMUM_CHAIN:
        return None
    anchor = next((one for one in anchors if issued_by(path[-1], one)), None)
    if anchor is not None:
        return [*path, anchor]
    for link in chain:
        found = _path([*path, link], chain, anchors) if link not in path and issued_by(path[-1], link) else None
        if found is not None:
            return found
    return None


def key_matches(certificate: x509.Certificate, public_key: t.Any) -> bool:
    """Return whether ``certificate`` is for ``public_key``."""
    return keys.public_key_fingerprint(certificate.public_key()) == keys.public_key_fingerprint(public_key)


# Why a strict client refuses a self-signed authority, and with it every certificate below. Pure.
#
# Strict are the clients that follow RFC 5280 to the letter: Python from 3.13 on (ssl.VERIFY_X509_STRICT is part of
# ssl.create_default_context there) and all that use OpenSSL's X509_V_FLAG_X509_STRICT. Go (the docker CLI, dockerd
# itself) and older Pythons are not. Source: OpenSSL crypto/x509/x509_vfy.c, check_extensions; the tests compare with
# openssl verify -x509_strict.


#: What ``openssl req -x509`` and many scripts leave out or do otherwise: code and words.
_FAULTS = {
    "authority-without-key-usage": "has no keyUsage",
    "authority-constraints-not-critical": "has basicConstraints that are not critical",
    "authority-without-identifier": "has no subject key identifier",
}
STRICT_WAY = "Adopt it, then rotate away from it (portcullis.docker_tls.rotate_ca): the new authority is accepted by strict clients too"


def strict_faults(authority: x509.Certificate) -> tuple[tuple[str, str], ...]:
    """Return (code, words) for each thing that strict clients refuse in a self-signed ``authority``; () where they accept it."""
    found = []
    if _extension(authority, ExtensionOID.KEY_USAGE) is None:
        found.append("authority-without-key-usage")
    constraints = _extension(authority, ExtensionOID.BASIC_CONSTRAINTS)
    if constraints is not None and not constraints.critical:
        found.append("authority-constraints-not-critical")
    if _extension(authority, ExtensionOID.SUBJECT_KEY_IDENTIFIER) is None:
        found.append("authority-without-identifier")
    return tuple((code, _FAULTS[code]) for code in found)


def _extension(certificate: x509.Certificate, oid: t.Any) -> t.Any:
    return next((extension for extension in certificate.extensions if extension.oid == oid), None)
