# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names and places of the listener ``proxy`` for a Docker service. Pure, and needed by the rollback guard too."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

#: Where the link is that starts the unit at boot.
_WANTS = "multi-user.target.wants"
_BIND = re.compile(
    r"^\s*bind\s+(?:ipv[46]@)?(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]+)\s", re.MULTILINE
)


@dataclass(frozen=True)
class ProxyFiles:
    """Paths. ``directory`` holds files that HAProxy and every user may read; ``runtime`` the certificate and its key, in memory."""

    unit: str
    unit_path: str
    link: str
    directory: str
    config: str
    crl: str
    runtime: str

    @property
    def paths(self) -> tuple[str, str, str]:
        """The files that a change swaps, in the order of their swap."""
        return self.config, self.crl, self.unit_path

    @property
    def bundle(self) -> str:
        """Certificate, chain and key for HAProxy."""
        return f"{self.runtime}/server.pem"

    @property
    def client_ca(self) -> str:
        """The client authorities for HAProxy."""
        return f"{self.runtime}/client-ca.pem"


def proxy_files(service: str, unit_directory: str, root: str = "/") -> ProxyFiles:
    """Return the places for a Docker service: ``docker-tls-proxy.service`` for ``docker.service``."""
    stem = service[: -len(".service")] if service.endswith(".service") else service
    name = f"{stem}-tls-proxy"
    directory = os.path.join(root, "etc", name)
    return ProxyFiles(
        unit=f"{name}.service",
        unit_path=os.path.join(unit_directory, f"{name}.service"),
        link=os.path.join(unit_directory, _WANTS, f"{name}.service"),
        directory=directory,
        config=os.path.join(directory, "haproxy.cfg"),
        crl=os.path.join(directory, "crl.pem"),
        runtime=os.path.join(root, "run", name),
    )


def listeners(config: bytes | None) -> tuple[tuple[str, int], ...]:
    """Return (address, port) of the ``bind`` lines of a configuration of ours."""
    text = (config or b"").decode("utf-8", "replace")
    return tuple((match["six"] or match["four"], int(match["port"])) for match in _BIND.finditer(text))


def addresses_text(places: t.Iterable[tuple[str, int]]) -> str:
    """Return places as people write them."""
    return ", ".join(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in places)
