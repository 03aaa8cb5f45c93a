# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Input and output of every format of a client's identity."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..._errors import TlsError


@dataclass(frozen=True)
class Endpoint:
    """A Docker host that the client may use: a name for people, and ``tcp://HOST:PORT``."""

    name: str
    docker_host: str

    @property
    def address(self) -> str:
        """``HOST:PORT``, for what wants no scheme or another one."""
        return self.docker_host[len("tcp://") :]


@dataclass(frozen=True)
class Identity:
    """One client: its files, where its consumers see them, and where it may go."""

    client: str
    directory: str
    ca: bytes
    certificate: bytes
    key: bytes
    endpoints: tuple[Endpoint, ...]
    passphrase: str = ""

    def path(self, name: str) -> str:
        """Return where a consumer finds ``ca.pem``, ``cert.pem`` or ``key.pem``."""
        return f"{self.directory.rstrip('/')}/{name}"


def endpoints_by_name(identity: Identity, name_of: t.Callable[[str], str], what: str) -> dict[str, Endpoint]:
    """Return the endpoints by the names that a format gives them; ``what``: such a name in words, with ``{}`` for it.

    Raises TlsError ``endpoint-duplicate`` where two would have the same.
    """
    found: dict[str, Endpoint] = {}
    for endpoint in identity.endpoints:
        name = name_of(endpoint.name)
        if name in found:
            raise TlsError(
                f"the endpoints {found[name].name!r} and {endpoint.name!r} of {identity.client!r} would have the same "
                f"{what.format(repr(name))}",
                hint="Give one of them another name.",
                code="endpoint-duplicate",
            )
        found[name] = endpoint
    return found


@dataclass(frozen=True)
class File:
    """A file of a format, made only if the one in place will not do."""

    make: t.Callable[[], bytes]
    is_current: t.Callable[[bytes], bool]
    private: bool


def text(*lines: str) -> File:
    """Return a file without a secret, as lines."""
    return public("".join(f"{line}\n" for line in lines).encode())


def public(data: bytes) -> File:
    """Return a file without a secret, byte for byte."""
    return _exactly(data, private=False)


def secret(data: bytes) -> File:
    """Return a file whose content is never shown."""
    return _exactly(data, private=True)


def _exactly(data: bytes, *, private: bool) -> File:
    return File(make=lambda: data, is_current=lambda found: found == data, private=private)


def quoted(value: str) -> str:
    """Return a string in double quotes as YAML and TOML both read it: what JSON writes is a subset of theirs."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def header(comment: str = "#") -> str:
    """Return the first line of files that people may open."""
    return f"{comment} Written by portcullis.docker_tls; the next run writes it again."
