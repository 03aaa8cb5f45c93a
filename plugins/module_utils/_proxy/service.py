# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy on a host: its files and its unit, started, reloaded and stopped, each watched to its end. Standard library only: the rollback guard uses it. |.

``systemctl reload`` returns when the signal is sent. HAProxy's master then starts a new worker; where that cannot begin, the old one
continues and systemd still reports active (measured, 2.6 to 3.2). So a reload counts as done when the master has a worker that it did not have
before, no former worker listens any more, and the unit is active again. Former workers may run until their last connection ends.

It is asked with the files of the change, all of them in memory (memfd_create(2)): the key is on no disk for it, and nothing stays
where the run is killed. HAProxy loads certificate, key, authorities and CRLs, so a key of another certificate is found here too.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._host.network import held_by

#: Where the link is that starts the unit at boot.
_WANTS = "multi-user.target.wants"
_BIND = re.compile(
    r"^\s*bind\s+(?:ipv[46]@)?(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]+)\s", re.MULTILINE
)


@dataclass(frozen=True)
class ProxyFiles:
    """Paths. ``directory`` holds files that HAProxy and every user may read; ``runtime`` the certificate and its key, in memory."""

    unit: str
    unit_path: str
    link: str
    directory: str
    config: str
    crl: str
    runtime: str

    @property
    def paths(self) -> tuple[str, str, str]:
        """The files that a change swaps, in the order of their swap."""
        return self.config, self.crl, self.unit_path

    @property
    def bundle(self) -> str:
        """Certificate, chain and key for HAProxy."""
        return f"{self.runtime}/server.pem"

    @property
    def client_ca(self) -> str:
        """The client authorities for HAProxy."""
        return f"{self.runtime}/client-ca.pem"


def proxy_files(service: str, unit_directory: str, root: str = "/") -> ProxyFiles:
    """Return the places for a Docker service: ``docker-tls-proxy.service`` for ``docker.service``."""
    stem = service[: -len(".service")] if service.endswith(".service") else service
    name = f"{stem}-tls-proxy"
    directory = os.path.join(root, "etc", name)
    return ProxyFiles(
        unit=f"{name}.service",
        unit_path=os.path.join(unit_directory, f"{name}.service"),
        link=os.path.join(unit_directory, _WANTS, f"{name}.service"),
        directory=directory,
        config=os.path.join(directory, "haproxy.cfg"),
        crl=os.path.join(directory, "crl.pem"),
        runtime=os.path.join(root, "run", name),
    )


def listeners(config: bytes | None) -> tuple[tuple[str, int], ...]:
    """Return (address, port) of the ``bind`` lines of a configuration of ours."""
    text = (config or b"").decode("utf-8", "replace")
    return tuple((match["six"] or match["four"], int(match["port"])) for match in _BIND.finditer(text))


def addresses_text(places: t.Iterable[tuple[str, int]]) -> str:
    """Return places as people write them."""
    return ", ".join(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in places)


START, RESTART, RELOAD, STOP = "start", "restart", "reload", "stop"
_TIMEOUT = 20.0
_POLL = 0.1
#: Most of them are requests of clients, one JSON object a line.
_LOG_LINES = 100


class Units(t.Protocol):
    """The operations of systemd that are needed here."""

    def command(self, *arguments: str) -> None:
        """Run ``systemctl``. Raises TlsError."""

    def unit_state(self, name: str) -> t.Any:
        """Return a unit's ``active_state``, ``sub_state``, ``result``, ``main_pid`` and ``is_active``."""

    def unit_log(self, name: str, lines: int) -> str:
        """Return the last lines that a unit has logged."""


class Clock(t.Protocol):
    """The time, injected."""

    def monotonic(self) -> float:
        """Return seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


def apply(step: str, files: ProxyFiles, units: Units, clock: Clock) -> None:
    """Carry out ``step``; the unit is loaded as in its file. Raises TlsError ``proxy-start-failed``, ``proxy-reload-failed``."""
    if step == STOP:
        stop(files, units)
        return
    enable(files)
    found = units.unit_state(files.unit) if step == RELOAD else None
    if found is not None and found.is_active:
        _reload(found.main_pid, files, units, clock)
    else:
        _start(files, units, clock)


def stop(files: ProxyFiles, units: Units) -> None:
    """Stop the unit, also where its file is gone already, and never start it at boot again."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(files.link)
    state = units.unit_state(files.unit)
    if state.active_state not in ("inactive", "failed"):
        units.command("stop", "--", files.unit)
    elif state.active_state == "failed":
        with contextlib.suppress(TlsError):
            units.command("reset-failed", "--", files.unit)


