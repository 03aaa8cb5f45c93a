# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The backup of a CA as one archive, and its restore.

The archive is made under the lock and after the ledger's chain was checked, so it is one moment of a sound CA. Keys are in
it as they are on disk, encrypted. It is a gzipped tar that begins with ``backup.json``, its table of contents.

Everything is unpacked and checked beside the place (ledger, authorities, passphrase), recorded in the ledger there, and
becomes the CA in one rename. Serials are random (159 bits), so an old state repeats none; it lacks only the entries of certificates that were
issued since, which the next run of site.yml notices by the certificates that the hosts have.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import shlex
import shutil
import stat
import tarfile
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from .._pki import pem
from .._time import isoformat
from . import call_context, create, layout, ledger, stages, store
from .call_context import CallContext, Head

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
    with call_context.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        found = _sound(place)
        warnings = ledger.repair(place, found)
        found = store.finish(place, found)
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


_STAGING = ".docker-ca-restore-"
_STAGED = re.compile(rf"{re.escape(_STAGING)}[0-9a-f]{{12}}")


@dataclass(frozen=True)
class Restored:
    """The (predicted) result of a restore. ``changed`` is False where the place has this very archive already."""

    changed: bool
    made: str
    digest: str
    head: Head
    authorities: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def restore_backup(
    place: layout.CaDirectory, archive: str, passphrase: bytes, context: CallContext, *, predict: bool
) -> Restored:
    """Make the CA directory from ``archive``; the place must be missing or empty.

    Raises TlsError ``backup-missing``, ``backup-unreadable``, ``restore-over-newer``, ``restore-over-existing``, and the
    codes of ``directory``, ``ledger`` and ``store`` for an archive that holds no sound CA; then nothing is there that was not before.
    """
    layout.check_place(place.path, allow_network=context.allow_network_filesystem)
    digest = _digest(archive)
    parent = _existing_parent(place.path)
    _remove_abandoned(parent)
    staging = layout.ca_directory(os.path.join(parent, f"{_STAGING}{secrets.token_hex(6)}"))
    with layout.disk_errors(staging), _working_directory(staging.path):
        try:
            manifest = _unpack(archive, staging)
            found, ids = _checked(staging, manifest, archive, passphrase)
            ledger.check_clock(staging, found, context.now, f"the ledger in {archive}")
            # An archive that was made with tar during a run ends in the middle of a line.
            torn = ledger.repair(staging, found)
            result = Restored(True, str(manifest["time"]), digest, found.head, ids, torn)
            if _is_there(place, archive, digest, found.head):
                return Restored(False, result.made, digest, found.head, ids)
            if not predict:
                _record(staging, found, result, archive, context)
                _move_in(staging, place)
            return result
        finally:
            shutil.rmtree(staging.path, ignore_errors=True)


@contextlib.contextmanager
def _working_directory(path: str) -> t.Iterator[None]:
    """Make a directory that is seen to be in use for as long as this process lives."""
    os.mkdir(path, layout.DIRECTORY_MODE)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(parent: str) -> None:
    """Remove what killed restores have left in ``parent``: directories of this user that no run uses any more."""
    with contextlib.suppress(OSError):
        for name in os.listdir(parent):
            path = os.path.join(parent, name)
            if not _STAGED.fullmatch(name) or os.lstat(path).st_uid != os.geteuid():
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)


def _digest(archive: str) -> str:
    try:
        with open(archive, "rb") as stream:
            return digest_of(stream)
    except OSError as error:
        raise TlsError(
            f"the archive {archive} cannot be read: {error.strerror}",
            hint="Check the path on the CA host, and the user that the task runs as.",
            code="backup-missing" if isinstance(error, FileNotFoundError) else "backup-unreadable",
        ) from error


def _existing_parent(path: str) -> str:
    parent = os.path.dirname(path)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    return parent


def _unreadable(archive: str, problem: str) -> TlsError:
    return TlsError(
        f"{archive} is not a backup of a CA of this collection: {problem}",
        hint="Use an archive that authority_backup (portcullis.docker_tls.backup_ca) has made.",
        code="backup-unreadable",
    )


