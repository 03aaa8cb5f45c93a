# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an answer of a host has the shape that later plays rely on.

What hosts report is read on the controller for all of them at once: a report, the plan of a rotation, a summary. An answer
that is not shaped as it should be would stop that for everybody, so it is the failure of its host and of nobody else.
"""

from __future__ import annotations

import re
import typing as t

_MOST_CHARACTERS = 4 * 1024 * 1024
_MOST_ENTRIES = 10_000
_CLOSED = re.compile(r"(Shared c|C)onnection to \S+ closed\.")

#: A type; ``[shape]`` for a list; a dictionary of the keys that are looked at; Maybe for what may be missing.
Shape = t.Any


class Maybe(t.NamedTuple):
    """A part of an answer that may be missing."""

    shape: Shape


#: What any of our modules may say.
COMMON: t.Mapping[str, Shape] = {"reasons": [str], "plan": [str]}


def misshapen(answer: t.Mapping[str, t.Any], shape: t.Mapping[str, Shape]) -> str:
    """Return the first part of ``answer`` that is there and not as ``shape`` wants it, "" where all are."""
    return next((name for name, part in shape.items() if not _fits(answer.get(name), Maybe(part))), "")


def instead(result: t.Mapping[str, t.Any]) -> str:
    """Return the last line that a host said instead of a module's answer (sudo, a shell, a traceback), "" if it answered.

    On a terminal ssh has the last word on stderr, and it is not about the failure.
    """
    for stream in ("module_stderr", "module_stdout"):
        lines = [line.strip() for line in str(result.get(stream) or "").splitlines()]
        said = [line for line in lines if line and not _CLOSED.fullmatch(line)]
        if said:
            return said[-1]
    return ""


def _fits(found: t.Any, shape: Shape) -> bool:
    if isinstance(shape, Maybe):
        return found is None or _fits(found, shape.shape)
    if isinstance(shape, list):
        return (
            isinstance(found, (list, tuple))
            and len(found) <= _MOST_ENTRIES
            and all(_fits(each, shape[0]) for each in found)
        )
    if isinstance(shape, dict):
        return isinstance(found, t.Mapping) and all(_fits(found.get(name), part) for name, part in shape.items())
    return isinstance(found, shape) and not (isinstance(found, str) and len(found) > _MOST_CHARACTERS)
