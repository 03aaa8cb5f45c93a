# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came back from an issuer, checked before it is installed. PRIVATE: may change without notice.

The checks are the same for every issuer. They do not ask for what public issuers leave out or put in as they like: a
common name, a subject key identifier, keyEncipherment, more names than were wanted.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import datetime, timedelta

from .._errors import TlsError
from .._time import isoformat
from . import compat, decide, inspect, keys
from .compat import ExtensionOID, x509

_MAXIMUM_CHAIN = 5


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
    what: str = "the issued certificate",
) -> inspect.CertificateView:
    """Return the view of ``certificate``; raise TlsError ``issued-certificate-wrong`` with every fault where it has any.

    Wanted are: the key of the request; at least ``names``; the usage of ``profile`` and not that of the other one; a
    chain (through ``chain``) to one of the pinned ``authority`` certificates; validity now and for ``minimum_life``
    more.
    """
    view = inspect.view_certificate(certificate, what)
    anchors = [authority] if isinstance(authority, x509.Certificate) else list(authority)
    faults = []
    if view.public_key_fingerprint != public_key_fingerprint:
        faults.append("it is for another key than the request's")
    missing = sorted(set(names) - set(view.names))
    if missing:
        faults.append(f"it lacks the names {', '.join(missing)}")
    if not decide.has_profile(view, profile):
        usages = ", ".join(view.extended_key_usages) or "no extended key usage"
        faults.append(f"it is no pure {profile} certificate: it has {usages}")
    if not leads_to(certificate, chain, anchors):
        subjects = " or ".join(inspect.name_text(anchor.subject) for anchor in anchors)
        faults.append(f"it does not lead to {subjects or 'any authority'} (its issuer is {view.issuer})")
    faults.extend(_time_faults(view, now, minimum_life))
    if faults:
        raise TlsError(
            f"{what} for {view.common_name or view.serial!r} cannot be used: {'; '.join(faults)}",
            hint="It was not installed; what was there stays in use. Check the issuer's settings.",
            code="issued-certificate-wrong",
        )
    return view


def _time_faults(view: inspect.CertificateView, now: datetime, minimum_life: timedelta) -> list[str]:
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
    """Return the public key of an authority, None for what is none; a batch asks for the same few again and again."""
    return issuer.public_key() if _is_authority(issuer) else None


def _is_authority(certificate: x509.Certificate) -> bool:
    """Return what basicConstraints says; a whole view would cost as much as a signature, for each certificate of a batch."""
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value
    except x509.ExtensionNotFound:
        return False
    except (x509.DuplicateExtension, ValueError):
        return inspect.view_certificate(certificate, "the issuer").is_authority
    return bool(getattr(found, "ca", False))


def leads_to(
    certificate: x509.Certificate, chain: t.Sequence[x509.Certificate], anchors: t.Sequence[x509.Certificate]
) -> bool:
    """Return whether ``certificate`` leads over ``chain`` to one of ``anchors``. Dates are not looked at."""
    current = certificate
    for _step in range(_MAXIMUM_CHAIN):
        if any(issued_by(current, anchor) for anchor in anchors):
            return True
        following = next((link for link in chain if link != current and issued_by(current, link)), None)
        if following is None:
            return False
        current = following
    return False


def key_matches(certificate: x509.Certificate, public_key: t.Any) -> bool:
    """Return whether ``certificate`` is for ``public_key``."""
    return keys.public_key_fingerprint(certificate.public_key()) == keys.public_key_fingerprint(public_key)
