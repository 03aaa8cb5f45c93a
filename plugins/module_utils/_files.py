# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are either the old ones or the new ones, at every moment.

Every write goes to a temporary file in the same directory (created 0600, so a key is never readable by others),
is flushed to disk, gets its owner and mode, and is renamed over the old name; then the directory is flushed too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import typing as t

from ._errors import TlsError

# Advice for errors of the kernel (rename(2), open(2)); ``lsattr`` shows attributes.
_ADVICE = {
    errno.EBUSY: "It is a mount of its own: unmount it and keep a plain file there, or mount its whole directory.",
    errno.EPERM: "It or its directory may be immutable or append-only: lsattr shows that, chattr ends it. Is the task root's?",
    errno.EACCES: "Check the owner and mode of its directory, and the user that the task runs as.",
    errno.EROFS: "Its file system is mounted read-only: remount it, or take a place that can be written.",
    errno.ENOSPC: "Its file system is full: free some space (df and df -i show how much there is).",
    errno.EDQUOT: "A disk quota is used up: raise it or free some space.",
    errno.ENOTDIR: "A part of the path is a file: move it away, a directory has to be there.",
    errno.ELOOP: "Its links lead in a circle: correct them.",
}


def advice(error: OSError) -> str:
    """Return what to do about a file that could not be changed."""
    return _ADVICE.get(error.errno or 0, "Check that its file system is writable, has room and is in order (dmesg).")


def read_bytes_or_none(path: str) -> bytes | None:
    """Return the bytes of ``path``, None where it does not exist. Raises TlsError ``file-unreadable``."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TlsError(
            f"cannot read {path}: {error.strerror}", hint="Check its owner and mode.", code="file-unreadable"
        ) from error


def fsync_directory(path: str) -> None:
    """Flush the entries of a directory to disk, so that a rename survives a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: str, data: bytes, mode: int, uid: int | None = None, gid: int | None = None) -> None:
    """Replace ``path`` by ``data`` with ``mode`` and owner; all of it or nothing. Raises TlsError ``file-unwritable``."""
    with replacing(path, f"cannot write {path}") as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if uid is not None or gid is not None:
                os.fchown(stream.fileno(), -1 if uid is None else uid, -1 if gid is None else gid)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())


@contextlib.contextmanager
def replacing(path: str, problem: str, hint: str = "") -> t.Iterator[str]:
    """Give a new name beside ``path``; what is made there takes the place of ``path`` in one rename, or is removed.

    Raises TlsError ``file-unwritable`` with ``problem``.
    """
    directory, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(6)}")
    try:
        try:
            yield temporary
            os.rename(temporary, os.path.join(directory, name))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        fsync_directory(directory)
    except OSError as error:
        raise TlsError(
            f"{problem}: {error.strerror or error}",
            hint=hint or f"Nothing was changed there. {advice(error)}",
            code="file-unwritable",
        ) from error


def remove_half_written(path: str) -> None:
    """Remove what killed runs of ``write_atomic`` have left beside ``path``. Only where no other process can be writing it."""
    directory, name = os.path.split(os.path.abspath(path))
    half_written = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{12}}")
    with contextlib.suppress(OSError):
        for found in os.listdir(directory):
            if half_written.fullmatch(found):
                os.unlink(os.path.join(directory, found))


def symlink_atomic(target: str, link: str) -> None:
    """Make ``link`` point to ``target``, replacing an older link in one rename. Raises TlsError ``file-unwritable``."""
    with replacing(link, f"cannot make the link {link}") as temporary:
        os.symlink(target, temporary)


def ensure_directory(path: str, mode: int, uid: int | None = None, gid: int | None = None) -> bool:
    """Make ``path`` a directory with ``mode`` and owner; return whether anything changed.

    Missing parents are made 0755. Raises TlsError ``directory-unusable``.
    """
    changed = False
    try:
        if not os.path.isdir(path):
            parent = os.path.dirname(os.path.abspath(path))
            os.makedirs(parent, mode=0o755, exist_ok=True)
            os.mkdir(path, mode)
            fsync_directory(parent)
            changed = True
        status = os.stat(path)
        if status.st_mode & 0o7777 != mode:
            os.chmod(path, mode)
            changed = True
        if (uid is not None and status.st_uid != uid) or (gid is not None and status.st_gid != gid):
            os.chown(path, -1 if uid is None else uid, -1 if gid is None else gid)
            changed = True
    except OSError as error:
        raise TlsError(
            f"cannot make the directory {path}: {error.strerror}",
            hint=advice(error),
            code="directory-unusable",
        ) from error
    return changed


def file_status(path: str) -> t.Any:
    """Return ``os.stat(path)``, None where there is nothing."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
