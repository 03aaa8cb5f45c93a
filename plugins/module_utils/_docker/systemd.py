# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's units as systemd sees them, and the few commands that change them.

Every command has a time limit and a fixed locale, but for the restart: Docker's vendor units have no start timeout at all, so
a hanging dockerd would hang us. ``Restart`` is that command at work, and ``restart.py`` watches it.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._files import read_bytes_or_none

_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,MainPID,Job,NRestarts,FragmentPath,DropInPaths,NeedDaemonReload,Requires,"
    "ExecMainStartTimestampMonotonic,Listen,UnitFileState,WantedBy,RequiredBy,TriggeredBy"
)
UNIT_DIRECTORY = "/etc/systemd/system"
# systemd shows one line a listener.
_STREAMS = re.compile(r"^Listen=(.+) \(Stream\)$", re.MULTILINE)
_OBJECT = "/org/freedesktop/systemd1/unit/"


@dataclass(frozen=True)
class UnitState:
    """One unit, with systemd's own terms. ``job`` is True while a start, stop or restart is queued or running."""

    name: str
    load_state: str = "not-found"
    active_state: str = "inactive"
    sub_state: str = ""
    result: str = ""
    main_pid: int = 0
    job: bool = False
    restarts: int = 0
    fragment_path: str = ""
    drop_in_paths: tuple[str, ...] = ()
    need_daemon_reload: bool = False
    requires: tuple[str, ...] = ()
    started: float = 0.0  # of the main process, in seconds of CLOCK_MONOTONIC; 0: never
    file_state: str = ""  # enabled, disabled, static, ...; "": not known
    wanted_by: tuple[str, ...] = ()  # WantedBy= and RequiredBy= of the loaded units
    triggered_by: tuple[str, ...] = ()  # the sockets (and timers, paths) that start it
    streams: tuple[str, ...] = ()  # of a socket: its listeners, in order ("/run/docker.sock", "[::]:2376")

    @property
    def is_active(self) -> bool:
        """Running, or listening."""
        return self.active_state in ("active", "reloading")


@dataclass(frozen=True)
class Services:
    """docker.service and docker.socket at one moment."""

    service: UnitState
    socket: UnitState
    other_sockets: tuple[UnitState, ...] = ()  # of others, which pass their listeners to the same service
    proxy: UnitState | None = None  # the unit of the listener ``proxy``, where it was asked about


def endpoint_socket_name(service: str) -> str:
    """Return the name of our socket unit for a Docker service: ``docker-tls.socket`` for ``docker.service``."""
    return f"{_stem(service)}-tls.socket"


def streams_of(unit: bytes | None) -> tuple[str, ...]:
    """Return what a socket unit of ours listens on ("10.0.0.5:2376"), by its text; nothing for no unit."""
    lines = (unit or b"").decode("utf-8", "replace").splitlines()
    return tuple(line.partition("=")[2] for line in lines if line.startswith("ListenStream="))


def listeners_path(service: str) -> str:
    """Return the file from which a Docker service takes its local listeners, see ``our_units.py``; each start writes it."""
    return f"/run/{_stem(service)}-tls.env"


def _stem(service: str) -> str:
    return service[: -len(".service")] if service.endswith(".service") else service