def enable(files: ProxyFiles) -> None:
    """Start the unit at boot. The link that ``systemctl enable`` makes, without its reload of all units."""
    if os.path.islink(files.link) and os.readlink(files.link) == files.unit_path:
        return
    os.makedirs(os.path.dirname(files.link), mode=0o755, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(files.link)
    os.symlink(files.unit_path, files.link)


def is_enabled(files: ProxyFiles) -> bool:
    """Return whether the link is there that starts the unit at boot."""
    return os.path.islink(files.link)


def workers(master: int) -> frozenset[int]:
    """Return the processes whose parent is ``master`` (proc(5), field 4 of stat)."""
    found = set()
    for name in os.listdir("/proc") if master else ():
        if not name.isdigit():
            continue
        with (
            contextlib.suppress(OSError, ValueError, IndexError),
            open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stream,
        ):
            if int(stream.read().rpartition(")")[2].split()[1]) == master:
                found.add(int(name))
    return frozenset(found)


def _start(files: ProxyFiles, units: Units, clock: Clock) -> None:
    """Start or restart the unit. One that fails continues to try (``Restart=always``): the first failure counts here."""
    problem = ""
    try:
        units.command("restart", "--", files.unit)
    except TlsError as error:
        problem = error.message
    state = units.unit_state(files.unit)
    if problem or not state.is_active:
        raise _failed("the proxy did not start", files, units, "proxy-start-failed")


def _reload(master: int, files: ProxyFiles, units: Units, clock: Clock) -> None:
    before = workers(master)
    try:
        units.command("reload", "--", files.unit)
    except TlsError:
        raise _failed("the proxy did not read its new files", files, units, "proxy-reload-failed") from None
    deadline = clock.monotonic() + _TIMEOUT
    while True:
        state = units.unit_state(files.unit)
        served = state.active_state == "active" and state.main_pid == master and bool(workers(master) - before)
        if served and not held_by(*before):
            return
        if clock.monotonic() >= deadline or state.active_state in ("inactive", "failed") or state.main_pid != master:
            raise _failed("the proxy did not read its new files", files, units, "proxy-reload-failed")
        clock.sleep(_POLL)


def _failed(what: str, files: ProxyFiles, units: Units, code: str) -> TlsError:
    state = units.unit_state(files.unit)
    log = units.unit_log(files.unit, _LOG_LINES).splitlines()
    lines = [line for line in log if ("ALERT" in line or "rror" in line) and not line.startswith("{")]
    shown = f": {' | '.join(lines[-3:])}" if lines else ""
    found = state.active_state if state.result in ("", "success") else state.result
    return TlsError(
        f"{what} ({files.unit}: {found}){shown}",
        hint=f"Check `systemctl status {files.unit}` and `journalctl -u {files.unit}` on the host, then run again.",
        code=code,
    )


Run = t.Callable[[t.Sequence[str]], str]


def validate(run: Run, program: str, config: bytes, contents: t.Mapping[str, bytes]) -> None:
    """Raise TlsError ``proxy-config-refused`` where HAProxy refuses ``config``.

    ``contents``: path in ``config`` -> its new content. ``run`` returns "" for success, otherwise the output of the command.
    """
    with contextlib.ExitStack() as stack:
        text, places = config.decode("utf-8"), {}
        for path, data in contents.items():
            places[path] = stack.enter_context(_memory_file(data))
            text = text.replace(f" {path} ", f" {places[path]} ")
        problem = run([program, "-c", "-f", stack.enter_context(_memory_file(text.encode("utf-8")))])
        if not problem:
            return
        for path, place in places.items():
            problem = problem.replace(place, path)
    lines = [line for line in problem.splitlines() if "ALERT" in line] or problem.splitlines()
    raise TlsError(
        f"HAProxy refuses the configuration of the listener proxy: {' | '.join(lines[:4])}",
        hint="Nothing was changed. Where it names a certificate, key or CRL, correct that; otherwise please report it with these lines.",
        code="proxy-config-refused",
    )


@contextlib.contextmanager
def _memory_file(data: bytes) -> t.Iterator[str]:
    """Give ``data`` a path that another process of root can open."""
    descriptor = os.memfd_create("docker-tls-proxy")
    try:
        rest: t.Any = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
