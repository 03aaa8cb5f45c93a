# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the listener ``proxy`` is on a host; changes nothing."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._files import read_bytes_or_none
from .files import ProxyFiles
from .package import Package
from .service import is_enabled
from .unit import is_ours


@dataclass(frozen=True)
class ProxyState:
    """Our files as they are (None: no file), and the unit.

    Read only where the listener is wanted: ``package``, and Docker's local socket with the group that may use it ("": none but root).
    """

    files: ProxyFiles
    config: bytes | None = None
    crl: bytes | None = None
    unit: bytes | None = None
    active: bool = False
    enabled: bool = False
    package: Package | None = None
    docker_socket: str = ""
    socket_group: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the unit is ours."""
        return is_ours(self.unit)

    @property
    def contents(self) -> dict[str, bytes | None]:
        """Path -> bytes of the files that a change swaps."""
        return dict(zip(self.files.paths, (self.config, self.crl, self.unit)))


class Host(t.Protocol):
    """The operations of the machine that are needed here."""

    @property
    def proxy_files(self) -> ProxyFiles:
        """Where the files of the listener are."""

    def proxy_is_active(self) -> bool:
        """Return whether the unit runs."""

    def proxy_package(self) -> Package:
        """Return the HAProxy of this host."""

    def local_socket(self) -> tuple[str, str]:
        """Return the path of Docker's local socket, and the group that may use it."""


def read_proxy(host: Host, *, wanted: bool) -> ProxyState:
    """Return the present state. Raises TlsError ``file-unreadable``. ``wanted``: the listener should be set up."""
    files = host.proxy_files
    config, crl, unit = map(read_bytes_or_none, files.paths)
    socket, group = host.local_socket() if wanted else ("", "")
    return ProxyState(
        files=files,
        config=config,
        crl=crl,
        unit=unit,
        active=unit is not None and host.proxy_is_active(),
        enabled=is_enabled(files),
        package=host.proxy_package() if wanted else None,
        docker_socket=socket,
        socket_group=group,
    )