def parse_show(text: str, names: t.Sequence[str]) -> dict[str, UnitState]:
    """Return the units of a ``systemctl show`` output: one block a unit, in the order asked for."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    found = {}
    for name, block in zip(names, blocks):
        values = dict(line.partition("=")[::2] for line in block.strip().splitlines())
        found[name] = UnitState(
            name=name,
            load_state=values.get("LoadState", "not-found"),
            active_state=values.get("ActiveState", "inactive"),
            sub_state=values.get("SubState", ""),
            result=values.get("Result", ""),
            main_pid=_number(values.get("MainPID", "")),
            job=_number(values.get("Job", "").split(" ")[0]) > 0,
            restarts=_number(values.get("NRestarts", "")),
            fragment_path=values.get("FragmentPath", ""),
            drop_in_paths=tuple(values.get("DropInPaths", "").split()),
            need_daemon_reload=values.get("NeedDaemonReload", "no") == "yes",
            requires=tuple(values.get("Requires", "").split()),
            started=_number(values.get("ExecMainStartTimestampMonotonic", "")) / 1e6,
            file_state=values.get("UnitFileState", ""),
            wanted_by=(*values.get("WantedBy", "").split(), *values.get("RequiredBy", "").split()),
            triggered_by=tuple(values.get("TriggeredBy", "").split()),
            streams=tuple(_STREAMS.findall(block)),
        )
    return found


class Systemd:
    """The manager of this host. ``service`` and ``socket`` are unit names."""

    def __init__(
        self, service: str = "docker.service", socket: str = "docker.socket", unit_directory: str = UNIT_DIRECTORY
    ) -> None:
        self.service = service
        self.socket = socket
        self.endpoint_socket = endpoint_socket_name(service)
        self.unit_directory = unit_directory

    def show(self, proxy: str = "") -> Services:
        """Return both units, and the unit ``proxy``, in one call (about 10 ms). Raises TlsError ``systemd-unavailable``."""
        service, socket, *further = self._show((self.service, self.socket, *([proxy] if proxy else ())))
        own = (self.socket, self.endpoint_socket)
        others = [name for name in service.triggered_by if name.endswith(".socket") and name not in own]
        return Services(service, socket, tuple(self._show(others)) if others else (), further[0] if further else None)

    def _show(self, names: t.Sequence[str]) -> list[UnitState]:
        units = parse_show(_output(["systemctl", "show", "--no-pager", "-p", _PROPERTIES, "--", *names]), names)
        return [units.get(name, UnitState(name)) for name in names]

    def unit_state(self, name: str) -> UnitState:
        """Return the state of another unit. Raises TlsError ``systemd-command-failed``."""
        return self._show((name,))[0]

    def unit_log(self, name: str, lines: int) -> str:
        """Return the last lines that a unit has logged, "" where there are none."""
        result = _run(["journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(lines), "-u", name])
        return result.stdout.strip() if result.returncode == 0 else ""

    def endpoint_streams(self) -> tuple[str, ...]:
        """Return what our socket unit listens on, by its file; nothing where there is none."""
        return streams_of(read_bytes_or_none(os.path.join(self.unit_directory, self.endpoint_socket)))

    def exec_start(self) -> str:
        """Return ExecStart of the loaded service as busctl's JSON: a true argv array (``systemctl show`` loses quoting)."""
        path = _OBJECT + _escape(self.service)
        interface = "org.freedesktop.systemd1.Service"
        command = ["busctl", "--json=short", "get-property", "org.freedesktop.systemd1", path, interface, "ExecStart"]
        return _output(command)

    def properties(self, names: t.Iterable[str]) -> str:
        """Return properties of the loaded service in systemd's words, one a line. Raises TlsError ``systemd-command-failed``."""
        return _output(["systemctl", "show", "--no-pager", "-p", ",".join(names), "--", self.service])

    def daemon_reload(self) -> None:
        """Make systemd read the unit files again."""
        _output(["systemctl", "daemon-reload"])

    def reset_failed(self) -> None:
        """Forget failures and the start counter: else the 4th start within 60 s is refused (measured, all vendor units)."""
        # An unknown unit does not stop the others from being processed.
        _run(["systemctl", "reset-failed", "--", self.service, self.socket, self.endpoint_socket])

    def remove_listeners(self) -> None:
        """Remove the file that the drop-in writes at each start of dockerd, once the drop-in is gone."""
        with contextlib.suppress(OSError):
            os.unlink(listeners_path(self.service))

    def close_endpoint_socket(self) -> None:
        """Stop our own socket unit, also when its file is gone already. Raises TlsError ``systemd-command-failed``."""
        if self.is_active(self.endpoint_socket):
            self.command("stop", "--", self.endpoint_socket)

    def restart(self, *, with_socket: bool = False) -> Restart:
        """Begin to restart dockerd (and its socket), and return at once."""
        return Restart([self.socket, self.service] if with_socket else [self.service])

    def journal_tail(self, since: float, lines: int = 20) -> str:
        """Return the last lines that dockerd has logged since ``since`` (seconds of the epoch, 0.0 for ever); "" where there are none."""
        command = ["journalctl", "--no-pager", "-q", "-o", "cat", "-u", self.service, "-u", self.endpoint_socket]
        # Not both: with --since, -n counts from there on and returns the first lines (measured with systemd 252).
        command += [f"--since=@{int(since)}"] if since else ["-n", str(lines)]
        result = _run(command)
        return "\n".join(result.stdout.strip().splitlines()[-lines:]) if result.returncode == 0 else ""

    def validate(self, command: t.Sequence[str]) -> str:
        """Run a command that checks something; return "" for success, otherwise its output."""
        result = _run(command)
        return "" if result.returncode == 0 else (result.stderr or result.stdout).strip() or "failed"

    def start_transient(self, unit: str, command: t.Sequence[str], description: str) -> None:
        """Start ``command`` in a cgroup of its own, so that it outlives us and our SSH session."""
        options = ["--quiet", "--no-block", "--collect", f"--unit={unit}", f"--description={description}"]
        _output(["systemd-run", *options, "--", *command])

    def is_active(self, unit: str) -> bool:
        """Return whether a unit is active."""
        return _run(["systemctl", "is-active", "--quiet", "--", unit]).returncode == 0

    def command(self, *arguments: str) -> None:
        """Run another ``systemctl`` command. Raises TlsError ``systemd-command-failed``."""
        _output(["systemctl", *arguments])


