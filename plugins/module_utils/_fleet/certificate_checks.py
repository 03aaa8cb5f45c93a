# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked of a certificate: its remaining life, who signed it, and which authorities a host should admit. |."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._pki import der_name, verify
from .._time import parse_renew_before
from .model import READ, Anchor, Authorities, Certificate, ClientFacts, Finding, Ledger

# The lifetime with which thresholds are tried when only their spelling is checked.
_ANY_LIFETIME = timedelta(days=36500)


class Dates(t.Protocol):
    """Something with a beginning and an end."""

    @property
    def not_before(self) -> datetime:
        """When it begins."""

    @property
    def not_after(self) -> datetime:
        """When it ends."""


@dataclass(frozen=True)
class Thresholds:
    """When a certificate has too little life left: any of the fractions (``1/4``) or lengths of time (``30d``).

    Which certificates ``critical`` holds for, ``warning`` need not: the worse one counts.
    """

    warning: tuple[str, ...]
    critical: tuple[str, ...]


def check_thresholds(warning: t.Sequence[str], critical: t.Sequence[str]) -> Thresholds:
    """Return the thresholds. Raises TlsError ``duration-invalid`` naming the option."""
    for option, texts in (("warning", warning), ("critical", critical)):
        for text in texts:
            parse_renew_before(text, _ANY_LIFETIME, option)
    return Thresholds(tuple(warning), tuple(critical))


def limit(texts: t.Iterable[str], lifetime: timedelta) -> timedelta:
    """Return the largest of the thresholds for a certificate of ``lifetime``.

    A length of time that is the whole life or more is useless for such a certificate and is left out: with ``30d``
    alone a client certificate of eight hours would be a warning all its life.
    """
    lengths = [parse_renew_before(text, lifetime) for text in texts]
    return max((length for length in lengths if length < lifetime), default=timedelta(0))


def validity_finding(view: Dates, thresholds: Thresholds, now: datetime, what: str, advice: str) -> Finding | None:
    """Return the finding about the dates of a certificate, None if they are fine.

    ``what`` names the certificate, ``advice`` how to get another.
    """
    left = view.not_after - now
    if left <= timedelta(0):
        return Finding("expired", "critical", f"{what} expired {ago(-left)} ago, on {end_text(view)}", advice)
    if now < view.not_before:
        text = f"{what} begins only in {ago(view.not_before - now)}"
        return Finding("not-yet-valid", "critical", text, "Compare the clocks of the controller and the CA host.")
    lifetime = view.not_after - view.not_before
    for level, texts in (("critical", thresholds.critical), ("warning", thresholds.warning)):
        if left <= limit(texts, lifetime):
            return Finding("expires-soon", level, f"{what} ends in {ago(left)}, on {end_text(view)}", advice)
    return None


