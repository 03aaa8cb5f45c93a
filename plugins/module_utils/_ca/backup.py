# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA directory in one archive.

The archive is made under the lock and after the ledger's chain was checked, so it is one moment of a sound CA. Keys are in
it as they are on disk, encrypted. It is a gzipped tar that begins with ``backup.json``, its table of contents.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from .._pki import pem
from .._time import isoformat
from . import create, layout, ledger, lock, stages, store, swap_keys
from .call_context import CallContext
from .ledger_head import Head

MANIFEST = "backup.json"
#: The names of files that an archive may have: all that this collection writes.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,3}")
FORMAT = 1
_BLOCK = 1 << 20
# Files of a running CA only: the lock's holder, and unfinished files.
_LEFT_OUT = frozenset({"lock", "staging"})


@dataclass(frozen=True)
class Backup:
    """An archive: where it is, its digest, and of what state of the ledger it is."""

    path: str
    digest: str
    files: int
    head: Head
    authorities: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def make_backup(place: layout.CaDirectory, archive: str, context: CallContext, *, predict: bool) -> Backup:
    """Write the CA directory to the file ``archive`` (0600, replaced in one rename) and return its content.

    Raises TlsError (codes of ``directory``, ``lock``, ``ledger``, ``store``; ``authority-missing``, ``key-not-encrypted``,
    ``backup-place-unfit``, ``file-unwritable``).
    """
    layout.check_parents(place.path)
    layout.check_writable(place.path)
    if not os.path.isdir(place.authorities):
        raise layout.no_ca(place, ", so there is nothing to back up")
    _check_archive_place(place, archive)
    layout.insecure_entries(place, os.geteuid())
    if predict:
        names, strange = _names(place)
        return Backup(archive, "", len(names), _sound(place).head, _ids(place), _left_out(strange))
    with lock.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        found = _sound(place)
        warnings = ledger.repair(place, found)
        found = swap_keys.finish(place, found)
        names, strange = _names(place)
        manifest = {
            "format": FORMAT,
            "time": isoformat(context.now),
            "ca_path": place.path,
            "ledger": {"seq": found.head.seq, "digest": found.head.digest},
            "authorities": list(_ids(place)),
            **context.origin,
        }
        digest = _write_archive(place, archive, names, manifest, int(context.now.timestamp()))
        return Backup(archive, digest, len(names), found.head, _ids(place), (*warnings, *_left_out(strange)))


def _ids(place: layout.CaDirectory) -> tuple[str, ...]:
    return tuple(one.id for generations in store.read_authorities(place).values() for one in generations)


def _check_archive_place(place: layout.CaDirectory, archive: str) -> None:
    parent = os.path.dirname(os.path.abspath(archive))
    inside = os.path.realpath(parent) + "/"
    if inside.startswith(os.path.realpath(place.path) + "/"):
        raise TlsError(
            f"the archive {archive} would be inside of the CA directory {place.path}",
            hint="Write it beside the directory, better on another disk, best on another machine.",
            code="backup-place-unfit",
        )
    if not os.path.isdir(parent) or os.path.isdir(archive):
        raise TlsError(
            f"the archive {archive} cannot be written: {archive if os.path.isdir(archive) else parent} is "
            f"{'a directory' if os.path.isdir(archive) else 'no directory'}",
            hint="Name a file in a directory that is there.",
            code="backup-place-unfit",
        )


def _sound(place: layout.CaDirectory) -> ledger.Scan:
    """Return the ledger's state of a CA that can be restored from its files. Raises TlsError where it could not."""
    found = ledger.scan(place)
    living = stages.settled(store.read_authorities(place), found)
    authorities = [one for generations in living.values() for one in generations]
    create.check_recorded(place, found, authorities)
    for one in authorities:
        raw = _files.read_bytes_or_none(one.rekeyed_path) or _files.read_bytes_or_none(one.key_path)
        blocks = pem.blocks(raw or b"", *pem.PRIVATE_KEY)
        if raw is not None and not any(b"ENCRYPTED" in block for block in blocks):
            raise TlsError(
                f"{one.key_path} is not an encrypted key, so no archive is made of it",
                hint="Restore it from an older backup, or encrypt it again.",
                code="key-not-encrypted",
            )
    return found


def _names(place: layout.CaDirectory) -> tuple[list[str], list[str]]:
    """Return the paths of all files of the CA below its directory, sorted, and of those that are not of this collection.

    Without the lock and unfinished files.
    """
    found = []
    for top, directories, files in os.walk(place.path):
        relative = os.path.relpath(top, place.path)
        if relative == ".":
            directories[:] = [name for name in directories if name not in _LEFT_OUT]
        found += [os.path.normpath(os.path.join(relative, name)) for name in files]
    visible = sorted(name for name in found if name not in _LEFT_OUT and not os.path.basename(name).startswith("."))
    return [name for name in visible if NAME.fullmatch(name)], [name for name in visible if not NAME.fullmatch(name)]


def _left_out(strange: t.Sequence[str]) -> tuple[str, ...]:
    if not strange:
        return ()
    return (f"left out of the archive, since this collection writes no such names: {', '.join(map(repr, strange))}",)


def _write_archive(
    place: layout.CaDirectory, archive: str, names: t.Sequence[str], manifest: dict[str, t.Any], moment: int
) -> str:
    """Write the archive beside its place, flush it, move it there, and return its digest."""
    target = os.path.abspath(archive)
    _files.remove_half_written(target)
    hint = "An older archive of that name is still there. Check the free space and the modes."
    with _files.replacing(target, f"cannot write the archive {archive}", hint) as temporary:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, layout.FILE_MODE), "w+b", closefd=True) as stream:
            with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, MANIFEST, json.dumps(manifest, indent=1).encode("ascii") + b"\n", moment)
                for name in names:
                    _add_file(tar, place, name, moment)
            stream.flush()
            os.fsync(stream.fileno())
            stream.seek(0)
            digest = digest_of(stream)
    return digest


def _add_file(tar: tarfile.TarFile, place: layout.CaDirectory, name: str, moment: int) -> None:
    descriptor = os.open(os.path.join(place.path, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise TlsError(
                f"{place.path}/{name} is not a regular file, so it does not belong to a CA of this collection",
                hint="Check it and move it away.",
                code="ca-directory-unsafe",
            )
        tar.addfile(_member(name, status.st_size, moment), stream)


def _add(tar: tarfile.TarFile, name: str, data: bytes, moment: int) -> None:
    tar.addfile(_member(name, len(data), moment), io.BytesIO(data))


def _member(name: str, size: int, moment: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, layout.FILE_MODE, moment
    return member


def digest_of(stream: t.BinaryIO) -> str:
    """Return the SHA-256 of the rest of a stream."""
    digest = hashlib.sha256()
    for block in iter(lambda: stream.read(_BLOCK), b""):
        digest.update(block)
    return digest.hexdigest()
