# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""This host as the endpoint's code sees it, and the timer that rolls back a change which is not confirmed. |.

The unit files are in /etc/systemd/system and the timer is enabled, so that a reboot in the middle does not disarm it:
``OnActiveSec`` counts again from the boot, and the change is rolled back unless it is confirmed within that time.

``Machine`` is all that the transaction knows of the outside; the tests have one in memory that follows dockerd's rules
for starting and can fail or die at any step.
"""

from __future__ import annotations

import contextlib
import grp
import os
import signal
import stat
import time
import typing as t

from .._docker.running_daemon import (
    Engine,
    EngineError,
    EngineFacts,
    Listening,
    api_ports,
    engine_of,
    listener_pid,
    listening_of,
)
from .._docker.running_daemon import listening as local_listening
from .._docker.systemd import Restart, Services, Systemd, UnitState, process_identity, running_arguments
from .._errors import TlsError
from .._files import fsync_directory, read_bytes_or_none, write_atomic
from .._host.network import Address, local_addresses
from .._proxy import service as proxy_service
from .._proxy.service import ProxyFiles, proxy_files

_SERVICE = """\
# Managed by Ansible (portcullis.docker_tls): rolls back an unconfirmed change of Docker's TLS endpoint.
[Unit]
Description=Roll back an unconfirmed change of Docker's TLS endpoint
ConditionPathExists={journal}

[Service]
Type=oneshot
ExecStart={command}
"""
_TIMER = """\
# Managed by Ansible (portcullis.docker_tls): goes off unless the change is confirmed before.
[Unit]
Description=Time to confirm a change of Docker's TLS endpoint

[Timer]
OnActiveSec={seconds}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def arm(systemd: Systemd, command: t.Sequence[str], journal_path: str, seconds: int) -> None:
    """Start the timer that runs ``command`` after ``seconds``. Raises TlsError."""
    quoted = " ".join(f'"{word}"' for word in command)
    service = _SERVICE.format(journal=journal_path, command=quoted)
    write_atomic(_path(systemd, "service"), service.encode("utf-8"), 0o644)
    write_atomic(_path(systemd, "timer"), _TIMER.format(seconds=seconds).encode("utf-8"), 0o644)
    systemd.daemon_reload()
    systemd.command("enable", "--quiet", f"{_name(systemd)}.timer")
    systemd.command("restart", f"{_name(systemd)}.timer")  # one that an earlier run has left counts again, from now


def is_armed(systemd: Systemd) -> bool:
    """Return whether the timer runs."""
    return systemd.is_active(f"{_name(systemd)}.timer")


def disarm(systemd: Systemd) -> None:
    """Stop the timer and remove its units; nothing happens where there is none."""
    if not os.path.exists(_path(systemd, "timer")):
        return
    with contextlib.suppress(TlsError):
        systemd.command("disable", "--quiet", "--now", f"{_name(systemd)}.timer")
    for kind in ("timer", "service"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_path(systemd, kind))
    fsync_directory(systemd.unit_directory)
    systemd.daemon_reload()


def _path(systemd: Systemd, kind: str) -> str:
    return os.path.join(systemd.unit_directory, f"{_name(systemd)}.{kind}")


def _name(systemd: Systemd) -> str:
    return f"{systemd.service.rpartition('.')[0]}-tls-revert"


