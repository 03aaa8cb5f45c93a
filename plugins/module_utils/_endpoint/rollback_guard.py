# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our own rollback as one file that needs nothing but Python.

A run that is killed cannot clean up, and a module's code is gone from the host when it ends. So before anything is
changed, the few files that a rollback needs are put into ``/var/lib/docker-tls/revert.py`` as one program,
which the guard process and the timer of an unconfirmed change start.

The guard of nearly every change has nothing to do. So it waits with nothing loaded but Python, and its own text in memory:
a later run may have written another rollback guard in its place by then.
"""

from __future__ import annotations

import importlib.util
import os
import sys

from .._docker.systemd import Systemd
from .._errors import TlsError
from .._files import write_atomic
from .._standalone import PACKAGE, closure, program
from .journal import COMMITTED, UNCONFIRMED, StateDirectory
from .machine import Machine
from .rollback import commit, roll_back

_LOCK_TIMEOUT = 3600.0
_ROOT = __name__.rpartition("._endpoint.")[0]

_WAIT = """\
import fcntl, os, sys

HERE = os.path.dirname(os.path.abspath(sys.argv[0]))
if "--timer" not in sys.argv[1:]:
    with open(os.path.join(HERE, %(lock)r), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    if not os.path.exists(os.path.join(HERE, %(journal)r)):
        raise SystemExit
"""


def write_guard(state: StateDirectory) -> None:
    """Write the rollback guard into the state directory. Raises TlsError ``file-unwritable``."""
    write_atomic(state.guard_path, guard_text(state).encode("ascii"), 0o600)


def guard_text(state: StateDirectory) -> str:
    """Return the program, made of the sources that are running now."""
    wait = _WAIT % {"lock": os.path.basename(state.lock_path), "journal": os.path.basename(state.journal_path)}
    sources = closure("_endpoint.rollback_guard", _source)
    if "_endpoint.rollback" not in sources:
        raise TlsError(
            "the sources of the rollback cannot be found, so the program that rolls an interrupted change back cannot be written",
            hint="Nothing was changed. Install the collection again: a file of it is missing.",
            code="rollback-guard-incomplete",
        )
    return program(sources, before=wait, after=f"from {PACKAGE}._endpoint.rollback_guard import main\n\nmain()")


def guard_command(state: StateDirectory, *options: str) -> list[str]:
    """Return the command that runs the rollback guard; ``-I`` keeps other people's modules out."""
    return [sys.executable, "-I", state.guard_path, *options]


def main() -> None:
    """Wait for the host's lock, then roll back or complete the unfinished change of a run. ``--timer``: the time is up."""
    state = StateDirectory(os.path.dirname(os.path.abspath(sys.argv[0])))
    try:
        settle(state, timer="--timer" in sys.argv[1:])
    except TlsError as error:
        raise SystemExit(f"{error.message}. {error.hint}") from error


def settle(state: StateDirectory, *, timer: bool) -> None:
    """Roll back an interrupted or unconfirmed change; leave one alone that still waits for its confirmation."""
    with state.lock(_LOCK_TIMEOUT):
        journal = state.read_journal()
        if journal is None:
            return
        if journal.phase == COMMITTED:
            commit(journal, state)
            return
        machine = Machine(Systemd(journal.service, journal.socket))
        if journal.phase == UNCONFIRMED and not timer and machine.timer_is_armed():
            return
        try:
            roll_back(journal, state, machine)
        finally:
            if state.read_journal() is None:  # nothing is left to roll back, also where dockerd does not run
                machine.disarm_timer()


def _source(name: str) -> str | None:
    """Return the source of a module below module_utils, from a file, from Ansible's zip or from a program of ours; None where there is none."""
    try:
        specification = importlib.util.find_spec(f"{_ROOT}.{name}")
    except ModuleNotFoundError:  # a name that a module has, and not a module
        return None
    loader = specification.loader if specification else None
    return loader.get_source(f"{_ROOT}.{name}") if hasattr(loader, "get_source") else None  # type: ignore[union-attr]