def days_left(view: Dates, now: datetime) -> float:
    """Return the days until a certificate ends, negative after its end; to a hundredth, rounded down."""
    return ((view.not_after - now) // timedelta(seconds=864)) / 100


def ago(length: timedelta) -> str:
    """Return a length of time in one suitable unit: ``364 days``, ``47 hours``, ``12 minutes``."""
    seconds = int(length.total_seconds())
    for unit, size, least in (("day", 86400, 2), ("hour", 3600, 2), ("minute", 60, 1)):
        if seconds >= size * least:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def left_text(view: Dates, now: datetime) -> str:
    """Return ``364 days`` or ``-3 days`` for the time until the end of a certificate."""
    left = view.not_after - now
    return ago(left) if left >= timedelta(0) else f"-{ago(-left)}"


def end_text(view: Dates) -> str:
    """Return the day on which a certificate ends, with the time of day (UTC) where it lives less than three days."""
    short = view.not_after - view.not_before < timedelta(days=3)
    return view.not_after.strftime("%Y-%m-%d %H:%M" if short else "%Y-%m-%d")


def plural(count: int, noun: str) -> str:
    """Return ``1 day``, ``2 days``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


_GENERATION = re.compile(r"(?P<name>.+)-g[0-9]+")
SERVER = "server"
CONTROLLER = "localhost"


@dataclass(frozen=True)
class Trust:
    """The anchors of the fleet. ``complete`` is False where the CA host was not read: then ``anchors`` are at most
    the server authorities that the bundles on the controller trust, and access is assessed by the names alone."""

    anchors: tuple[Anchor, ...]
    complete: bool
    ledger: Ledger

    def named(self, name: str) -> tuple[Anchor, ...]:
        """Return the anchors of the authority ``name`` (``server``, or an access group)."""
        return tuple(anchor for anchor in self.anchors if anchor.name == name)

    def signer(
        self, certificate: Certificate, chain: t.Iterable[Certificate], candidates: t.Iterable[Anchor]
    ) -> Anchor | None:
        """Return which of ``candidates`` a certificate leads to."""
        links = [link.raw for link in chain]
        leading = (one for one in candidates if verify.leads_to(certificate.raw, links, [one.certificate.raw]))
        return next(leading, None)

    def is_unrecorded(self, certificate: Certificate) -> bool:
        """Return whether the ledger should know this certificate of ours and does not.

        Certificates from before the ledger's first line (an adopted CA, a restarted ledger) are not its business.
        """
        ledger = self.ledger
        begins = ledger.begins
        if ledger.state not in ("intact", "torn") or begins is None or certificate.view.not_before <= begins:
            return False
        return certificate.view.fingerprint_sha256 not in ledger.known


@dataclass(frozen=True)
class Access:
    """The groups that a daemon admits, compared with the wanted ones: readable names, and the differences."""

    admits: tuple[str, ...]
    unwanted: tuple[str, ...]
    missing: tuple[str, ...]


def gather(authorities: Authorities, ledger: Ledger, clients: t.Iterable[ClientFacts]) -> Trust:
    """Return the anchors for the assessment: those of the CA host, otherwise those that the bundles on the controller trust.

    The bundles of other machines do not count: anyone who owns such a machine could vouch for any authority.
    """
    if authorities.state == READ:
        return Trust(authorities.anchors, True, ledger)
    found: dict[str, Anchor] = {}
    for certificate in (one for client in clients if client.host == CONTROLLER for one in client.stored.anchors):
        der, view = certificate.raw.subject.public_bytes(), certificate.view
        identifier = der_name.unit(der) or view.subject
        found[view.fingerprint_sha256] = Anchor(identifier, SERVER, SERVER, True, certificate, der)
    return Trust(tuple(found.values()), False, ledger)


def compare_access(trust: Trust, advertised: t.Sequence[bytes], groups: t.Sequence[str]) -> Access:
    """Compare the names that a daemon advertises with the authorities of the access groups it should admit.

    Every current generation of a wanted group has to be there; its older, still trusted ones may be.
    """
    if not trust.complete:
        return _compare_by_unit(advertised, groups)
    ids = {anchor.subject_der: anchor.id for anchor in trust.anchors}
    wanted = [anchor for group in groups for anchor in trust.named(group)]
    allowed = {anchor.subject_der for anchor in wanted}
    label = [ids.get(name) or der_name.name_text(name) for name in advertised]
    return Access(
        admits=tuple(label),
        unwanted=tuple(text for text, name in zip(label, advertised) if name not in allowed),
        missing=tuple(anchor.id for anchor in wanted if anchor.current and anchor.subject_der not in advertised),
    )


def _compare_by_unit(advertised: t.Sequence[bytes], groups: t.Sequence[str]) -> Access:
    """The same without the CA: authorities of this collection carry ``<group>-g<generation>`` as their unit."""
    labels, unwanted, seen = [], [], set()
    for name in advertised:
        unit = der_name.unit(name)
        match = _GENERATION.fullmatch(unit)
        labels.append(unit or der_name.name_text(name))
        if match is None or match["name"] not in groups:
            unwanted.append(labels[-1])
        else:
            seen.add(match["name"])
    return Access(tuple(labels), tuple(unwanted), tuple(group for group in groups if group not in seen))


def external_finding(known: Trust, signer: Anchor, certificate: Certificate, what: str) -> Finding:
    """Return the finding for the certificate of another issuer, with the ledger's data about it."""
    found = known.ledger.external.get(certificate.view.fingerprint_sha256)
    record = ""
    if found is not None:
        record = f"; {found.issuer} issued it for {found.requester} on {found.time}"
    elif known.ledger.state in ("intact", "torn"):
        unknown = "the ledger has no record of it"
        record = f"; {unknown}, so it was not requested by this collection, or before the ledger began"
    text = f"{what} is of another issuer, {certificate.view.issuer}, and leads to {signer.id}{record}"
    return Finding("external", "ok", text)


def unrecorded_finding(signer: Anchor, what: str) -> Finding:
    """Return the finding for a certificate that one of our authorities signed behind the ledger's back."""
    text = f"{what} is signed by {signer.id}, but the ledger does not know it"
    advice = "Either the CA directory was restored from an older backup, or someone else has the authority's key."
    return Finding("unrecorded", "warning", text, advice)


def covers(names: t.Iterable[str], address: str) -> bool:
    """Return whether a certificate with ``names`` is valid for ``address`` (RFC 6125 §6.4: wildcard for one label)."""
    wanted = address.lower().rstrip(".")
    try:
        ip = ipaddress.ip_address(wanted)
    except ValueError:
        rest = wanted.partition(".")[2]
        return any(name == wanted or (name.startswith("*.") and rest and name[2:] == rest) for name in names)
    return str(ip) in names
