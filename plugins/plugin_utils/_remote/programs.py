# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two programs for a Docker host: the inspection and the change.

It writes nothing but the key that waits for its certificate; where its answer is not understood, the real modules are asked.
"""

from __future__ import annotations

import signal
import typing as t

from ...module_utils._endpoint.journal import STATE_DIRECTORY, StateDirectory
from . import program
from .answers import UNUSABLE, accept_program
from .failures import failure

# The inspection is of the same code as the change, and ends before the transaction.
INSPECTION = program.Program("_endpoint.host_state", without=("_endpoint.transaction",))


def inspection_answer(output: str) -> dict[str, t.Any] | None:
    """Return the answer of the inspection; None where it is not valid."""
    found = program.answer(output)
    if found is not None and "crashed" in found:
        found = {"current": False, "reasons": ["undecided"], "msg": found["crashed"]}
    return checked_inspection(found)


def checked_inspection(found: t.Any) -> dict[str, t.Any] | None:
    """Return the answer in the shape of its schema, None where it is not in it."""
    answer = accept_program("host_state", found)
    if answer.get("failed"):
        return None
    if "refused" in answer:
        answer["refused"] = refusal(answer["refused"])
    answer.pop("changed", None)  # which is the action's word
    return {"reasons": [], "warnings": [], **answer}


def refusal(found: t.Any) -> dict[str, str]:
    """Return why a host was refused (``msg``, ``hint``, ``code``), as text."""
    given = found if isinstance(found, t.Mapping) else {}
    words = {name: str(given.get(name) or "") for name in ("msg", "hint", "code")}
    return {**words, "msg": words["msg"] or "the host refuses the change and gives no reason"}


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


def change_answer(output: str, code: int) -> dict[str, t.Any]:
    """Return the module's result; a failure where the host has not answered, because its state is not known then.

    ``code`` is the exit code that came with ``output``: 137 is a program that was killed, as by a host without memory.
    """
    found = program.answer(output)
    why = _problem(found, code)
    if why:
        return _unusable(why)
    return accept_program("endpoint", found, lambda why: _unusable(f"its answer cannot be used: {why}"))


def _unusable(why: str) -> dict[str, t.Any]:
    return failure(
        f"The change of Docker's endpoint has begun on this host, but {why}.",
        "Run again: an unfinished change is then completed or rolled back, by the host's own guard process if the run was killed. "
        "If it happens again, please report it.",
        UNUSABLE,
    )


def _problem(found: t.Mapping[str, t.Any] | None, code: int) -> str:
    """Return why an answer is none, "" where it is one."""
    if found is None:
        crash = _CRASHES.get(code, "")
        return f"its answer cannot be read (its Python ended with exit code {code}{crash})"
    if "crashed" in found:
        return str(found["crashed"])
    return ""