def _unpack(archive: str, staging: layout.CaDirectory) -> dict[str, t.Any]:
    """Write the archive's files below ``staging`` and return its manifest. Only plain files with plain names are taken."""
    manifest: t.Any = {}
    try:
        with tarfile.open(archive, mode="r|gz") as tar:
            for member in tar:
                if not member.isreg() or not NAME.fullmatch(member.name):
                    raise _unreadable(archive, f"it has the entry {member.name!r}")
                stream = tar.extractfile(member)
                if stream is None:
                    raise _unreadable(archive, f"the entry {member.name!r} cannot be read")
                if member.name == MANIFEST:
                    manifest = json.loads(stream.read(1 << 20))
                else:
                    _write(os.path.join(staging.path, member.name), stream)
    except (tarfile.TarError, EOFError, ValueError, RecursionError, OSError) as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, (FileExistsError, NotADirectoryError)):
            raise
        raise _unreadable(archive, str(error) or type(error).__name__) from error
    fits = isinstance(manifest, dict) and manifest.get("format") == FORMAT
    if not fits or not {"time", "ledger"} <= set(manifest):
        raise _unreadable(archive, f"{MANIFEST} is missing or of another format")
    return dict(manifest)


def _write(path: str, stream: t.IO[bytes]) -> None:
    os.makedirs(os.path.dirname(path), mode=layout.DIRECTORY_MODE, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, layout.FILE_MODE)
    with open(descriptor, "wb") as target:
        shutil.copyfileobj(stream, target)
        target.flush()
        os.fsync(target.fileno())


def _checked(
    staging: layout.CaDirectory, manifest: t.Mapping[str, t.Any], archive: str, passphrase: bytes
) -> tuple[ledger.Scan, tuple[str, ...]]:
    """Return the ledger's state and the ids of the authorities after all checks: chain, records, keys, passphrase."""
    layout.prepare(staging)
    found = ledger.scan(staging)
    if {"seq": found.head.seq, "digest": found.head.digest} != manifest["ledger"]:
        raise _unreadable(archive, "its ledger is not the one that it was made of")
    living = stages.settled(store.read_authorities(staging), found)
    stored = [one for generations in living.values() for one in generations]
    if not stored:
        raise _unreadable(archive, "it has no authority")
    create.check_recorded(staging, found, stored)
    for one in stored:
        # Each, also one that signs no more: the chain of the ledger has no key, so whoever can write to the archive could add an authority of their
        # own. Only the passphrase makes a key that opens.
        store.open_key(one, passphrase)
    return found, tuple(one.id for one in stored)


def _is_there(place: layout.CaDirectory, archive: str, digest: str, head: Head) -> bool:
    """Return whether this archive was restored to the place before. Raises TlsError where something else is there."""
    if not os.path.isdir(place.path) or not os.listdir(place.path):
        return False
    entries = []
    with contextlib.suppress(ValueError, OSError):
        entries = list(ledger.entries(place))
    if any(entry.get("event") == "ledger-restored" and entry.get("archive_sha256") == digest for entry in entries):
        return True
    newer = _knows(place, head)
    what = (
        f"holds the same CA in a newer state: its ledger has {len(entries)} lines, the backup's {head.seq}"
        if newer
        else f"is not empty, and it is not the state of {archive}"
    )
    raise TlsError(
        f"{place.path} {what}",
        hint="A restore would lose the present state. To restore anyway, also where a run has just made a new CA there, set the directory aside "
        f"first: mv {shlex.quote(place.path)} {shlex.quote(place.path + '.aside')}",
        code="restore-over-newer" if newer else "restore-over-existing",
    )


def _knows(place: layout.CaDirectory, head: Head) -> bool:
    """Return whether line ``head.seq`` of the ledger in ``place`` is the backup's last one."""
    import hashlib

    with contextlib.suppress(OSError), open(place.ledger, "rb") as stream:
        for number, line in enumerate(stream, 1):
            if number == head.seq:
                return hashlib.sha256(line.rstrip(b"\n")).hexdigest() == head.digest
    return False


def _record(
    staging: layout.CaDirectory, found: ledger.Scan, result: Restored, archive: str, context: CallContext
) -> None:
    entry = {
        "serial": "",
        "event": "ledger-restored",
        "time": isoformat(context.now),
        "backup_time": result.made,
        "archive": os.path.basename(archive),
        "archive_sha256": result.digest,
        "lines": found.head.seq,
        **context.origin,
    }
    ledger.append(staging, found, [entry])


def _move_in(staging: layout.CaDirectory, place: layout.CaDirectory) -> None:
    for top, directories, _files_there in os.walk(staging.path):
        for name in directories:
            os.chmod(os.path.join(top, name), layout.DIRECTORY_MODE)
        _files.fsync_directory(top)
    os.makedirs(os.path.dirname(place.path), mode=0o755, exist_ok=True)
    try:
        os.rename(staging.path, place.path)  # over an empty directory, if there is one
    except OSError as error:
        raise TlsError(
            f"the restored directory cannot be moved to {place.path}: {error.strerror}",
            hint="If that is a mount point or was filled meanwhile, restore to another path.",
            code="ca-unwritable",
        ) from error
    _files.fsync_directory(os.path.dirname(place.path))
