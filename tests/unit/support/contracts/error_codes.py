# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which error codes a source file can raise, read from its text."""

from __future__ import annotations

import ast
import pathlib
import typing as t


def raised(path: pathlib.Path) -> set[str]:
    """Return the codes that are written out in a file: ``code="..."`` in any call, whichever of several it is."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    values = (keyword.value for call in calls for keyword in call.keywords if keyword.arg == "code")
    return {text for value in values for text in _outcomes(value)}


def _outcomes(value: ast.expr) -> t.Iterator[str]:
    """Yield the texts that an expression can come to, where they are written out."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _outcomes(value.body)
        yield from _outcomes(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from _outcomes(part)
