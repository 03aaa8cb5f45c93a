# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's answers on its local socket, asked without the docker CLI. PRIVATE: may change without notice."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import typing as t
from dataclasses import dataclass

LOCAL_SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True)
class EngineFacts:
    """What the running engine says of itself."""

    version: str
    live_restore: bool
    swarm_active: bool
    containers_running: int
    bridges: tuple[str, ...] = ()  # names of the bridges of its networks


class EngineError(Exception):
    """The engine did not answer on its local socket; the text says how."""


class _LocalConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """The Docker engine behind a unix socket. All paths are asked unversioned: any engine understands them."""

    def __init__(self, path: str = LOCAL_SOCKET) -> None:
        self.path = path

    def get(self, path: str, timeout: float = 30.0) -> t.Any:
        """Return the JSON (or the text) that the engine answers. Raises EngineError."""
        connection = _LocalConnection(self.path, timeout)
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
        return tuple(sorted(str((item.get("Names") or [item.get("Id", "?")[:12]])[0]).lstrip("/") for item in listed))

    def listener_pid(self) -> int:
        """Return the PID of the process that listens on the socket's path (1: systemd), 0 where nobody does.

        SO_PEERCRED of a stream socket names the process that called listen() (unix(7)).
        """
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(2.0)
                connection.connect(self.path)
                size = struct.calcsize("3i")
                found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
                return int(struct.unpack("3i", found)[0])
        except OSError:
            return 0


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