class Machine:
    """The real host."""

    def __init__(self, systemd: Systemd) -> None:
        self.systemd = systemd
        self._seen: Services | None = None

    @property
    def unit_directory(self) -> str:
        """Where the administrator's units and drop-ins are."""
        return self.systemd.unit_directory

    def init_system(self) -> str:
        """Return the name of process 1."""
        return (read_bytes_or_none("/proc/1/comm") or b"systemd").decode("utf-8", "replace").strip()

    def has_program(self, binary: str) -> bool:
        """Return whether the program of a unit is on this host."""
        from .._docker import unit_reader

        return unit_reader.has_program(binary)

    def addresses(self, bridges: t.Collection[str]) -> tuple[Address, ...]:
        """Return the host's addresses without those of Docker's ``bridges``."""
        return tuple(local_addresses(bridges))

    def services(self) -> Services:
        """Return the state of docker.service and docker.socket, and of the proxy's unit where there is one."""
        files = self.proxy_files
        self._seen = self.systemd.show(files.unit if os.path.exists(files.unit_path) else "")
        return self._seen

    def identity(self, pid: int) -> str:
        """Return a name of this very process, "" where there is none."""
        return process_identity(pid) if pid else ""

    def arguments(self, pid: int) -> tuple[str, ...]:
        """Return the command line of a process, without its name."""
        return running_arguments(pid) if pid else ()

    def loaded_command(self) -> str:
        """Return ExecStart as systemd has loaded it (busctl's JSON)."""
        return self.systemd.exec_start()

    def daemon_reload(self) -> None:
        """Make systemd read the unit files again."""
        self.systemd.daemon_reload()

    def remove_listeners(self) -> None:
        """Remove the file that our drop-in has written, which nothing reads any more."""
        self.systemd.remove_listeners()

    def close_endpoint_socket(self) -> None:
        """Stop our socket unit, where it is open. dockerd keeps the descriptors that it has; its next start opens the unit."""
        self.systemd.close_endpoint_socket()

    @property
    def proxy_files(self) -> ProxyFiles:
        """Where the files of the listener ``proxy`` are."""
        return proxy_files(self.systemd.service, self.systemd.unit_directory)

    def proxy_package(self) -> t.Any:
        """Return the HAProxy of this host (``_proxy/state.py``)."""
        from .._proxy import state

        return state.find_package()

    def proxy_is_active(self) -> bool:
        """Return whether the proxy's unit runs."""
        proxy = self._proxy()
        return proxy is not None and proxy.is_active

    def _proxy(self) -> UnitState | None:
        """Return the proxy's unit as last seen, if that process still runs; else as it is now."""
        seen = self._running().proxy
        return seen if seen and running_arguments(seen.main_pid) else self.services().proxy

    def change_proxy(self, step: str) -> None:
        """Start, restart, reload or stop the proxy. Raises TlsError ``proxy-start-failed``, ``proxy-reload-failed``."""
        self._seen = None
        proxy_service.apply(step, self.proxy_files, self.systemd, self)

    def proxy_processes(self) -> frozenset[int]:
        """Return the proxy's master and its workers."""
        if not os.path.exists(self.proxy_files.unit_path):
            return frozenset()
        proxy = self._proxy()
        master = proxy.main_pid if proxy else 0
        return proxy_service.workers(master) | {master} if master else frozenset()

    def can_filter_sources(self) -> bool:
        """Return whether systemd can filter by source address here."""
        from .._docker import our_units

        return our_units.is_supported()

    def lets_stranger_in(self, address: str, port: int) -> bool:
        """Return whether a source that is not allowed reaches a port."""
        from .._docker import our_units

        return our_units.lets_stranger_in(address, port)

    def proxy_listens(self) -> frozenset[tuple[str, int]]:
        """Return (address, port) of the TCP listeners of the proxy."""
        from .._host import network

        return frozenset(network.held_by(*self.proxy_processes()))

    def validate_proxy(self, config: bytes, contents: t.Mapping[str, bytes]) -> None:
        """Raise TlsError ``proxy-config-refused`` where HAProxy refuses a configuration with these files."""
        from .._proxy import service, state

        service.validate(self.systemd.validate, state.PROGRAM, config, contents)

    def local_socket(self) -> tuple[str, str]:
        """Return the path of Docker's local socket, and the name of the group that may use it; "" for a group where there is none."""
        services = self._running()
        found = self.listening().unix if services.service.main_pid else services.socket.streams
        path = next((each for each in found if each.startswith("/")), "/run/docker.sock")
        with contextlib.suppress(OSError, KeyError):
            status = os.stat(path)
            usable = status.st_gid and status.st_mode & (stat.S_IRGRP | stat.S_IWGRP) == stat.S_IRGRP | stat.S_IWGRP
            return path, grp.getgrgid(status.st_gid).gr_name if usable else ""
        with contextlib.suppress(
            KeyError
        ):  # no process listens there; Docker's packages have this group in docker.socket
            return path, grp.getgrnam("docker").gr_name
        return path, ""

    def restart(self, *, with_socket: bool) -> Restart:
        """Forget earlier failures, then begin one restart."""
        self.systemd.reset_failed()
        return self.systemd.restart(with_socket=with_socket)

    def stop(self, *, with_socket: bool) -> None:
        """Stop dockerd, which was stopped before the change; its socket takes over its unit files where that is running."""
        self.systemd.command("stop", "--", self.systemd.service)
        if with_socket:
            self.systemd.command("try-restart", "--", self.systemd.socket)

    def kill(self, pid: int) -> None:
        """End a dockerd that hangs. Containers are not its children and continue to run."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def hang_up(self, pid: int) -> None:
        """Make dockerd read daemon.json's reloadable keys again (SIGHUP); TLS and hosts are not among them."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)

    def listening(self) -> Listening:
        """Return where the running dockerd listens; nowhere where none runs."""
        services = self._running()
        pid = services.service.main_pid
        return listening_of(pid, running_arguments(pid), services.socket.streams) if pid else Listening()

    def engine(self) -> Engine | None:
        """Return how the running dockerd can be asked, None where it serves only clients with a certificate, or none runs."""
        return engine_of(self._running().service.main_pid, self.listening())

    def _running(self) -> Services:
        """Return the units as last seen, if that dockerd still runs; else as they are now."""
        seen = self._seen
        return seen if seen and running_arguments(seen.service.main_pid) else self.services()

    def ping(self, timeout: float = 5.0) -> str:
        """Return "" when dockerd answers where it can be asked, else what happened.

        One that can be asked nowhere counts as answering once it has opened its TCP listeners.
        """
        engine = self.engine()
        try:
            if engine is not None:
                engine.ping(timeout)
                return ""
        except EngineError as error:
            return str(error)
        return "" if self.api_ports() else "dockerd listens nowhere"

    def engine_version(self) -> str | None:
        """Return the version that the engine names in its answer, None where it cannot be asked or does not answer."""
        engine = self.engine()
        try:
            return engine.ping() if engine else None
        except EngineError:
            return None

    def engine_facts(self, *, networks: bool = False) -> EngineFacts | None:
        """Return the engine's information, None when it does not answer."""
        engine = self.engine()
        try:
            return engine.facts(networks=networks) if engine else None
        except EngineError:
            return None

    def running_containers(self) -> tuple[str, ...]:
        """Return the names of the running containers."""
        engine = self.engine()
        try:
            return engine.running_containers() if engine else ()
        except EngineError:
            return ()

    def api_ports(self) -> set[int]:
        """Return the TCP ports on which the running dockerd serves its API."""
        return api_ports(self._running().service.main_pid, self.listening())

    def serves(self, port: int) -> bool:
        """Return whether the running dockerd serves its API on a TCP port.

        A port that it holds, and that no container publishes, counts also where daemon.json has been changed since its start.
        """
        from .._host import network

        pid = self._running().service.main_pid
        held = any(number == port for _address, number in network.held_by(pid))
        return held and (port in self.api_ports() or not self.publishers(port))

    def other_listeners(
        self, ports: t.Collection[int], given: t.Collection[int] = ()
    ) -> tuple[tuple[str, int, str], ...]:
        """Return (address, port, process) of the TCP listeners on ``ports`` that are not of Docker's API, with their containers.

        ``given``: the API's ports as we wrote them last. Another tool may have rewritten daemon.json since dockerd's start.
        """
        from .._host import network

        services = self._running()
        own = {port for _address, port in self.listening().tcp}
        # dockerd can also hold a port because a container publishes it.
        own |= {port for port in given if port in ports and port not in own and not self.publishers(port)}
        streams = (*services.socket.streams, *self.systemd.endpoint_streams())
        of_socket = {port for _address, port in local_listening(["-H", "fd://"], {}, streams).tcp}
        found = network.foreign_listeners(ports, services.service.main_pid, own, of_socket, self.proxy_processes())
        return tuple((address, port, self._with_containers(process, port)) for address, port, process in found)

    def _with_containers(self, process: str, port: int) -> str:
        """Return the name of a process, with the container that publishes the port where it is one of Docker's own."""
        names = self.publishers(port) if process.startswith("docker") else ()
        return f"{process} for the container {', '.join(names)}" if names else process

    def publishers(self, port: int) -> tuple[str, ...]:
        """Return the names of the running containers that publish a port of the host."""
        engine = self.engine()
        try:
            return engine.publishers(port) if engine else ()
        except EngineError:
            return ()

    def socket_is_systemds(self) -> bool:
        """Return whether docker.socket's path leads to systemd's own listener (and not to dockerd's, or nowhere).

        Where docker.socket has no path, there is none that could be lost.
        """
        paths = [stream for stream in self._running().socket.streams if stream.startswith(("/", "@"))]
        return not paths or listener_pid(paths[0]) == 1

    def log_tail(self, since: float) -> str:
        """Return the last lines that dockerd has logged since ``since``."""
        try:
            return self.systemd.journal_tail(since, lines=200)
        except TlsError:
            return ""

    def sockets_of_systemd(self, pid: int) -> tuple[tuple[str, int], ...]:
        """Return (address, port) of the TCP listeners that dockerd has from systemd."""
        from .._host import network

        return network.handed_over(pid)

    def validate(self, binary: str, arguments: t.Sequence[str], config_path: str) -> str:
        """Return what ``dockerd --validate`` (23.0 and later) has against a daemon.json, "" where it is content."""
        return self.systemd.validate([binary, *arguments, "--validate", "--config-file", config_path])

    def arm_guard(self, command: t.Sequence[str]) -> None:
        """Start the process that rolls the change back if we die."""
        self.systemd.start_transient(
            f"docker-tls-guard-{os.getpid()}", command, "Roll back an interrupted change of Docker's TLS endpoint"
        )

    def arm_timer(self, command: t.Sequence[str], journal_path: str, seconds: int) -> None:
        """Start the timer that rolls the change back unless it is confirmed."""

        arm(self.systemd, command, journal_path, seconds)

    def timer_is_armed(self) -> bool:
        """Return whether that timer runs."""

        return is_armed(self.systemd)

    def disarm_timer(self) -> None:
        """Stop and remove that timer, where there is one."""

        disarm(self.systemd)

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds of the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
