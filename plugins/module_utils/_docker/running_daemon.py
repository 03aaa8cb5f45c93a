# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dockerd that runs as docker.service: where it listens and where to ask it.

A host can have several daemons (a second unit, one in a container, a rootless one), and any of them may own
/var/run/docker.sock. So the place comes from the command line of the service's main process, and who answers must be that
process, or systemd for a socket that it has handed over.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._files import read_bytes_or_none
from .._host import listening_sockets
from . import local_listeners
from .engine_api import Engine, listener_pid

_SYSTEMD = 1
# Sockets of dockerd's own helpers below its exec-root, which are not its API.
_HELPERS = ("/run/docker/", "/var/run/docker/")


def listening_of(pid: int, arguments: t.Sequence[str], streams: t.Sequence[str]) -> local_listeners.Listening:
    """Return where the dockerd ``pid`` listens; ``streams``: what docker.socket listens on.

    Where none of its configured sockets is its own (daemon.json was edited after its start), the kernel's list counts.
    """
    values = local_listeners.keys_of(read_bytes_or_none(local_listeners.config_path(arguments)))
    found = local_listeners.listening(arguments, values, streams)
    found = replace(found, unix=tuple(_reachable(path, pid) for path in found.unix))
    own = _owned(found.unix, pid)
    if found.unix and not own:
        own = _owned([path for path in listening_sockets.unix_sockets(pid) if not path.startswith(_HELPERS)], pid)
    return replace(found, unix=own or found.unix)


def engine_of(pid: int, found: local_listeners.Listening) -> Engine | None:
    """Return how to ask the dockerd ``pid``, None where it has neither a local socket nor a listener without TLS."""
    if found.unix:
        return Engine(found.unix[0], (_SYSTEMD, pid))
    return Engine(_connectable(found.plain[0])) if found.plain else None


def api_ports(pid: int, found: local_listeners.Listening) -> set[int]:
    """Return the TCP ports on which the dockerd ``pid`` serves its API: configured and open, or handed over by systemd.

    It can hold further ones: without the userland proxy it reserves the published ports of containers itself.
    """
    configured = {port for _address, port in found.tcp}
    return {port for _address, port in listening_sockets.held_by(pid) if port in configured} | {
        port for _address, port in listening_sockets.handed_over(pid)
    }


def _owned(paths: t.Iterable[str], pid: int) -> tuple[str, ...]:
    return tuple(path for path in paths if listener_pid(path) in (_SYSTEMD, pid))


def _reachable(path: str, pid: int) -> str:
    """Return a relative path as it can be reached from here: it counts from dockerd's working directory."""
    return path if path.startswith(("/", "@")) else f"/proc/{pid}/cwd/{path}"


def _connectable(place: tuple[str, int]) -> tuple[str, int]:
    address, port = place
    return ("127.0.0.1" if address in ("", "0.0.0.0", "::", "localhost") else address), port
