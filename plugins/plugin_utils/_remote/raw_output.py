# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has printed where a module should have answered: sudo, a shell, a traceback."""

from __future__ import annotations

import re
import typing as t

_CLOSED = re.compile(r"(Shared c|C)onnection to \S+ closed\.")


def raw_output(result: t.Mapping[str, t.Any]) -> str:
    """Return the last line that a host said instead of a module's answer (sudo, a shell, a traceback), "" if it answered.

    On a terminal ssh has the last word on stderr, and it is not about the failure.
    """
    for stream in ("module_stderr", "module_stdout"):
        lines = [line.strip() for line in str(result.get(stream) or "").splitlines()]
        said = [line for line in lines if line and not _CLOSED.fullmatch(line)]
        if said:
            return said[-1]
    return ""
