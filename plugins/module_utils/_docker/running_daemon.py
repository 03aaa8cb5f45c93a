# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemon that runs: its local listeners, its API, and the ports that it holds.

Source: moby opts/hosts.go (ParseHost) and daemon/listeners (listenFD); measured on dockerd 20.10.24:

* Flags and ``hosts`` in daemon.json exclude each other. With neither, dockerd listens on /var/run/docker.sock; with TLS
  switched on and neither, on tcp://localhost:2376 only, without a local socket.
* ``unix://`` without a path is /var/run/docker.sock; a relative path counts from dockerd's working directory.
* ``fd://`` is every listener of docker.socket, ``fd://3`` the first of them.
* DOCKER_HOST is for the client: dockerd does not read it.

A host can have several daemons (a second unit, one in a container, a rootless one), and any of them may own
/var/run/docker.sock. So the place comes from the command line of the service's main process, and who answers must be that
process, or systemd for a socket that it has handed over.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import typing as t
from dataclasses import dataclass, replace

from .._files import read_bytes_or_none
from .._host import network
from .command_line import find_flags

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
        return self._get(path, timeout)[0]

    def _get(self, path: str, timeout: float) -> tuple[t.Any, str]:
        """Return the answer and its header ``Server``."""
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
        server = response.headers.get("Server", "")
        if "json" not in response.headers.get("Content-Type", ""):
            return body.decode("utf-8", "replace"), server
        try:
            return json.loads(body), server
        except ValueError as error:
            raise EngineError(f"unreadable JSON on {self.path}: {error}") from error

    def ping(self, timeout: float = 5.0) -> str:
        """Return the version of the engine that answers ``/_ping`` with 200, "" where it names none. Raises EngineError.

        ``/info`` costs the host 9 to 17 ms of CPU more: dockerd starts runc and docker-init for it (measured, 20.10 and 26.1).
        """
        product, _slash, rest = self._get("/_ping", timeout)[1].partition("/")
        return rest.split(" ")[0] if product == "Docker" else ""

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
    for one in networks:
        if one.get("Driver") == "bridge":
            named = (one.get("Options") or {}).get("com.docker.network.bridge.name")
            bridges.add(named or f"br-{str(one.get('Id', ''))[:12]}")
    swarm = (info.get("Swarm") or {}).get("LocalNodeState", "inactive")
    return EngineFacts(
        version=str(info.get("ServerVersion", "")),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        swarm_active=swarm not in ("inactive", ""),
        containers_running=int(info.get("ContainersRunning") or 0),
        bridges=tuple(sorted(bridges)),
    )


_SYSTEMD = 1
# Sockets of dockerd's own helpers below its exec-root, which are not its API.
_HELPERS = ("/run/docker/", "/var/run/docker/")


def listening_of(pid: int, arguments: t.Sequence[str], streams: t.Sequence[str]) -> Listening:
    """Return where the dockerd ``pid`` listens; ``streams``: what docker.socket listens on.

    Where none of its configured sockets is its own (daemon.json was edited after its start), the kernel's list counts.
    """
    values = keys_of(read_bytes_or_none(config_path(arguments)))
    found = listening(arguments, values, streams)
    found = replace(found, unix=tuple(_reachable(path, pid) for path in found.unix))
    own = _owned(found.unix, pid)
    if found.unix and not own:
        own = _owned([path for path in network.unix_sockets(pid) if not path.startswith(_HELPERS)], pid)
    return replace(found, unix=own or found.unix)


def engine_of(pid: int, found: Listening) -> Engine | None:
    """Return how to ask the dockerd ``pid``, None where it has neither a local socket nor a listener without TLS."""
    if found.unix:
        return Engine(found.unix[0], (_SYSTEMD, pid))
    return Engine(_connectable(found.plain[0])) if found.plain else None


def api_ports(pid: int, found: Listening) -> set[int]:
    """Return the TCP ports on which the dockerd ``pid`` serves its API: configured and open, or handed over by systemd.

    It can hold further ones: without the userland proxy it reserves the published ports of containers itself.
    """
    held = {port for _address, port in network.held_by(pid)}
    if not held:  # what systemd has handed over is held too
        return set()
    configured = {port for _address, port in found.tcp}
    return held & configured | {port for _address, port in network.handed_over(pid)}


def _owned(paths: t.Iterable[str], pid: int) -> tuple[str, ...]:
    return tuple(path for path in paths if listener_pid(path) in (_SYSTEMD, pid))


def _reachable(path: str, pid: int) -> str:
    """Return a relative path as it can be reached from here: it counts from dockerd's working directory."""
    return path if path.startswith(("/", "@")) else f"/proc/{pid}/cwd/{path}"


def _connectable(place: tuple[str, int]) -> tuple[str, int]:
    address, port = place
    return ("127.0.0.1" if address in ("", "0.0.0.0", "::", "localhost") else address), port
