# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA directory from its archive.

Everything is unpacked and checked beside the place (ledger, authorities, passphrase), recorded in the ledger there, and
becomes the CA in one rename. Serials are random (159 bits), so an old state repeats none; it lacks only the entries of certificates that were
issued since, which the next run of site.yml notices by the certificates that the hosts have.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
import tarfile
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from .._time import isoformat
from . import backup, create, layout, ledger, stages, store
from .call_context import CallContext
from .ledger_head import Head

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
            return backup.digest_of(stream)
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
                if not member.isreg() or not backup.NAME.fullmatch(member.name):
                    raise _unreadable(archive, f"it has the entry {member.name!r}")
                stream = tar.extractfile(member)
                if stream is None:
                    raise _unreadable(archive, f"the entry {member.name!r} cannot be read")
                if member.name == backup.MANIFEST:
                    manifest = json.loads(stream.read(1 << 20))
                else:
                    _write(os.path.join(staging.path, member.name), stream)
    except (tarfile.TarError, EOFError, ValueError, RecursionError, OSError) as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, (FileExistsError, NotADirectoryError)):
            raise
        raise _unreadable(archive, str(error) or type(error).__name__) from error
    fits = isinstance(manifest, dict) and manifest.get("format") == backup.FORMAT
    if not fits or not {"time", "ledger"} <= set(manifest):
        raise _unreadable(archive, f"{backup.MANIFEST} is missing or of another format")
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