class Restart:
    """``systemctl restart``, which ends when systemd has done it: so no polling is needed, 12 ms of CPU each time."""

    def __init__(self, units: t.Sequence[str]) -> None:
        with _reported("systemctl"):
            self._process = subprocess.Popen(
                ["systemctl", "restart", "--", *units],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        self._said = ""

    def wait(self, seconds: float) -> bool:
        """Return whether systemd has ended the restart, well or not, as soon as it has and after ``seconds`` at the latest."""
        try:
            self._said = self._process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def refusal(self) -> str:
        """Why systemd did not even begin (for example because a required unit is masked); "" where it did, regardless of the result."""
        return self._said.strip() if self._process.returncode and self._said.startswith("Failed to ") else ""


def running_arguments(pid: int) -> tuple[str, ...]:
    """Return the command line of a process without its name; () where it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = stream.read().split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "replace") for word in words[1:-1])


def process_identity(pid: int) -> str:
    """Return a text that names this very process (its PID and start time, proc(5)), "" where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{pid}@{fields[19]}"  # field 22: start time in clock ticks since boot


def _escape(unit: str) -> str:
    """Return a unit's name as an element of a D-Bus object path."""
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):02x}" for c in unit)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}


@contextlib.contextmanager
def _reported(program: str) -> t.Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise TlsError(
            f"the command {program} is not on this host",
            hint="Only hosts whose init system is systemd can be managed.",
            code="systemd-unavailable",
        ) from error


def _run(command: t.Sequence[str], timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    try:
        with _reported(command[0]):
            return subprocess.run(
                command,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise TlsError(
            f"the command {' '.join(command[:3])} did not end within {timeout:.0f} seconds",
            hint="Check the host's systemd: systemctl list-jobs.",
            code="systemd-command-failed",
        ) from error


def _output(command: t.Sequence[str], timeout: float = 60.0) -> str:
    result = _run(command, timeout)
    if result.returncode != 0:
        raise TlsError(
            f"{' '.join(command)} failed: {(result.stderr or result.stdout).strip() or result.returncode}",
            hint="The task must run as root on a host that systemd runs.",
            code="systemd-command-failed",
        )
    return result.stdout
