# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all endpoints show to a client without a certificate, read side by side."""

from __future__ import annotations

import concurrent.futures
import ipaddress
import typing as t
from dataclasses import dataclass

from .._docker.tls_greeting import HandshakeError, ServerGreeting, read_greeting
from .._errors import TlsError
from . import inputs
from .model import INVALID, READ, UNREACHABLE, Served

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
        chain = tuple(inputs.certificate_from_der(der) for der in greeting.certificates)
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
