# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a certificate is issued anew, and why. PRIVATE: may change without notice.

Nothing here reads a file or a clock: what is wanted and what is there go in, a decision with its reasons comes out.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._time import isoformat, parse_renew_before
from . import names, profiles
from .inspect import CertificateView

#: Every reason there is, in the order in which they are reported. Playbooks rely on these words.
REASONS: tuple[str, ...] = (
    "forced",
    "certificate-missing",
    "certificate-unreadable",
    "key-missing",
    "key-unreadable",
    "key-mismatch",
    "key-type-changed",
    "profile-changed",
    "authority-changed",
    "common-name-changed",
    "names-changed",
    "expired",
    "expires-soon",
    "not-yet-valid",
)


@dataclass(frozen=True)
class Wanted:
    """What the certificate should be. ``authority`` is None where the authority itself is yet to be made."""

    profile: str
    subject: names.SubjectNames
    key_type: str
    authority: CertificateView | None
    renew_before: str = "1/3"
    force: bool = False


@dataclass(frozen=True)
class Existing:
    """What was found. ``problems`` holds the reasons that reading it gave (unreadable, bad signature)."""

    certificate: CertificateView | None = None
    key_fingerprint: str | None = None
    key_type: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """``action`` is ``none`` or ``issue``; ``before`` and ``after`` are the plan that a diff shows."""

    action: str
    reasons: tuple[str, ...]
    before: dict[str, t.Any]
    after: dict[str, t.Any]


def decide(wanted: Wanted, existing: Existing, now: datetime) -> Decision:
    """Return whether to issue, with every reason that holds, at the aware time ``now``.

    Raises TlsError ``duration-invalid`` for ``renew_before``.
    """
    found = set(existing.problems)
    if wanted.force:
        found.add("forced")
    found |= _key_reasons(wanted, existing)
    if existing.certificate is not None:
        found |= _content_reasons(wanted, existing.certificate)
        found |= _time_reasons(wanted, existing.certificate, now)
    elif "certificate-unreadable" not in found:
        found.add("certificate-missing")
    reasons = tuple(reason for reason in REASONS if reason in found)
    before = _plan_before(existing)
    after = _plan_after(wanted) if reasons else before
    return Decision("issue" if reasons else "none", reasons, before, after)


def renewal_time(begin: datetime, end: datetime, renew_before: str, earlier: timedelta = timedelta(0)) -> datetime:
    """Return when a certificate is due; ``earlier`` moves that, where the renewals of a fleet are spread."""
    return end - parse_renew_before(renew_before, end - begin) - earlier


def _key_reasons(wanted: Wanted, existing: Existing) -> set[str]:
    reasons = set()
    certificate = existing.certificate
    if existing.key_fingerprint is None:
        if "key-unreadable" not in existing.problems:
            reasons.add("key-missing")
    elif certificate is not None and certificate.public_key_fingerprint != existing.key_fingerprint:
        reasons.add("key-mismatch")
    key_type = existing.key_type or (certificate.key_type if certificate is not None else None)
    if key_type is not None and key_type != wanted.key_type:
        reasons.add("key-type-changed")
    return reasons


def _content_reasons(wanted: Wanted, certificate: CertificateView) -> set[str]:
    reasons = set()
    if not has_profile(certificate, wanted.profile):
        reasons.add("profile-changed")
    if not is_below(certificate, wanted.authority):
        reasons.add("authority-changed")
    # An issuer may leave the common name out (ACME does); the names decide then.
    if certificate.common_name not in ("", wanted.subject.common_name):
        reasons.add("common-name-changed")
    if set(certificate.names) != set(wanted.subject.names):
        reasons.add("names-changed")
    return reasons


def _time_reasons(wanted: Wanted, certificate: CertificateView, now: datetime) -> set[str]:
    due = renewal_time(certificate.not_before, certificate.not_after, wanted.renew_before)
    if now > certificate.not_after:
        return {"expired"}
    if now < certificate.not_before:
        return {"not-yet-valid"}
    if wanted.authority is not None and certificate.not_after >= wanted.authority.not_after:
        return set()  # it ends with its authority: a new one could not live longer
    return {"expires-soon"} if now >= due else set()


def has_profile(certificate: CertificateView, profile: str) -> bool:
    """Return whether a certificate is a leaf with the usage of ``profile`` and without that of any other profile."""
    usages = set(certificate.extended_key_usages)
    others = {usage for name, usage in profiles.USAGE_OF_PROFILE.items() if name != profile} | {"anyExtendedKeyUsage"}
    return not certificate.is_authority and profiles.USAGE_OF_PROFILE[profile] in usages and not usages & others


def is_below(certificate: CertificateView, authority: CertificateView | None) -> bool:
    """Return whether a certificate names ``authority`` as its issuer, by name and by key (RFC 5280 §4.2.1.1).

    An authority whose certificate was renewed with the same name and key is the same one.
    """
    if authority is None or certificate.issuer != authority.subject:
        return False
    stated = certificate.authority_key_identifier
    return not stated or not authority.subject_key_identifier or stated == authority.subject_key_identifier


def _plan_before(existing: Existing) -> dict[str, t.Any]:
    certificate = existing.certificate
    if certificate is None:
        return {}
    return {
        "common_name": certificate.common_name,
        "names": sorted(certificate.names),
        "issuer": certificate.issuer,
        "key_type": certificate.key_type,
        "usages": sorted(certificate.extended_key_usages),
        "expires": isoformat(certificate.not_after),
        "fingerprint_sha256": certificate.fingerprint_sha256,
    }


def _plan_after(wanted: Wanted) -> dict[str, t.Any]:
    return {
        "common_name": wanted.subject.common_name,
        "names": sorted(wanted.subject.names),
        "issuer": wanted.authority.subject if wanted.authority is not None else "an authority that is yet to be made",
        "key_type": wanted.key_type,
        "usages": [profiles.USAGE_OF_PROFILE[wanted.profile]],
        "expires": "a new certificate",
        "fingerprint_sha256": "a new certificate",
    }
