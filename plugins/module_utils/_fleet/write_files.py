# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a report is written to: each whole or not at all."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError

MODE = "0644"


@dataclass(frozen=True)
class Output:
    """A file to write. ``shown`` is False where a diff of its content is not readable (a page's HTML)."""

    path: str
    content: str
    shown: bool = True


def parse_mode(text: str) -> int:
    """Return the mode of files, as ``0644``. Raises TlsError ``mode-invalid``."""
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0o400 <= mode <= 0o777:
        raise TlsError(
            f"file_mode is {text!r}, which is not a mode of a file",
            hint='Write for example "0644".',
            code="mode-invalid",
        )
    return mode


def check_directory(path: str) -> None:
    """Raise TlsError ``directory-missing`` where the directory for the file ``path`` does not exist."""
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise TlsError(
            f"{path} cannot be written: there is no directory {directory}",
            hint="Make the directory, or name a path in one that exists.",
            code="directory-missing",
        )


def write(outputs: t.Iterable[Output], mode: int, *, check_mode: bool) -> tuple[bool, list[dict[str, str]]]:
    """Write the outputs that differ from the existing files; return whether any did, and the diffs.

    Raises TlsError ``directory-missing``, ``file-unwritable`` or ``file-unreadable``.
    """
    diffs = []
    for output in outputs:
        check_directory(output.path)
        data = output.content.encode("utf-8")
        before = _files.read_bytes_or_none(output.path)
        if before == data:
            continue
        diffs.append(_diff(output, before))
        if not check_mode:
            _files.write_atomic(output.path, data, mode)
    return bool(diffs), diffs


def _diff(output: Output, before: bytes | None) -> dict[str, str]:
    if not output.shown:
        return {"prepared": f"{output.path}: {len(output.content)} characters\n"}
    old = "" if before is None else before.decode("utf-8", "replace")
    return {"before_header": output.path, "after_header": output.path, "before": old, "after": output.content}
