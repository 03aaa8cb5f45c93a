# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recipes left behind, tidied up: modes closed, stray keys moved away. PRIVATE: may change without notice.

A key is moved, never deleted: the copy that looks superfluous may be the only one. It goes to a directory that only root can
enter, with a name that says where it was.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from . import judge
from .files import read_fact

MODES, STRAY_KEYS = "modes", "stray_keys"
_ACTIONS = {MODES: "mode", STRAY_KEYS: "move"}


@dataclass(frozen=True)
class Repair:
    """One thing done: ``code`` of the finding, the path, and what it has now."""

    code: str
    path: str
    after: str


def plan(findings: t.Iterable[judge.Finding], wanted: t.Container[str], directory: str) -> tuple[Repair, ...]:
    """Return what is to be done, each path once; a file that is moved needs no other mode first."""
    actions = {action for name, action in _ACTIONS.items() if name in wanted}
    chosen = [one for one in findings if one.action in actions]
    moved = {one.path: one for one in chosen if one.action == "move"}
    repairs = [Repair(one.code, one.path, os.path.join(directory, _flat(one.path))) for one in moved.values()]
    repairs += [
        Repair(one.code, one.path, "only its owner can read it")
        for one in chosen
        if one.action == "mode" and one.path not in moved
    ]
    return tuple(repairs)


def _flat(path: str) -> str:
    """Return a file name that says where a file was."""
    return path.strip("/").replace("%", "%25").replace("/", "%2f")


def carry_out(repairs: t.Iterable[Repair], directory: str) -> None:
    """Do it. Raises TlsError ``file-changed``, ``file-unwritable``, ``directory-unusable``."""
    for repair in repairs:
        if repair.after.startswith("/"):
            _move(repair.path, repair.after, directory)
        else:
            _close(repair.path)


def _open_key(path: str) -> int:
    """Return a descriptor of a key file that is still one, and no link. Raises TlsError ``file-changed``."""
    fact = read_fact(path)
    try:
        if fact is None or fact.key is None or os.path.islink(path):
            raise OSError(0, "it is no private key any more")
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise TlsError(
            f"{path} was to be repaired, but {error.strerror}", hint="Run again.", code="file-changed"
        ) from error


def _close(path: str) -> None:
    descriptor = _open_key(path)
    try:
        os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o600)
    finally:
        os.close(descriptor)


def _move(path: str, target: str, directory: str) -> None:
    """Copy, flush, then remove: at no time is there no copy."""
    descriptor = _open_key(path)
    with open(descriptor, "rb") as stream:
        data = stream.read()
    _files.ensure_directory(os.path.dirname(directory), 0o700)
    _files.ensure_directory(directory, 0o700)
    free = target
    number = 1
    while os.path.lexists(free):
        if _files.read_bytes_or_none(free) == data:
            break
        number += 1
        free = f"{target}.{number}"
    _files.write_atomic(free, data, 0o400)
    try:
        os.unlink(path)
    except OSError as error:
        raise TlsError(
            f"cannot remove {path}: {error.strerror}", hint=f"A copy of it is in {free}.", code="file-unwritable"
        ) from error
