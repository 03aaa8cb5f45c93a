# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a program for hosts, packed once and kept beside the bytecode of its first module.

It holds the sources, and bytecode for hosts whose Python has the version of the controller's: they compile nothing, which is a third of what
an inspection costs them (0.1 s of CPU, measured). To make the bytecode takes longer than that, so a program that cannot be kept has none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import marshal
import os
import pathlib
import sys
import types
import typing as t
from importlib.util import cache_from_source

from ...module_utils import _standalone

#: What the text is made by; a kept text is used only while all of it is the same.
_MADE_BY = (__file__, _standalone.__file__)
_BEST = 9


def packed(path: str, sources: t.Mapping[str, str], loaded: t.Container[str], after: str) -> str:
    """Return the program that runs ``after`` and can import ``sources``.

    ``path``: the file of its first module. ``loaded``: the names of the sources that it imports at once; only they get bytecode.
    """
    kept = _kept_path(path)
    if kept is None:
        return _standalone.program(sources, after=after)
    key = _key(sources, after)
    with contextlib.suppress(OSError, ValueError):
        head, _newline, text = pathlib.Path(kept).read_text(encoding="ascii").partition("\n")
        if head == _head(key, text):
            return text
    if not _is_writable(kept):
        return _standalone.program(sources, after=after)
    bytecode = {name: _bytecode(name, text) for name, text in sources.items() if name in loaded}
    text = _standalone.program(sources, bytecode, after=after, level=_BEST)
    with contextlib.suppress(OSError):
        _write(kept, f"{_head(key, text)}\n{text}")
    return text


def _key(sources: t.Mapping[str, str], after: str) -> str:
    made_by = [pathlib.Path(path).read_text(encoding="utf-8") for path in _MADE_BY]
    everything = json.dumps([made_by, sys.version, after, sorted(sources.items())])
    return hashlib.sha256(everything.encode("ascii")).hexdigest()


def _head(key: str, text: str) -> str:
    """Return the first line of a kept text: what it is made of, and its own digest, because a power failure may cut it off."""
    return f"{key} {hashlib.sha256(text.encode('ascii')).hexdigest()}"


def _kept_path(path: str) -> str | None:
    """Return where Python keeps the bytecode of a file, with another ending; None where it keeps none."""
    try:
        return os.path.splitext(cache_from_source(path))[0] + ".program"
    except NotImplementedError:
        return None


def _is_writable(kept: str) -> bool:
    directory = os.path.dirname(kept)
    if sys.dont_write_bytecode:
        return False
    with contextlib.suppress(OSError):
        os.makedirs(directory, exist_ok=True)
    return os.access(directory, os.W_OK)


def _write(kept: str, text: str) -> None:
    """Replace the file at once: another run may read it now."""
    new = f"{kept}.{os.getpid()}"
    try:
        pathlib.Path(new).write_text(text, encoding="ascii")
        os.replace(new, kept)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)


def _bytecode(name: str, source: str) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True, optimize=2)
    return marshal.dumps(_without_lines(code))


def _without_lines(code: types.CodeType) -> types.CodeType:
    """Return the code without its line numbers, a third of its size: every host gets it, also over slow lines, and shows no traceback."""
    constants = (_without_lines(one) if isinstance(one, types.CodeType) else one for one in code.co_consts)
    return code.replace(co_linetable=b"", co_consts=tuple(constants))
