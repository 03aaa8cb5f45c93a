# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inspection of a host (``_host_state``) as a program for a pipe, and the accepted part of its answer.

It writes nothing but the key that waits for its certificate; where its answer is not understood, the real modules are asked.
"""

from __future__ import annotations

import typing as t

from . import program
from .accept import accept_program

# The inspection is of the same code as the change, and ends before the transaction.
INSPECTION = program.Program("_endpoint.host_state", without=("_endpoint.transaction",))


def answer(output: str) -> dict[str, t.Any] | None:
    """Return the answer of the inspection; None where it is not valid."""
    found = program.answer(output)
    if found is not None and "crashed" in found:
        found = {"current": False, "reasons": ["undecided"], "msg": found["crashed"]}
    return checked(found)


def checked(found: t.Any) -> dict[str, t.Any] | None:
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
