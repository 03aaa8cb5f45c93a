# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of a plain port served on for a while, beside the secured endpoint.

One dockerd cannot have both: TLS is for all of its TCP listeners (dockerd-facts 1.5). So systemd holds the old addresses
and relays its connections to Docker's local socket. It is not more open than the port was before, and it is one unit to remove.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .. import _files
from .._docker.systemd import Systemd
from .._errors import TlsError

UNIT = "docker-tls-plain"
_PROXIES = ("/usr/lib/systemd/systemd-socket-proxyd", "/lib/systemd/systemd-socket-proxyd")
_PLAIN_PORT = 2375


@dataclass(frozen=True)
class Relay:
    """The two unit files, by path."""

    files: t.Mapping[str, str]

    @property
    def listens(self) -> tuple[str, ...]:
        """The addresses that are listened on."""
        text = "".join(self.files.values())
        return tuple(line.partition("=")[2] for line in text.splitlines() if line.startswith("ListenStream="))


def endpoint_of(url: str) -> str:
    """Return ADDRESS:PORT for systemd as dockerd understands a TCP listener: no address is loopback, no port is 2375.

    Raises TlsError ``listen-invalid``.
    """
    rest = url[len("tcp://") :] if url.startswith("tcp://") else url
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        host, port = rest, ""
    if "://" in rest or (port and not port.isdigit()):
        raise TlsError(
            f"{url!r} is not a TCP listener of dockerd",
            hint="Write for example tcp://10.0.0.5:2375.",
            code="listen-invalid",
        )
    # dockerd's 0.0.0.0 is IPv6 as well, systemd's is not; no more is opened than a client of the old port can have used by IPv4.
    return f"{host or '127.0.0.1'}:{port or _PLAIN_PORT}"


def wanted(urls: t.Iterable[str], unit_directory: str, docker_socket: str, proxy: str) -> Relay:
    """Return the unit files for the listeners ``urls``."""
    listens = "".join(f"ListenStream={endpoint_of(url)}\n" for url in dict.fromkeys(urls))
    head = "# Managed by Ansible (portcullis.docker_tls)\n[Unit]\nDescription=Docker's API without TLS, for clients that have not moved yet\n"
    socket = f"{head}\n[Socket]\n{listens}FreeBind=yes\n\n[Install]\nWantedBy=sockets.target\n"
    service = f"{head}Requires={UNIT}.socket\nAfter={UNIT}.socket\n\n[Service]\nExecStart={proxy} {docker_socket}\n"
    kinds = {"socket": socket, "service": service}
    return Relay({os.path.join(unit_directory, f"{UNIT}.{kind}"): text for kind, text in kinds.items()})


def docker_socket(paths: t.Iterable[str]) -> str:
    """Return where the relay connects to: the first of dockerd's local sockets that has a lasting path, by default Docker's own."""
    lasting = (path for path in paths if path.startswith(("/", "@")) and not path.startswith("/proc/"))
    return next(lasting, "/run/docker.sock")


def ensure(
    systemd: Systemd, urls: t.Sequence[str], state: str, *, predict: bool, local: str = "/run/docker.sock"
) -> tuple[bool, tuple[str, ...]]:
    """Make the relay for ``urls`` (``present``) or remove it (``absent``); return whether that changes anything, and its listeners.

    ``local``: dockerd's local socket. Without ``urls`` a relay that is there stays as it is: a secured dockerd does not show its former plain listeners.
    Raises TlsError ``relay-unavailable``, ``listen-invalid``, ``file-unwritable``, ``systemd-command-failed``.
    """
    paths = [os.path.join(systemd.unit_directory, f"{UNIT}.{kind}") for kind in ("socket", "service")]
    before = {path: (_files.read_bytes_or_none(path) or b"").decode("utf-8", "replace") for path in paths}
    there = any(before.values())
    if state == "absent":
        if there and not predict:
            systemd.command("disable", "--now", "--", f"{UNIT}.socket")
            systemd.command("stop", "--", f"{UNIT}.service")
            for path in paths:
                if os.path.lexists(path):
                    os.unlink(path)
            systemd.daemon_reload()
        return there, ()
    if not urls:
        return False, Relay(before).listens
    relay = wanted(urls, systemd.unit_directory, local, _proxy())
    changed = dict(relay.files) != before or not systemd.is_active(f"{UNIT}.socket")
    if changed and not predict:
        for path, text in relay.files.items():
            _files.write_atomic(path, text.encode("ascii"), 0o644)
        systemd.daemon_reload()
        systemd.command("enable", "--", f"{UNIT}.socket")
        systemd.command("restart", "--", f"{UNIT}.socket")
    return changed, relay.listens


def _proxy() -> str:
    path = next(filter(os.path.exists, _PROXIES), "")
    if path:
        return path
    raise TlsError(
        "systemd-socket-proxyd is not on this host, so the plain port cannot be served on beside the secured one",
        hint="Leave docker_adopt_keep_2375 false: the plain port is then closed when the endpoint is secured.",
        code="relay-unavailable",
    )
