# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A limit for the time that a task waits for a host.

Ansible waits for a module without end: a host whose disk is gone or whose Python hangs would stop the run for all hosts.
The limit uses SIGALRM, as the keyword ``timeout`` of a task does, because only a signal ends a blocking read. That keyword
ends the wait, but neither the ssh process (measured with ansible-core 2.18 and 2.19) nor the removal of temporary files
that follows it, which waits for the same host again.
"""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import subprocess
import threading
import time
import traceback
import types
import typing as t

#: How long a program on this machine may take to end after SIGTERM, before it is killed.
_GRACE = 1.0


class TimeLimitExceeded(BaseException):
    """The time limit has passed. It is not an Exception, because the ssh connection plugin repeats its command on any Exception."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} seconds")
        self.seconds = seconds


@contextlib.contextmanager
def time_limit(seconds: float, *, clock: t.Callable[[], float] = time.monotonic) -> t.Iterator[None]:
    """Raise TimeLimitExceeded in the block when it takes longer than ``seconds``.

    Whatever interrupts the block, the programs on this machine that it waited for are ended. An alarm that is set already
    (a task's ``timeout``) stays: the earlier of both comes first. Outside the main thread, where Python takes no signals,
    no limit is set.
    """
    with _ending_programs():
        earlier = signal.getitimer(signal.ITIMER_REAL)[0]
        if threading.current_thread() is not threading.main_thread() or 0 < earlier <= seconds:
            yield
        else:
            with _alarm(seconds, earlier, clock):
                yield


@contextlib.contextmanager
def _alarm(seconds: float, earlier: float, clock: t.Callable[[], float]) -> t.Iterator[None]:
    """Raise TimeLimitExceeded in the block after ``seconds``; then set the alarm again that was due in ``earlier`` seconds."""
    armed = True

    def expire(_number: int, _frame: types.FrameType | None) -> None:
        if armed:
            raise TimeLimitExceeded(seconds)

    begun = clock()
    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield
        finally:
            armed = False  # from here on the alarm interrupts nothing, so the following steps are always done
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if earlier:
            signal.setitimer(signal.ITIMER_REAL, max(earlier - (clock() - begun), 0.001))


@contextlib.contextmanager
def _ending_programs() -> t.Iterator[None]:
    try:
        yield
    except Exception:
        raise  # the connection plugin's own failures; it has ended its process
    except BaseException as error:
        end_programs(error)
        raise


def end_programs(error: BaseException) -> None:
    """End the programs that the interrupted functions had started (those that their variables hold), and the programs that those started.

    A connection plugin keeps its process in a variable and does not end it when it is interrupted. What runs on another host
    cannot be reached from here, nor what sudo has started on this one.
    """
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    found = {
        id(value): value for frame in frames for value in frame.f_locals.values() if isinstance(value, subprocess.Popen)
    }
    for program in found.values():
        if program.poll() is None:
            _end(program)


def _end(program: subprocess.Popen[t.Any]) -> None:
    begun = {pid: started(pid) for pid in descendants(program.pid)}
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):  # sudo's process is root's
            program.send_signal(number)
        for pid, since in begun.items():
            if since and started(pid) == since:  # else it has ended, and another process may have its number
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_GRACE)
        _wait_for_all(begun)


def _wait_for_all(begun: t.Mapping[int, str]) -> None:
    end = time.monotonic() + _GRACE
    while any(words and started(pid) == words for pid, words in begun.items()) and time.monotonic() < end:
        time.sleep(0.02)


def descendants(pid: int) -> list[int]:
    """Return the processes that ``pid`` and its children have started, where the system has /proc (proc(5)), else none."""
    children: dict[int, list[int]] = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        fields = _stat(path)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(path.split("/")[2]))
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found[1:]


def started(pid: int) -> str:
    """Return when a process has started, which distinguishes it from a later one with the same number; "" where that is not known."""
    fields = _stat(f"/proc/{pid}/stat")
    return fields[19] if fields and fields[0] != "Z" else ""


def _stat(path: str) -> list[str]:
    """Return the fields of proc(5) from the third, the state, on."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()
    except OSError:
        return []
