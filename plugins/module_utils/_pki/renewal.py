# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a certificate is renewed and why, and how a plan says so.

Nothing here reads a file or a clock: the input is the wanted and the present certificate, the result a decision with its reasons.

For example: ``certificate expires 2026-12-01 -> 2027-11-22, SAN + 10.0.0.7 (expires-soon, names-changed)``.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .._time import parse_renew_before, parse_renew_jitter
from . import names
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
    checks = (
        ("profile-changed", has_profile(certificate, wanted.profile)),
        ("authority-changed", has_issuer(wanted, existing, certificate)),
        ("common-name-changed", wanted.accepts_common_name(certificate.common_name)),
        ("names-changed", wanted.accepts_names(certificate.names, existing.left_out)),
    )
    return {reason for reason, is_right in checks if not is_right}


def _time_reasons(certificate: CertificateView, due: datetime, now: datetime) -> set[str]:
    if now > certificate.not_after:
        return {"expired"}
    if now < certificate.not_before:
        return {"not-yet-valid"}
    return {"expires-soon"} if now >= due else set()


def has_profile(certificate: CertificateView, profile: str) -> bool:
    """Return whether a certificate is a leaf with the usage of ``profile`` and without that of any other profile."""
    usages = set(certificate.extended_key_usages)
    others = {usage for name, usage in names.USAGE_OF_PROFILE.items() if name != profile} | {"anyExtendedKeyUsage"}
    return not certificate.is_authority and names.USAGE_OF_PROFILE[profile] in usages and not usages & others


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


#: Names that every server certificate may have, and that are not shown.
_LOCAL = ("localhost", "127.0.0.1", "::1")


def plan_text(wanted: Wanted, existing: Existing, reasons: t.Sequence[str], end: datetime | None = None) -> str:
    """Return the line for a certificate that would be issued; ``end`` is when the new one will end, None where that is not known."""
    view = existing.certificate
    parts = _new(wanted, end) if view is None else _renewed(wanted, existing, view, end)
    return f"{', '.join(parts)} ({', '.join(reasons)})"


def _new(wanted: Wanted, end: datetime | None) -> list[str]:
    until = f" until {day(end)}" if end is not None else ""
    shown = _shown(wanted.subject.names)
    named = [f"SAN {' '.join(shown)}"] if shown else []
    return [f"new certificate{until}", f"CN {wanted.subject.common_name}", *named, f"issuer {_issuer(wanted)}"]


def _renewed(wanted: Wanted, existing: Existing, view: CertificateView, end: datetime | None) -> list[str]:
    write = minute if end is not None and abs(end - view.not_after) < timedelta(days=2) else day
    parts = [f"certificate expires {write(view.not_after)} -> {write(end) if end is not None else 'a new one'}"]
    if not wanted.accepts_common_name(view.common_name):
        parts.append(f"CN {view.common_name} -> {wanted.subject.common_name}")
    expected = wanted.expected_names(existing.left_out)
    if wanted.accepts_names(view.names, existing.left_out):
        expected = frozenset(view.names)
    added = _shown(expected - set(view.names), local=True)
    removed = _shown(set(view.names) - expected, local=True)
    if added or removed:
        signs = [*(f"+ {name}" for name in added), *(f"- {name}" for name in removed)]
        parts.append(f"SAN {' '.join(signs)}")
    if not has_issuer(wanted, existing, view):
        before = authority_text(view.issuer)
        parts.append(f"issuer {before} -> {_issuer(wanted, before)}")
    key_type = existing.key_type or view.key_type
    if key_type != wanted.key_type:
        parts.append(f"key {key_type} -> {wanted.key_type}")
    if not has_profile(view, wanted.profile):
        usages = " ".join(sorted(view.extended_key_usages)) or "any"
        parts.append(f"usage {usages} -> {names.USAGE_OF_PROFILE[wanted.profile]}")
    return parts


def _shown(found: t.Iterable[str], *, local: bool = False) -> list[str]:
    """Return names for people: sorted, without a client's identity, and without the local ones that all servers have."""
    return sorted(name for name in found if not name.startswith(names.CLIENT_PREFIX) and (local or name not in _LOCAL))


def _issuer(wanted: Wanted, before: str = "") -> str:
    after = authority_text(wanted.authority.subject) if wanted.authority is not None else "a new authority"
    return f"another {after}" if after == before else after


def authority_text(subject: str) -> str:
    """Return what people call an authority: ``server-g1`` for one of ours, else its common name, else its whole subject."""
    own = re.search(r"OU=([^,+]+-g\d+)", subject) or re.search(r"CN=([^,+]+)", subject)
    return own.group(1) if own else subject


def day(moment: datetime) -> str:
    """Return the date of a time, in UTC."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """Return a time to the minute, for certificates that live for hours."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%MZ}"
