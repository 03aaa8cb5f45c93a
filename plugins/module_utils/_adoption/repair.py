# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repair of the recipes' leftovers: permissions of keys, stray keys, edited units.

A key is moved, never deleted: the copy that looks superfluous may be the only one. It goes to a directory that only root can
enter, with a name that contains its former path.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._docker.systemd import Systemd
from .._errors import TlsError
from . import assess, repair_unit
from .files import read_fact

MODES, STRAY_KEYS, UNITS = "modes", "stray_keys", "units"
_ACTIONS = {MODES: "mode", STRAY_KEYS: "move", UNITS: "unit"}


@dataclass(frozen=True)
class Repair:
    """One repair: ``code`` of the finding, the path, and its new state."""

    code: str
    path: str
    after: str

    @property
    def is_unit(self) -> bool:
        """Whether it is about a unit, and not about a key."""
        return self.code.startswith("unit-")


def plan(findings: t.Iterable[assess.Finding], wanted: t.Container[str], directory: str) -> tuple[Repair, ...]:
    """Return the repairs, each path once; a file that is moved needs no other mode first."""
    actions = {action for name, action in _ACTIONS.items() if name in wanted}
    chosen = [one for one in findings if one.action in actions]
    moved = {one.path: one for one in chosen if one.action == "move"}
    repairs = [Repair(one.code, one.path, os.path.join(directory, _flat(one.path))) for one in moved.values()]
    repairs += [
        Repair(one.code, one.path, "only its owner can read it")
        for one in chosen
        if one.action == "mode" and one.path not in moved
    ]
    repairs += [
        Repair(
            one.code,
            one.path,
            "the package's own text; the edits are in a drop-in, the former text is in the quarantine",
        )
        for one in chosen
        if one.action == "unit"
    ]
    return tuple(repairs)


def _flat(path: str) -> str:
    """Return a file name that contains the former path of a file."""
    return path.strip("/").replace("%", "%25").replace("/", "%2f")


def carry_out(
    repairs: t.Iterable[Repair], directory: str, unit: assess.Unit | None = None, systemd: Systemd | None = None
) -> None:
    """Do it. Raises TlsError ``file-changed``, ``file-unwritable``, ``directory-unusable``, and the codes of ``unit_repair``."""
    for repair in repairs:
        if repair.is_unit:
            if unit is not None and systemd is not None:
                repair_unit.restore_unit(systemd, unit, os.path.join(directory, _flat(repair.path)))
        elif repair.after.startswith("/"):
            _move(repair.path, repair.after)
        else:
            _close(repair.path)


def _open_key(path: str) -> int:
    """Return a descriptor of a key file that is still one, and no link. Raises TlsError ``file-changed``."""
    fact = read_fact(path)
    try:
        if fact is None or fact.key is None or os.path.islink(path):
            raise OSError(0, "it is not a private key any more")
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


def _move(path: str, target: str) -> None:
    """Copy, flush, then remove: at no time is there no copy."""
    descriptor = _open_key(path)
    with open(descriptor, "rb") as stream:
        data = stream.read()
    free = repair_unit.kept(target, data)
    try:
        os.unlink(path)
    except OSError as error:
        raise TlsError(
            f"cannot remove {path}: {error.strerror}", hint=f"A copy of it is in {free}.", code="file-unwritable"
        ) from error
