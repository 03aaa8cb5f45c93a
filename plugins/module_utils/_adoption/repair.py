# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repair of the recipes' leftovers: permissions of keys, stray keys, edited units.

A key is moved, never deleted: the copy that looks superfluous may be the only one. It goes to a directory that only root can
enter, with a name that contains its former path.

An edited unit is restored to the text of its package, with the edit kept in a drop-in. Docker is not restarted, and what systemd would start next
time is the same after every step: first the former text is kept, then the drop-in contains the edits, then the file is the package's. Systemd is
asked before and after; where it does not report the same, all of it is rolled back.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import typing as t
from dataclasses import dataclass

from .. import _files
from .._docker.systemd import Systemd
from .._errors import TlsError
from . import assess, unit_diff
from .assess import Unit
from .files import read_fact

MODES, STRAY_KEYS, UNITS = "modes", "stray_keys", "units"
_ACTIONS = {MODES: "mode", STRAY_KEYS: "move", UNITS: "unit"}
_PROPERTIES = (
    "Type Environment EnvironmentFiles UnsetEnvironment After Before Wants Requires LimitNOFILE LimitNPROC LimitCORE LimitMEMLOCK TasksMax "
    "TimeoutStartUSec TimeoutStopUSec Restart RestartUSec KillMode Delegate OOMScoreAdjust MountFlags ExecMainPID ActiveState"
).split()


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
    closed = [one for one in chosen if one.action == "mode" and one.path not in moved]
    restored = "the package's own text; the edits are in a drop-in, the former text is in the quarantine"
    return (
        *(Repair(one.code, one.path, os.path.join(directory, _flat(one.path))) for one in moved.values()),
        *(Repair(one.code, one.path, "only its owner can read it") for one in closed),
        *(Repair(one.code, one.path, restored) for one in chosen if one.action == "unit"),
    )


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
                restore_unit(systemd, unit, os.path.join(directory, _flat(repair.path)))
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
        text = f"{path} was to be repaired, but {error.strerror}"
        raise TlsError(text, hint="Run again.", code="file-changed") from error


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
    free = kept(target, data)
    try:
        os.unlink(path)
    except OSError as error:
        raise TlsError(
            f"cannot remove {path}: {error.strerror}", hint=f"A copy of it is in {free}.", code="file-unwritable"
        ) from error


def restore_unit(systemd: Systemd, unit: Unit, backup: str) -> None:
    """Put ``unit`` back; ``backup`` is the file that gets its former text.

    Raises TlsError ``unit-not-loaded`` (systemd has not read its files since they changed), ``file-changed``, ``dropin-foreign``,
    ``unit-repair-rolled-back``, ``file-unwritable``, ``systemd-command-failed``.
    """
    dropin, obstacles = unit_diff.as_dropin(unit.original, unit.text, unit.path)
    path = os.path.join(systemd.unit_directory, f"{systemd.service}.d", unit_diff.DROPIN_NAME)
    _check(systemd, unit, obstacles, path, dropin)
    before = _effect(systemd)
    status = os.stat(unit.path)
    kept(backup, _bytes(unit.text))
    links = _links_to(unit, systemd.unit_directory)
    try:
        if dropin:
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            _files.write_atomic(path, _bytes(dropin), status.st_mode & 0o644)
        if unit.packaged_path:
            for link in links:
                _files.symlink_atomic(unit.packaged_path, link)
            os.unlink(unit.path)
        else:
            _files.write_atomic(unit.path, _bytes(unit.original), status.st_mode & 0o755, status.st_uid, status.st_gid)
        systemd.daemon_reload()
        after = _effect(systemd)
        if after != before:
            raise TlsError(
                f"systemd would start Docker otherwise then ({_difference(before, after)})",
                hint="The unit was rolled back.",  # the caller rolls it back, and adds advice
            )
    except (OSError, TlsError) as error:
        _roll_back(systemd, unit, status, path if dropin else "", links)
        raise TlsError(
            f"{unit.path} was to be as its package has it, and is as it was before: {getattr(error, 'message', error)}",
            hint=f"Compare systemctl cat docker.service with the package's unit, and restore it by hand: {unit.reinstall}. "
            "Leave units out of docker_adopt_repair until then.",
            code="unit-repair-rolled-back",
        ) from error


def kept(target: str, data: bytes) -> str:
    """Keep ``data`` in a file that only root can read, and return its path: ``target``, or beside other content of that name."""
    directory = os.path.dirname(target)
    os.makedirs(os.path.dirname(directory), 0o700, exist_ok=True)
    _files.ensure_directory(directory, 0o700)
    free, number = target, 1
    while os.path.lexists(free) and _files.read_bytes_or_none(free) != data:
        number += 1
        free = f"{target}.{number}"
    _files.write_atomic(free, data, 0o400)
    return free


def _check(systemd: Systemd, unit: Unit, obstacles: t.Sequence[str], dropin_path: str, dropin: str) -> None:
    """Refuse where it is not certain what would happen."""
    is_other = os.path.islink(unit.path) or _files.read_bytes_or_none(unit.path) != _bytes(unit.text)
    if not unit.original or obstacles or is_other:
        text = f"{unit.path} was to be repaired, but it is another file now"
        raise TlsError(text, hint="Run again.", code="file-changed")
    if unit.packaged_path and _files.read_bytes_or_none(unit.packaged_path) != _bytes(unit.original):
        raise TlsError(f"{unit.packaged_path} is another file now", hint="Run again.", code="file-changed")
    if systemd.show().service.need_daemon_reload:
        raise TlsError(
            f"{unit.path} or a drop-in of it was changed after systemd had read it, so the files differ from the settings in effect",
            hint="Run systemctl daemon-reload on that host, check Docker's effective command, then run again.",
            code="unit-not-loaded",
        )
    # One with the same content is from a run that was killed here.
    if os.path.lexists(dropin_path) and _files.read_bytes_or_none(dropin_path) != _bytes(dropin):
        raise TlsError(
            f"{dropin_path} is there already, and {unit.path} was edited again since",
            hint="Put the new edit into that drop-in by hand, and restore the unit of the package.",
            code="dropin-foreign",
        )


def _effect(systemd: Systemd) -> dict[str, t.Any]:
    """Return what systemd would start, and that the Docker that runs is the same."""
    commands = [list(entry[:2]) for entry in json.loads(systemd.exec_start()).get("data") or []]
    shown = dict(line.partition("=")[::2] for line in systemd.properties(_PROPERTIES).splitlines())
    words = {name: sorted(value.split()) for name, value in shown.items()}
    return {"ExecStart": commands, **words}


def _difference(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> str:
    return ", ".join(name for name in {**before, **after} if before.get(name) != after.get(name))


def _links_to(unit: Unit, unit_directory: str) -> list[str]:
    """Return the links (WantedBy) that lead to a copy that goes away."""
    links = glob.glob(os.path.join(glob.escape(unit_directory), "*.*", os.path.basename(unit.path)))
    return [
        link
        for link in links
        if unit.packaged_path
        and os.path.islink(link)
        and os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link))) == unit.path
    ]


def _roll_back(systemd: Systemd, unit: Unit, status: os.stat_result, dropin_path: str, links: t.Iterable[str]) -> None:
    """Restore the former files."""
    _files.write_atomic(unit.path, _bytes(unit.text), status.st_mode & 0o7777, status.st_uid, status.st_gid)
    for link in links:
        _files.symlink_atomic(unit.path, link)
    if dropin_path:
        with contextlib.suppress(OSError):
            os.unlink(dropin_path)
            os.rmdir(os.path.dirname(dropin_path))  # where it is empty now
    systemd.daemon_reload()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
