# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a certificate is issued again, and why.

Nothing here reads a file or a clock: the input is the wanted and the present certificate, the result a decision with its reasons.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._time import parse_renew_before, parse_renew_jitter
from . import names, profiles
from .reader import CertificateView

#: Every reason there is, in the order in which they are reported. Playbooks rely on these words.
REASONS: tuple[str, ...] = (
    "forced",
    "certificate-missing",
    "certificate-unreadable",
    "key-missing",
    "key-unreadable",
    "key-mismatch",
    "key-replaced",
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
    """The wanted certificate. ``authority`` is None where the authority itself is yet to be made.

    ``jitter`` is the window over which the renewals of a fleet are spread, ``jitter_name`` identifies this one.
    """

    profile: str
    subject: names.SubjectNames
    key_type: str
    authority: CertificateView | None
    renew_before: str = "1/3"
    force: bool = False
    jitter: str = "0"
    jitter_name: str = ""
    #: Those of the names that the issuer may leave out, and whether the common name has to be this very one.
    reported_names: frozenset[str] = frozenset()
    chosen_common_name: bool = True
    #: Another issuer than a CA of ours: ``authority`` is then one of several anchors, and the certificate leads to any of them.
    external: bool = False

    def expected_names(self, left_out: frozenset[str]) -> frozenset[str]:
        """Return the names that a certificate has to have whose issuer left out ``left_out``."""
        return frozenset(self.subject.names) - (self.reported_names & left_out)

    def accepts_names(self, found: t.Iterable[str], left_out: frozenset[str]) -> bool:
        """Return whether a certificate may have these names. Who an external issuer's client is, is in its common name alone."""
        if self.external and self.profile == "client":
            return set(found) <= names.client_spellings(self.subject.common_name)
        return set(found) == self.expected_names(left_out)

    def accepts_common_name(self, found: str) -> bool:
        """Return whether a certificate may have this common name. An issuer may leave it out (ACME does); the names decide then."""
        return found in ("", self.subject.common_name) or (not self.chosen_common_name and found in self.subject.names)


@dataclass(frozen=True)
class Existing:
    """The present certificate. ``problems`` holds the reasons that reading it gave (unreadable, bad signature).

    ``left_out``: names that were asked for and that the issuer has left out of the certificate.
    """

    certificate: CertificateView | None = None
    key_fingerprint: str | None = None
    key_type: str | None = None
    problems: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Decision:
    """``action`` is ``none`` or ``issue``; ``renew_at`` is when the certificate that is there is due."""

    action: str
    reasons: tuple[str, ...]
    renew_at: datetime | None


def decide(wanted: Wanted, existing: Existing, now: datetime) -> Decision:
    """Return whether to issue, with every reason that holds, at the aware time ``now``.

    Raises TlsError ``duration-invalid`` for ``renew_before`` and ``jitter``.
    """
    due = renew_at(wanted, existing.certificate) if existing.certificate is not None else None
    found = set(existing.problems)
    if wanted.force:
        found.add("forced")
    found |= _key_reasons(wanted, existing)
    if existing.certificate is not None and due is not None:
        found |= _content_reasons(wanted, existing, existing.certificate)
        found |= _time_reasons(existing.certificate, due, now)
    elif "certificate-unreadable" not in found:
        found.add("certificate-missing")
    reasons = tuple(reason for reason in REASONS if reason in found)
    return Decision("issue" if reasons else "none", reasons, due)


def renew_at(wanted: Wanted, certificate: CertificateView) -> datetime:
    """Return when a certificate is due: ``renew_before`` its end, or earlier by this one's place in the window of ``jitter``.

    The same name always has the same place, so that every run comes to the same answer. A window is never longer than half of the
    time in which the certificate is not due: a new one must not be due at once. One that ends with its authority (an adopted CA
    that ends soon) is due at its end: a new one could not live longer, and every run would make one. What ends with its external
    issuer is due as any other: the issuer may have a new CA, and each new certificate is refused that would be due at once.
    """
    if not wanted.external and wanted.authority is not None and certificate.not_after >= wanted.authority.not_after:
        return certificate.not_after
    lifetime = certificate.not_after - certificate.not_before
    before = parse_renew_before(wanted.renew_before, lifetime)
    window = min(parse_renew_jitter(wanted.jitter, lifetime), max(lifetime - before, timedelta(0)) / 2)
    return certificate.not_after - before - window * place(wanted.jitter_name)


def place(name: str) -> float:
    """Return where in a window ``name`` has its place: evenly spread over 0 (included) to 1 (not included)."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:6], "big") / 2**48


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


def _content_reasons(wanted: Wanted, existing: Existing, certificate: CertificateView) -> set[str]:
    reasons = set()
    if not has_profile(certificate, wanted.profile):
        reasons.add("profile-changed")
    if not has_issuer(wanted, existing, certificate):
        reasons.add("authority-changed")
    if not wanted.accepts_common_name(certificate.common_name):
        reasons.add("common-name-changed")
    if not wanted.accepts_names(certificate.names, existing.left_out):
        reasons.add("names-changed")
    return reasons


def _time_reasons(certificate: CertificateView, due: datetime, now: datetime) -> set[str]:
    if now > certificate.not_after:
        return {"expired"}
    if now < certificate.not_before:
        return {"not-yet-valid"}
    return {"expires-soon"} if now >= due else set()


def has_profile(certificate: CertificateView, profile: str) -> bool:
    """Return whether a certificate is a leaf with the usage of ``profile`` and without that of any other profile."""
    usages = set(certificate.extended_key_usages)
    others = {usage for name, usage in profiles.USAGE_OF_PROFILE.items() if name != profile} | {"anyExtendedKeyUsage"}
    return not certificate.is_authority and profiles.USAGE_OF_PROFILE[profile] in usages and not usages & others


def has_issuer(wanted: Wanted, existing: Existing, certificate: CertificateView) -> bool:
    """Return whether a certificate is of the wanted issuer. Whether it leads to an anchor was checked where its chain is."""
    if wanted.external:
        return "authority-changed" not in existing.problems
    return is_below(certificate, wanted.authority)


def is_below(certificate: CertificateView, authority: CertificateView | None) -> bool:
    """Return whether a certificate names ``authority`` as its issuer, by name and by key (RFC 5280 §4.2.1.1).

    An authority whose certificate was renewed with the same name and key is the same one.
    """
    if authority is None or certificate.issuer != authority.subject:
        return False
    stated = certificate.authority_key_identifier
    return not stated or not authority.subject_key_identifier or stated == authority.subject_key_identifier
