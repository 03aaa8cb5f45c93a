# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that rolls back a change when the run that made it is gone: real processes, with nothing but Python."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import rollback_guard
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory


@pytest.fixture(name="state")
def _state(tmp_path: pathlib.Path) -> StateDirectory:
    state = StateDirectory(str(tmp_path / "state"))
    state.make()
    rollback_guard.write_guard(state)
    return state


def start(state: StateDirectory, *options: str) -> subprocess.Popen[str]:
    command = rollback_guard.guard_command(state, *options)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, errors = process.communicate(timeout=60)
    return process.returncode, output + errors


def spoil(state: StateDirectory) -> None:
    """Leave a journal that cannot be read: the reader reports that."""
    pathlib.Path(state.journal_path).write_text("{}", encoding="ascii")


def test_timer_with_nothing_to_undo_loads_all_that_it_needs_and_ends(state: StateDirectory) -> None:
    assert ended(start(state, "--timer")) == (0, "")


def test_guard_ends_with_the_run_that_left_no_journal(state: StateDirectory) -> None:
    with state.lock():
        guard = start(state)
        assert guard.poll() is None
    assert ended(guard) == (0, "")


def test_guard_waits_for_the_run_and_then_looks_at_its_journal(state: StateDirectory) -> None:
    with state.lock():
        spoil(state)
        guard = start(state)
        await_waiter(state, guard)
        assert guard.poll() is None
    code, output = ended(guard)
    assert code == 1
    assert "journal.json" in output
    assert "Traceback" not in output


def test_guard_goes_by_its_own_text_when_a_later_run_has_written_another(state: StateDirectory) -> None:
    with state.lock():
        spoil(state)
        guard = start(state)
        await_waiter(state, guard)
        pathlib.Path(state.guard_path).write_text("raise SystemExit('another')", encoding="ascii")
    assert "cannot read" in ended(guard)[1]


def await_waiter(state: StateDirectory, guard: subprocess.Popen[t.Any]) -> None:
    """Return when ``guard`` has opened the lock, which is after Python has read its whole text."""
    lock = os.path.realpath(state.lock_path)
    while guard.poll() is None:
        if lock in open_files(guard.pid):
            return
    raise AssertionError(ended(guard))


def open_files(pid: int) -> list[str]:
    """Return the files that a process has open. One that is closed meanwhile is none: Python opens and closes as it starts."""
    found = []
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(descriptor))
    return found


def test_program_runs_in_this_python_alone(state: StateDirectory) -> None:
    assert rollback_guard.guard_command(state)[:2] == [sys.executable, "-I"]
