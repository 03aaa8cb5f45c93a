# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data about a fleet, and its assessment.

Two halves: the *facts* (read from disks and from the wire) and the *report* (the same with findings).
``assess_fleet`` makes the second from the first; the renderers know the report only.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._ca.access import ClientCertificate
from .._pki.reader import CertificateView

if t.TYPE_CHECKING:
    from .._pki.compat import x509
    from .._pki.revocation_list import RevocationList

#: Levels, the better first. ``unknown``: nothing could be seen (no permission, a machine that is off).
LEVELS = ("ok", "unknown", "warning", "critical")

#: How an inspection ended.
READ, MISSING, NOT_READABLE = "read", "missing", "not-readable"
UNREACHABLE, INVALID, NOT_ASKED = "unreachable", "invalid", "not-asked"


@dataclass(frozen=True)
class Certificate:
    """A certificate as it was found, and read."""

    raw: x509.Certificate
    view: CertificateView


@dataclass(frozen=True)
class Anchor:
    """The certificate of an authority generation. ``current`` generations sign; the others are still trusted."""

    id: str
    name: str
    purpose: str
    current: bool
    certificate: Certificate
    subject_der: bytes
    #: An anchor of another issuer: nothing here can make a new one.
    external: bool = False
    #: Its revocation list as the CA has it.
    revocation_list: RevocationList | None = None


@dataclass(frozen=True)
class Authorities:
    """The answer of the CA host. ``state`` is READ, or why there is no answer (``problem``)."""

    host: str
    path: str
    state: str
    problem: str
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True)
class External:
    """The ledger's data about a certificate of another issuer: the kind of issuer, the time and the host of the request."""

    issuer: str
    time: str
    requester: str


@dataclass(frozen=True)
class Ledger:
    """What became of checking the ledger: intact, torn, tampered, missing, not-readable or not-asked."""

    state: str
    problem: str = ""
    line: int | None = None
    lines: int = 0
    head: str = ""
    begins: datetime | None = None
    known: frozenset[str] = frozenset()
    #: What another issuer has signed, by fingerprint.
    external: t.Mapping[str, External] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """Certificate files on a disk. ``anchors`` are the certificates in ca.pem, ``client_anchors`` those in client-ca.pem.

    ``starts_at_boot``: of a daemon's host, whether the boot opens the endpoint; None where that is not known.
    """

    state: str
    problem: str = ""
    path: str = ""
    certificate: Certificate | None = None
    key_matches: bool | None = None
    anchors: tuple[Certificate, ...] = ()
    client_anchors: tuple[Certificate, ...] | None = None
    chain: tuple[Certificate, ...] = ()  # the certificates behind it in its file
    configured: bool | None = None  # whether daemon.json has the settings of the endpoint; None: not known
    starts_at_boot: bool | None = None
    #: The lists that the listener ``proxy`` checks; none with other listeners.
    revocation_lists: tuple[RevocationList, ...] = ()
    #: With that listener, access groups and their rights in words (``full``, ``read-only``).
    rights: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Served:
    """The greeting of an endpoint to a client without a certificate. ``authority_names`` are DER subjects."""

    state: str
    problem: str = ""
    certificate: Certificate | None = None
    chain: tuple[Certificate, ...] = ()
    asks_for_certificate: bool = True
    authority_names: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class HostFacts:
    """One Docker host: the inventory's settings, and the state on its disk and its endpoint."""

    name: str
    address: str
    port: int
    wanted: bool
    access_groups: tuple[str, ...]
    stored: Stored
    served: Served


@dataclass(frozen=True)
class ClientFacts:
    """One bundle of a client: on the controller or on a client machine. ``former``: what is in directories that it had before."""

    id: str
    client: str
    group: str
    host: str
    stored: Stored
    former: tuple[Stored, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing worth saying. ``code`` is a stable kebab-case word, ``advice`` what to do about it."""

    code: str
    level: str
    message: str
    advice: str = ""


def rank(level: str) -> int:
    """Return how bad a level is."""
    return LEVELS.index(level)


def worst(levels: t.Iterable[str]) -> str:
    """Return the worst of ``levels``, ``ok`` for none."""
    return max(levels, key=rank, default="ok")


@dataclass(frozen=True)
class Assessed:
    """What every line of the report has: its findings, the worst first."""

    findings: tuple[Finding, ...]

    @property
    def level(self) -> str:
        """The level of the worst finding."""
        return worst(finding.level for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The word for the whole: the code of the worst finding that is not a mere note, else ``ok``."""
        return next((finding.code for finding in self.findings if finding.level != "ok"), "ok")


def order(findings: t.Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the worst first, otherwise as they came."""
    return tuple(sorted(findings, key=lambda finding: -rank(finding.level)))


@dataclass(frozen=True)
class AuthorityStatus(Assessed):
    """One generation of an authority."""

    anchor: Anchor


@dataclass(frozen=True)
class HostStatus(Assessed):
    """One Docker host. ``admits`` names the authorities that the daemon advertises; None where it could not be asked.

    ``checks``: the ids of the authorities of which it refuses everything that the CA has revoked, by a revocation list.
    """

    facts: HostFacts
    admits: tuple[str, ...] | None
    checks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ClientStatus(Assessed):
    """One client bundle."""

    facts: ClientFacts


@dataclass(frozen=True)
class CertificateStatus(Assessed):
    """A client certificate that should not be used any more; ``opens`` are the hosts whose running daemons admit its authority."""

    facts: ClientCertificate
    opens: tuple[str, ...]


@dataclass(frozen=True)
class CaStatus(Assessed):
    """The CA host and its ledger."""

    authorities: Authorities
    ledger: Ledger


@dataclass(frozen=True)
class Report:
    """The assessment of the fleet at ``now``."""

    now: datetime
    warning: tuple[str, ...]
    critical: tuple[str, ...]
    ca: CaStatus
    authorities: tuple[AuthorityStatus, ...]
    hosts: tuple[HostStatus, ...]
    clients: tuple[ClientStatus, ...]
    certificates: tuple[CertificateStatus, ...] = ()

    @property
    def items(self) -> tuple[Assessed, ...]:
        """Every line of the report."""
        return (self.ca, *self.authorities, *self.hosts, *self.clients, *self.certificates)

    @property
    def level(self) -> str:
        """The worst level of all."""
        return worst(item.level for item in self.items)

    @property
    def counts(self) -> dict[str, int]:
        """How many authorities, hosts and clients have each level, the worst first; the CA counts when it has a fault."""
        levels = [item.level for item in self.items if item is not self.ca or item.level != "ok"]
        return {level: levels.count(level) for level in reversed(LEVELS)}
