# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command; say what it cost."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path


class CommandFailed(Exception):
    """A measured command failed or took too long; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Sample:
    """One run: wall and CPU seconds (user + system, of the command and its children), and the largest process in MiB."""

    wall: float
    cpu: float
    peak_mib: float


@dataclass
class Cell:
    """All runs of one case by one contender."""

    samples: list[Sample] = field(default_factory=list)
    note: str = ""

    def median(self, what: str) -> float:
        """Return the median of `wall`, `cpu` or `peak_mib`; the cell must have samples."""
        return float(statistics.median(getattr(sample, what) for sample in self.samples))


def run(
    command: t.Sequence[str], *, log: Path, environment: t.Optional[t.Mapping[str, str]] = None, timeout: float = 600
) -> Sample:
    """Run `command` to its end, its output in `log`, and return its cost.

    Children are counted when they were waited for: ssh's background connections are not, on either side of a comparison.
    Raises CommandFailed on a code other than 0 and after `timeout` seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        begin = time.monotonic()
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,
        )
        too_late = threading.Event()
        timer = threading.Timer(timeout, _stop, (process.pid, too_late))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _stop(process.pid, too_late)
            raise
        finally:
            timer.cancel()
        wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        reason = f"stopped after {timeout:.0f} s" if too_late.is_set() else f"ended with code {process.returncode}"
        raise CommandFailed(f"{Path(command[0]).name} {reason}; log: {log}\n{_tail(log)}")
    return Sample(round(wall, 3), round(usage.ru_utime + usage.ru_stime, 3), round(usage.ru_maxrss / 1024, 1))


def _stop(group: int, too_late: threading.Event) -> None:
    too_late.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
