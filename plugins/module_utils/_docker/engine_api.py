# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's answers where it needs no certificate, asked without the docker CLI."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import typing as t
from dataclasses import dataclass

from .local_listeners import DEFAULT_PATH

_PEER = "3i"  # struct ucred: pid, uid, gid


@dataclass(frozen=True)
class EngineFacts:
    """The running engine's information about itself."""

    version: str
    live_restore: bool
    swarm_active: bool
    containers_running: int
    bridges: tuple[str, ...] = ()  # names of the bridges of its networks


class EngineError(Exception):
    """The engine did not answer on its local socket; the text has the reason."""


class _LocalConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; ``owners``: the processes that may listen there, all where it is empty."""

    def __init__(self, path: str, timeout: float, owners: t.Collection[int] = ()) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._owners = owners

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(_address(self._path))
        pid = _listener(self.sock)
        if self._owners and pid not in self._owners:
            raise OSError(f"process {pid} listens there, which is not docker.service")


class Engine:
    """The Docker engine behind a unix socket, or a TCP listener without TLS (``path``: (address, port)).

    All paths are asked unversioned: any engine understands them. ``owners``: PIDs of which one must listen on the socket.
    """

    def __init__(self, path: str | tuple[str, int] = DEFAULT_PATH, owners: t.Collection[int] = ()) -> None:
        self.path = path if isinstance(path, str) else f"{path[0]}:{path[1]}"
        self._where = path
        self._owners = owners

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if isinstance(self._where, str):
            return _LocalConnection(self._where, timeout, self._owners)
        return http.client.HTTPConnection(self._where[0], self._where[1], timeout=timeout)

    def get(self, path: str, timeout: float = 30.0) -> t.Any:
        """Return the JSON (or the text) that the engine answers. Raises EngineError."""
        connection = self._connection(timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"no answer on {self.path}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise EngineError(f"HTTP {response.status} on {self.path}: {body[:200].decode('utf-8', 'replace')}")
        if "json" not in response.headers.get("Content-Type", ""):
            return body.decode("utf-8", "replace")
        try:
            return json.loads(body)
        except ValueError as error:
            raise EngineError(f"unreadable JSON on {self.path}: {error}") from error

    def ping(self, timeout: float = 5.0) -> None:
        """Return when the engine answers ``/_ping`` with 200. Raises EngineError."""
        self.get("/_ping", timeout)

    def facts(self, *, networks: bool = True) -> EngineFacts:
        """Return the engine's facts (one request, two with ``networks``). Raises EngineError."""
        return engine_facts(self.get("/info"), self.get("/networks") if networks else [])

    def running_containers(self) -> tuple[str, ...]:
        """Return the names of the running containers, sorted. Raises EngineError."""
        listed = self.get("/containers/json")
        return tuple(sorted(map(_name, listed)))

    def publishers(self, port: int) -> tuple[str, ...]:
        """Return the names of the running containers that publish ``port`` on the host. Raises EngineError."""
        listed = [item for item in self.get("/containers/json") if _publishes(item, port)]
        return tuple(sorted(map(_name, listed)))


def listener_pid(path: str) -> int:
    """Return the PID of the process that listens on a socket's path (1: systemd), 0 where no process does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2.0)
            connection.connect(_address(path))
            return _listener(connection)
    except OSError:
        return 0


def _listener(connection: socket.socket) -> int:
    """SO_PEERCRED of a stream socket names the process that called listen() (unix(7))."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_PEER))
    return int(struct.unpack(_PEER, found)[0])


def _address(path: str) -> str:
    """Return the path as the kernel takes it; ``@`` begins an abstract name for systemd and for dockerd."""
    return f"\0{path[1:]}" if path.startswith("@") else path


def _name(container: t.Mapping[str, t.Any]) -> str:
    return str((container.get("Names") or [container.get("Id", "?")[:12]])[0]).lstrip("/")


def _publishes(container: t.Mapping[str, t.Any], port: int) -> bool:
    return any(item.get("PublicPort") == port for item in container.get("Ports") or ())


def engine_facts(info: t.Mapping[str, t.Any], networks: t.Sequence[t.Mapping[str, t.Any]]) -> EngineFacts:
    """Return the facts in the answers of ``/info`` and ``/networks`` (Docker Engine API v1.40 and later)."""
    bridges = set()
    for network in networks:
        if network.get("Driver") == "bridge":
            named = (network.get("Options") or {}).get("com.docker.network.bridge.name")
            bridges.add(named or f"br-{str(network.get('Id', ''))[:12]}")
    swarm = (info.get("Swarm") or {}).get("LocalNodeState", "inactive")
    return EngineFacts(
        version=str(info.get("ServerVersion", "")),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        swarm_active=swarm not in ("inactive", ""),
        containers_running=int(info.get("ContainersRunning") or 0),
        bridges=tuple(sorted(bridges)),
    )
