# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of the daemon (``_endpoint.entry``) as a program for a pipe."""

from __future__ import annotations

import signal
import typing as t

from ...module_utils._endpoint.journal import STATE_DIRECTORY, StateDirectory
from . import program
from .accept import UNUSABLE, accept_program

CHANGE = program.Program("_endpoint.entry")


# 128 and the signal, as the shell reports it: the result of a damaged native library (for example that of cryptography).
_CRASHES = {
    128
    + number: f", {number.name}: a native library of it, such as cryptography's, may be damaged or for another processor"
    for number in (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)
}


def confirm_command(directory: str) -> str:
    """Return the command by which a host forgets that its endpoint is not verified; it fails where a change waits for its confirmation.

    ``directory`` is that of journal, record and lock (``journal.StateDirectory``).
    """
    state = StateDirectory(directory)
    return f"test ! -e {state.journal_path} && rm -f -- {state.unverified_path}"


CONFIRM = confirm_command(STATE_DIRECTORY)
#: The module's result where that command was enough.
CONFIRMED: dict[str, t.Any] = {
    "changed": False,
    "plan": [],
    "restarted": False,
    "restart_needed": False,
    "reasons": [],
    "containers_stopped": 0,
    "unconfirmed": False,
    "not_verified": False,
    "verification": [],
}


def answer(output: str, code: int) -> dict[str, t.Any]:
    """Return the module's result; a failure where the host has not answered, because its state is not known then.

    ``code`` is the exit code that came with ``output``: 137 is a program that was killed, as by a host without memory.
    """
    found = program.answer(output)
    why = _problem(found, code)
    if why:
        return _unusable(why)
    return accept_program("endpoint", found, lambda why: _unusable(f"its answer cannot be used: {why}"))


def _unusable(why: str) -> dict[str, t.Any]:
    return {
        "failed": True,
        "changed": False,
        "code": UNUSABLE,
        "msg": f"The change of Docker's endpoint has begun on this host, but {why}.",
        "hint": "Run again: an unfinished change is then completed or rolled back, by the host's own guard process if the run was killed. "
        "If it happens again, please report it.",
    }


def _problem(found: t.Mapping[str, t.Any] | None, code: int) -> str:
    """Return why an answer is none, "" where it is one."""
    if found is None:
        crash = _CRASHES.get(code, "")
        return f"its answer cannot be read (its Python ended with exit code {code}{crash})"
    if "crashed" in found:
        return str(found["crashed"])
    return ""
