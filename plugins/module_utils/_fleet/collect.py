# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of the module fleet_status, and from what endpoints show on the wire, to facts. |.

What comes from hosts is not trusted: whatever a file holds becomes at worst an ``invalid`` with an explanation.
"""

from __future__ import annotations

import concurrent.futures
import functools
import ipaddress
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._ca.access import ledger_time
from .._docker.tls_greeting import HandshakeError, ServerGreeting, read_greeting
from .._errors import TlsError
from .._pki import reader, revocation_list
from .._pki.compat import UNREADABLE, x509
from .model import (
    INVALID,
    MISSING,
    NOT_ASKED,
    READ,
    UNREACHABLE,
    Anchor,
    Authorities,
    Certificate,
    ClientFacts,
    External,
    HostFacts,
    Ledger,
    Served,
    Stored,
)

Mapping = t.Mapping[str, t.Any]
_UNIT = re.compile(r"(?:^|,)OU=(?P<id>[a-z0-9][a-z0-9_-]*-g[0-9]+)(?:,|$)")


@functools.lru_cache(maxsize=4096)
def certificates_from_pem(text: str, what: str) -> tuple[Certificate, ...]:
    """Return the certificates in a PEM text. Raises TlsError ``certificate-unreadable``."""
    return tuple(Certificate(raw, reader.view_certificate(raw, what)) for raw in reader.load_certificates(text, what))


def certificate_from_der(der: bytes) -> Certificate:
    """Return a certificate from the wire. Raises TlsError ``certificate-unreadable``."""
    try:
        raw = x509.load_der_x509_certificate(der)
    except UNREADABLE as error:
        raise TlsError(
            "the server's certificate cannot be read",
            hint="Check what answers on that port: its certificate is not X.509 as RFC 5280 has it.",
            code="certificate-unreadable",
        ) from error
    return Certificate(raw, reader.view_certificate(raw, "the server's certificate"))


def stored(raw: Mapping | None) -> Stored:
    """Return the files of a host or a bundle from the result of the module certificate_files_info."""
    if not raw:
        return Stored(NOT_ASKED)
    path, boot = raw.get("path") or "", raw.get("starts_at_boot")
    at_boot = boot if isinstance(boot, bool) else None
    if raw["state"] != READ:
        return Stored(raw["state"], raw.get("problem") or "", path, starts_at_boot=at_boot)
    try:
        certificate, *chain = certificates_from_pem(raw.get("certificate_content") or "", "the file")
    except TlsError as error:
        return Stored(INVALID, error.message, path, starts_at_boot=at_boot)
    client_ca = raw.get("client_ca_content")
    return Stored(
        READ,
        path=path,
        certificate=certificate,
        chain=tuple(chain),
        key_matches=raw.get("key_matches"),
        anchors=_bundle(raw.get("ca_content")),
        client_anchors=None if not client_ca else _bundle(client_ca),
        configured=raw.get("configured"),
        starts_at_boot=at_boot,
        revocation_lists=_lists(raw.get("revocation_lists_content")),
        rights=tuple((raw.get("rights") or {}).items()),
    )


def _lists(text: str | None) -> tuple[revocation_list.RevocationList, ...]:
    """Return revocation lists, none where one cannot be read: HAProxy would not start with it."""
    try:
        return tuple(revocation_list.read_lists(text, "the revocation lists")) if text else ()
    except TlsError:
        return ()


def _bundle(text: str | None) -> tuple[Certificate, ...]:
    """Return the certificates of a bundle, none where it cannot be read: it could trust no server."""
    try:
        return certificates_from_pem(text, "the bundle") if text else ()
    except TlsError:
        return ()


def host(raw: Mapping, served: t.Mapping[tuple[str, int], Served]) -> HostFacts:
    """Return a Docker host; ``served`` are the greetings on the wire, by (address, port)."""
    address, port = endpoint(raw["endpoint"])
    return HostFacts(
        name=raw["name"],
        address=address,
        port=port,
        wanted=raw["state"] == "present",
        access_groups=tuple(raw["access_groups"] or ()),
        stored=stored(raw.get("stored")),
        served=served.get((address, port), Served(NOT_ASKED)),
    )


def endpoint(url: str) -> tuple[str, int]:
    """Return (address, port) of ``tcp://ADDRESS:PORT``. Raises TlsError ``endpoint-invalid``."""
    try:
        parts = urlsplit(url if "://" in url else f"tcp://{url}")
        address, port = parts.hostname, parts.port
    except ValueError:
        address = port = None
    if not address or not port:
        raise TlsError(
            f"hosts: the endpoint {url!r} is not of the form tcp://ADDRESS:PORT",
            hint="Set docker_daemon_address and docker_daemon_port (or docker_daemon_listen) of that host.",
            code="endpoint-invalid",
        )
    return address, port


