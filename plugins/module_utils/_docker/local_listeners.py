# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where dockerd listens, and where it can be asked without a certificate. Pure.

Source: moby opts/hosts.go (ParseHost) and daemon/listeners (listenFD); measured on dockerd 20.10.24:

* Flags and ``hosts`` in daemon.json exclude each other. With neither, dockerd listens on /var/run/docker.sock; with TLS
  switched on and neither, on tcp://localhost:2376 only, without a local socket.
* ``unix://`` without a path is /var/run/docker.sock; a relative path counts from dockerd's working directory.
* ``fd://`` is every listener of docker.socket, ``fd://3`` the first of them.
* DOCKER_HOST is for the client: dockerd does not read it.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .flags import find_flags

DEFAULT_CONFIG_PATH = "/etc/docker/daemon.json"
DEFAULT_PATH = "/var/run/docker.sock"
_FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
_DEFAULT_TLS = "localhost:2376"
_PLAIN_PORT = 2375  # of a TCP listener without a port, with TLS as well (dockerd-facts 1.5)
_ADDRESS = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^:/]*):)?(?P<port>[0-9]+)(?:/.*)?")


@dataclass(frozen=True)
class Listening:
    """The listeners of a dockerd. ``unix``: paths, ``@name`` for an abstract one; ``tcp``: (address, port) as configured."""

    unix: tuple[str, ...] = ()
    tcp: tuple[tuple[str, int], ...] = ()
    tls: bool = False

    @property
    def plain(self) -> tuple[tuple[str, int], ...]:
        """The TCP listeners that may be asked without a certificate."""
        return () if self.tls else self.tcp


def listening(
    arguments: t.Sequence[str], values: t.Mapping[str, t.Any], streams: t.Sequence[str] = ("/run/docker.sock",)
) -> Listening:
    """Return where a dockerd with these ``arguments`` (without the program) and these keys of daemon.json listens.

    ``streams``: what docker.socket listens on, in systemd's order. ``unix`` is empty where the engine has no local socket.
    """
    flags = find_flags(arguments)
    # tlsverify switches TLS on by being there, whatever its value (20.10 and later).
    tls = "tlsverify" in values or values.get("tls") is True
    tls = tls or any(f.name == "tlsverify" or (f.name == "tls" and f.value not in ("false", "0")) for f in flags)
    hosts = [flag.value or "" for flag in flags if flag.name == "host"] or _hosts(values)
    unix: list[str] = []
    tcp: list[tuple[str, int]] = []
    for host in hosts or [""]:
        for entry in _expanded(host.strip(), tls, streams):
            if entry.startswith(("unix:", "/", "@")):
                unix.append(entry[len("unix:") :] if entry.startswith("unix:") else entry)
            else:
                tcp.append(_tcp(entry))
    return Listening(tuple(dict.fromkeys(unix)), tuple(dict.fromkeys(tcp)), tls)


def config_path(arguments: t.Sequence[str]) -> str:
    """Return the daemon.json that a dockerd with these arguments reads."""
    named = [flag.value for flag in find_flags(arguments) if flag.name == "config-file" and flag.value]
    return named[-1] if named else DEFAULT_CONFIG_PATH


def keys_of(data: bytes | None) -> dict[str, t.Any]:
    """Return the keys of a daemon.json; none where it cannot be read, for a dockerd that runs has read another."""
    try:
        values = json.loads((data or b"{}").decode("utf-8", "replace").lstrip("\ufeff") or "{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def same_socket(path: str, other: str) -> bool:
    """Return whether two paths name one socket: /var/run is a link to /run."""
    return _canonical(path) == _canonical(other)


def socket_of(host: str) -> str:
    """Return the path in a ``unix://`` listener."""
    return host[len("unix://") :] or DEFAULT_PATH


def _canonical(path: str) -> str:
    path = re.sub("/{2,}", "/", path)
    return path[len("/var") :] if path.startswith("/var/run/") else path


def _hosts(values: t.Mapping[str, t.Any]) -> list[str]:
    hosts = values.get("hosts")
    return [host for host in hosts if isinstance(host, str)] if isinstance(hosts, list) else []


def _expanded(host: str, tls: bool, streams: t.Sequence[str]) -> t.Sequence[str]:
    """Return ``unix:PATH`` or the TCP address of one listener; docker.socket's own for ``fd://``."""
    if not host:
        return [_DEFAULT_TLS] if tls else [f"unix:{DEFAULT_PATH}"]
    scheme, separator, rest = host.partition("://")
    if not separator:
        return [host]
    if scheme == "unix":
        return [f"unix:{rest or DEFAULT_PATH}"]
    if scheme == "fd" and rest.isdigit():
        return streams[int(rest) - _FIRST_DESCRIPTOR :][:1] if int(rest) >= _FIRST_DESCRIPTOR else ()
    return streams if scheme == "fd" else [rest]


def _tcp(entry: str) -> tuple[str, int]:
    """Return (address, port); dockerd takes loopback for a missing address."""
    match = _ADDRESS.fullmatch(entry)
    if match is None:
        return entry.strip("[]") or "localhost", _PLAIN_PORT
    return (match["host"] or "localhost").strip("[]"), int(match["port"])
