# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the certificate store, and those of others that are kept aside.

Used by ``certificate_store.py``. A file is restored as the same inode where it could be kept as a hard link, so its times, ACLs
and labels are unchanged; otherwise as a copy with its mode, owner and time.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import typing as t

from .._files import file_status, fsync_directory, read_bytes_or_none, symlink_atomic, write_atomic

SERVER_KEY = "server-key.pem"
DIRECTORY = "."
_LEFTOVER = re.compile(r"\.staging-[0-9a-f]+|\.(?:current|[a-z-]+\.pem(?:\.new)?)\.[0-9a-f]{12}")


def mode_of(name: str) -> int:
    """Return the mode of a file of the set; "." is the directory of a revision."""
    return {SERVER_KEY: 0o400, DIRECTORY: 0o700}.get(name, 0o444)


def insecure_names(path: str, names: t.Iterable[str]) -> tuple[str, ...]:
    """Return the names in a revision that more people than root could read (the key) or change; "." is the directory."""
    found = []
    for name in (DIRECTORY, *names):
        status = file_status(os.path.join(path, name))
        allowed = {SERVER_KEY: 0o600, DIRECTORY: 0o700}.get(name, 0o755)
        foreign = status is not None and os.geteuid() == 0 and status.st_uid != 0
        if status is not None and (foreign or status.st_mode & 0o7777 & ~allowed):
            found.append(name)
    return tuple(found)


def tighten(path: str, names: t.Iterable[str]) -> None:
    """Give insecure files of a revision their owner and mode; what dockerd reads stays the same."""
    for name in insecure_names(path, names):
        file = os.path.join(path, name)
        if os.geteuid() == 0:
            os.chown(file, 0, 0, follow_symlinks=False)
        os.chmod(file, mode_of(name))


def remove_tree(directory: str, name: str) -> None:
    """Remove a revision; it stops being one at the first step, so a half-removed one is never taken for a set."""
    doomed = os.path.join(directory, f".staging-{secrets.token_hex(6)}")
    os.rename(os.path.join(directory, name), doomed)
    shutil.rmtree(doomed)


def remove_leftovers(directory: str) -> None:
    """Remove what killed runs have left half-written."""
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if _LEFTOVER.fullmatch(name):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                unlink(path)


def unlink(path: str) -> None:
    """Remove a file or link, where there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


Found = t.Mapping[str, t.Mapping[str, t.Any]]
ADOPTED_DIRECTORY = "."
_KEPT = ".found."  # in a revision: another name of the file itself
_ASIDE = ".docker-tls-saved"


def describe(directory: str, names: t.Iterable[str]) -> dict[str, dict[str, t.Any]]:
    """Return how the names are found: the target of a link, or mode, owner and time of a file; "." is the directory."""
    found: dict[str, dict[str, t.Any]] = {ADOPTED_DIRECTORY: _status(directory)}
    for name in names:
        path = os.path.join(directory, name)
        if os.path.islink(path):
            found[name] = {"link": os.readlink(path)}
        elif os.path.exists(path):
            found[name] = _status(path)
    return found


def keep(directory: str, names: t.Iterable[str], revision: str) -> None:
    """Give the files a second name in ``revision`` (a path), where the file system can."""
    for name in names:
        path = os.path.join(directory, name)
        if os.path.isfile(path) and not os.path.islink(path):
            with contextlib.suppress(OSError):
                os.link(path, os.path.join(revision, _KEPT + name))


def restore(directory: str, revision: str, files: t.Mapping[str, bytes], found: Found) -> None:
    """Restore each name in ``found``: a link, or a file with the bytes in ``files``. Can be repeated.

    ``revision``: the path that ``keep`` was given. A link whose target is gone meanwhile becomes a file with the bytes
    that it led to. Raises TlsError ``file-unwritable``.
    """
    for name, was in found.items():
        if name != ADOPTED_DIRECTORY:
            _put(os.path.join(directory, name), was, files.get(name), os.path.join(revision, _KEPT + name))
    for name in files:
        if name not in found:
            write_atomic(os.path.join(directory, name), files[name], 0o400 if "key" in name else 0o444)


def put_aside(
    directory: str, revision: str, files: t.Mapping[str, bytes], found: Found, given: t.Mapping[str, bytes]
) -> tuple[str, ...]:
    """Write beside their names the files in ``found`` that differ from those ``given`` back; return the paths.

    Can be repeated: existing files are not written again.
    """
    paths = []
    for name, was in found.items():
        data = files.get(name)
        if name == ADOPTED_DIRECTORY or data is None or data == given.get(name):
            continue
        path = aside_path(directory, name, data)
        _put(path, was, data, os.path.join(revision, _KEPT + name))
        paths.append(path)
    return tuple(paths)


def aside_path(directory: str, name: str, data: bytes) -> str:
    """Return where a file is put aside: a name that is free, or that has the same bytes already."""
    first = path = os.path.join(directory, name + _ASIDE)
    number = 1
    while os.path.lexists(path) and read_bytes_or_none(path) != data:
        number, path = number + 1, f"{first}-{number + 1}"
    return path


def _status(path: str) -> dict[str, t.Any]:
    status = os.stat(path)
    mode = status.st_mode & 0o7777
    return {"mode": mode, "uid": status.st_uid, "gid": status.st_gid, "mtime_ns": status.st_mtime_ns}


def _put(path: str, was: t.Mapping[str, t.Any], data: bytes | None, kept: str) -> None:
    if "link" in was and (data is None or os.path.exists(os.path.join(os.path.dirname(path), was["link"]))):
        symlink_atomic(str(was["link"]), path)
    elif data is not None and not _same_file(path, kept, data):
        write_atomic(path, data, was.get("mode", 0o400), was.get("uid"), was.get("gid"))
        if "mtime_ns" in was:
            os.utime(path, ns=(was["mtime_ns"], was["mtime_ns"]))


def _same_file(path: str, kept: str, data: bytes) -> bool:
    """Make ``path`` another name of the file ``kept``; return False where that is not possible, or it was changed."""
    if read_bytes_or_none(kept) != data:
        return False
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(6)}")
    try:
        # rename(2) does nothing where both are names of one file, and would leave the temporary one.
        if not os.path.islink(path) and os.path.exists(path) and os.path.samefile(path, kept):
            return True
        os.link(kept, temporary)
        os.rename(temporary, path)
        fsync_directory(directory)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return False
    return True
