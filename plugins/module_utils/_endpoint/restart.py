# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One restart of dockerd, watched to its end."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import TlsError
from .machine import Machine

_STOP_TIMEOUT = 120.0  # systemd itself gives up stopping after TimeoutStopSec (90 s by default)
_POLL = 0.1
_LOOK_EVERY = 0.5  # while systemd restarts: a look is a process, and dockerd needs the processor to start
_HUNG_TIMEOUT = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a restart ended: ``problem`` is "" when dockerd runs and answers on its local socket."""

    problem: str = ""
    pid: int = 0


def restart(machine: Machine, timeout: float, *, with_socket: bool = False) -> Outcome:
    """Restart dockerd once and wait until it answers on the local socket.

    ``timeout`` is dockerd's time to start; the old one may take up to two minutes more to stop its containers.
    A dockerd that dies while starting counts as failed at its first death: the old one is wanted back soon.
    """
    before = machine.services().service
    old = machine.identity(before.main_pid)
    hung = before.active_state == "activating"
    try:
        restarting = machine.restart(with_socket=with_socket)
    except TlsError as error:
        return Outcome(error.message, before.main_pid)
    begun = machine.monotonic()
    started: float | None = None
    ended = False
    while True:
        if ended:
            machine.sleep(_POLL)
        else:
            ended = restarting.wait(_LOOK_EVERY)
        if restarting.refusal:  # for example: a unit that dockerd's requires is masked; nothing was stopped then
            return Outcome(restarting.refusal, before.main_pid)
        service = machine.services().service
        now = machine.monotonic()
        same = bool(old) and machine.identity(service.main_pid) == old
        if started is None and not same:
            started = now
        if hung and same and now - begun > _HUNG_TIMEOUT:
            machine.kill(service.main_pid)
        problem = _failure(service.active_state, service.sub_state, service.job, service.restarts)
        if problem and now - begun > 2 * _POLL:
            return Outcome(f"dockerd did not start: {problem} ({service.result or 'no result'})", service.main_pid)
        if service.active_state == "active" and not service.job and not same:
            return _wait_for_answer(machine, service.main_pid, begun, started or now, timeout)
        if _is_late(now, begun, started, timeout):
            word = "stop" if started is None else "start"
            return Outcome(f"dockerd did not {word} within {timeout:.0f} seconds", service.main_pid)


def _failure(active: str, sub: str, job: bool, restarts: int) -> str:
    """Return systemd's failure of the start, "" while it may still succeed."""
    if active == "failed" and not job:
        return "the unit has failed"
    if active == "inactive" and not job:
        return "a unit that it needs is missing"
    if sub == "auto-restart" or (restarts > 0 and active == "activating"):
        return "it ended while starting"
    return ""


def _wait_for_answer(machine: Machine, pid: int, begun: float, started: float, timeout: float) -> Outcome:
    while True:
        problem = machine.ping()
        if not problem:
            return Outcome(pid=pid)
        service = machine.services().service
        if not service.is_active or service.main_pid != pid:
            return Outcome(
                f"dockerd started and ended again ({service.active_state if service.result in ('', 'success') else service.result})",
                pid,
            )
        if _is_late(machine.monotonic(), begun, started, timeout):
            return Outcome(f"dockerd runs but does not answer: {problem}", pid)
        machine.sleep(_POLL)


def _is_late(now: float, begun: float, started: float | None, timeout: float) -> bool:
    return now - begun > timeout + _STOP_TIMEOUT if started is None else now - started > timeout


def set_live_restore(machine: Machine, pid: int, wanted: bool, timeout: float = 10.0) -> bool:
    """Make the running dockerd read daemon.json (SIGHUP) and wait until /info shows ``live-restore`` as wanted."""
    machine.hang_up(pid)
    deadline = machine.monotonic() + timeout
    while machine.monotonic() < deadline:
        facts = machine.engine_facts()
        if facts is not None and facts.live_restore == wanted:
            return True
        machine.sleep(_POLL)
    return False