def client(raw: Mapping) -> ClientFacts:
    """Return a client bundle."""
    former = tuple(stored(one) for one in raw.get("former") or ())
    return ClientFacts(raw["id"], raw["client"], raw["group"], raw["host"], stored(raw.get("stored")), former)


def authorities(raw: Mapping) -> Authorities:
    """Return the result of the module authority_info, or why there is none."""
    found = raw.get("authorities") or {}
    problem = raw.get("problem") or ""
    state = READ if found else raw.get("state") or MISSING
    server_first = sorted(found, key=lambda name: (name != "server", name))
    anchors = tuple(anchor for name in server_first for anchor in _anchors(name, found[name]))
    return Authorities(raw.get("host") or "", raw.get("path") or "", state, problem, anchors)


def _anchors(name: str, raw: Mapping) -> t.Iterator[Anchor]:
    """Yield what certificates lead to now (a generation, or the anchors of another issuer), then older ones that are still trusted."""
    what, external, lists = f"the authority {name}", bool(raw.get("external")), _lists(raw.get("crl_content"))

    def anchor(identifier: str, certificate: Certificate, *, is_current: bool, is_external: bool = False) -> Anchor:
        own = next((one for one in lists if revocation_list.is_by(one, certificate.raw)), None)
        der = certificate.raw.subject.public_bytes()
        return Anchor(identifier, name, raw["purpose"], is_current, certificate, der, is_external, own)

    signing = certificates_from_pem(raw["certificate_content"], what)[: None if external else 1]
    known = {one.view.fingerprint_sha256 for one in signing}
    for number, certificate in enumerate(signing, start=1):
        identifier = raw["id"] if number == 1 else f"{raw['id']}-{number}"
        yield anchor(identifier, certificate, is_current=True, is_external=external)
    older = certificates_from_pem(raw["trusted_content"], what) if raw.get("trusted_content") else ()
    for number, certificate in enumerate(older, start=1):
        if certificate.view.fingerprint_sha256 not in known:
            known.add(certificate.view.fingerprint_sha256)
            unit = _UNIT.search(certificate.view.subject)
            yield anchor(unit["id"] if unit else f"{name}-older-{number}", certificate, is_current=False)


def ledger(raw: Mapping | None) -> Ledger:
    """Return the data of the module ledger_info about the ledger and the certificates that are valid now."""
    if not raw:
        return Ledger(NOT_ASKED)
    begins = raw.get("begins")
    return Ledger(
        state=raw["state"],
        problem=raw.get("problem") or "",
        line=raw.get("line"),
        lines=raw.get("lines") or 0,
        head=raw.get("head") or "",
        begins=ledger_time(begins) if begins else None,
        known=frozenset(raw.get("known") or ()),
        external={name: External(**one) for name, one in (raw.get("external") or {}).items()},
    )


Reader = t.Callable[[str, int, float, str], ServerGreeting]


@dataclass(frozen=True)
class ProbeLimits:
    """Seconds for each endpoint, and how many are asked at the same time."""

    timeout: float
    connections: int


def probe(
    endpoints: t.Sequence[tuple[str, int]], limits: ProbeLimits, reader: Reader = read_greeting
) -> dict[tuple[str, int], Served]:
    """Return what each (address, port) shows. Needs no root, no key and no client certificate; never raises."""
    once = list(dict.fromkeys(endpoints))
    if not once:
        return {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(limits.connections, len(once))) as pool:
        found = pool.map(lambda one: probe_one(one[0], one[1], limits.timeout, reader), once)
        return dict(zip(once, found))


def probe_one(address: str, port: int, timeout: float, reader: Reader = read_greeting) -> Served:
    """Return what one endpoint shows."""
    try:
        greeting = reader(address, port, timeout, server_name(address))
        chain = tuple(certificate_from_der(der) for der in greeting.certificates)
    except OSError as error:
        return Served(UNREACHABLE, problem=_reason(error))
    except HandshakeError as error:
        return Served(INVALID, problem=str(error))
    except TlsError as error:
        return Served(INVALID, problem=error.message)
    if not chain:
        return Served(INVALID, problem="the server shows no certificate")
    return Served(
        READ,
        certificate=chain[0],
        chain=chain[1:],
        asks_for_certificate=greeting.asks_for_certificate,
        authority_names=greeting.authority_names,
    )


def server_name(address: str) -> str:
    """Return what goes into SNI: a DNS name, never an address (RFC 6066 §3)."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return address
    return ""


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError) or type(error).__name__ == "timeout":
        return "no answer in time"
    return (error.strerror or str(error) or type(error).__name__).lower()
