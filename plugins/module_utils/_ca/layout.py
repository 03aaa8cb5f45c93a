# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a CA lives on disk, and whether that place can be trusted.

``<path>/`` 0700, everything in it 0600 (directories 0700), all owned by the user that runs the task::

    lock                                  flock(2) of the process that works here
    ledger.jsonl  ledger.head             issued certificates; number and digest of its last line
    authorities/<name>-g<generation>/     certificate.pem, key.pem; accepted: is trusted and does not sign yet
    retired/<name>-g<generation>/         certificate.pem of a generation that is trusted no more; its key is gone
    issued/<serial>.pem                   every certificate that was released
    staging/                              half-made things; emptied at the start of the next writing run
    passphrase.change/                    keys with a new passphrase on the way to their places (see ``rekey``)
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError

#: The name of the server authority; the others have the names of the access groups.
SERVER = "server"
# 58 characters, so that <name>-g<generation> fits an OU of 64 (RFC 5280 A.1) up to generation 9999.
GROUP = re.compile(r"[a-z0-9][a-z0-9_-]{0,57}")
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
MOUNTS = "/proc/self/mounts"
# flock(2) is a no-op, local to one client, or unreliable on these.
NETWORK_FILE_SYSTEMS = frozenset(
    "9p afs cifs davfs fuse.rclone fuse.s3fs fuse.sshfs ncpfs nfs nfs4 smb2 smb3 smbfs vboxsf".split()
)


def check_group_names(groups: t.Iterable[str], option: str = "access_groups") -> tuple[str, ...]:
    """Return the names of access groups, each once, in the given order. Raises TlsError ``group-name-invalid``."""
    names = tuple(dict.fromkeys(groups))
    for name in names:
        if name == SERVER:
            raise TlsError(
                f"{option} has {name!r}, which is the name of the server authority",
                hint="Give the access group another name.",
                code="group-name-invalid",
            )
        if not GROUP.fullmatch(str(name)):
            raise TlsError(
                f"{option} has {name!r}, which is not a name of an access group",
                hint="Use 1 to 58 lower-case letters, digits, hyphens and underscores, beginning with a letter or digit.",
                code="group-name-invalid",
            )
    return names


class _Below:
    """The path of something in a CA directory."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, place: CaDirectory, owner: t.Any = None) -> str:
        return os.path.join(place.path, self._name)


@dataclass(frozen=True)
class CaDirectory:
    """The paths inside one CA directory."""

    path: str

    lock = _Below("lock")
    ledger = _Below("ledger.jsonl")
    ledger_head = _Below("ledger.head")
    authorities = _Below("authorities")
    issued = _Below("issued")
    staging = _Below("staging")
    passphrase_change = _Below("passphrase.change")
    retired = _Below("retired")

    @property
    def has_authorities(self) -> bool:
        """Return whether there is a CA with keys; False where this account cannot look."""
        try:
            return bool(os.listdir(self.authorities))
        except OSError:
            return False

    @property
    def subdirectories(self) -> tuple[str, ...]:
        return self.authorities, self.issued, self.staging


def ca_directory(path: str) -> CaDirectory:
    """Return the paths of the CA directory at ``path`` (made absolute)."""
    return CaDirectory(os.path.abspath(path))


MAKE_IT_FIRST = "Make it first: role docker_ca or module authorities, with the same path."


def no_ca(
    place: CaDirectory,
    consequence: str = "",
    hint: str = "Check the path and the host (docker_ca_path, the group docker_ca).",
) -> TlsError:
    """Return the error for a place without a CA; ``consequence`` is the operation that is therefore impossible."""
    return TlsError(f"there is no CA in {place.path}{consequence}", hint=hint, code="authority-missing")


def _mount_points(mounts: str) -> list[tuple[str, str]]:
    """Return (mount point, file system type) of the text of /proc/self/mounts (``\\040`` is a space there)."""
    found = []
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) >= 3:
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1])
            found.append((point, fields[2]))
    return found


def file_system_type(path: str, mounts: str) -> str:
    """Return the type of the file system that holds ``path`` by the text of /proc/self/mounts, "" when unknown."""
    real = os.path.realpath(path)
    best, kind = "", ""
    for point, found in _mount_points(mounts):
        inside = point == "/" or real == point or real.startswith(point + "/")
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind


def check_file_system(path: str, *, allow_network: bool, mounts: str | None = None) -> None:
    """Refuse a network file system, where flock(2) does not keep two hosts apart.

    ``mounts`` is the text of /proc/self/mounts (read when None; where it is missing nothing is checked).
    Raises TlsError ``network-filesystem``.
    """
    if allow_network:
        return
    if mounts is None:
        mounts = (_files.read_bytes_or_none(MOUNTS) or b"").decode("utf-8", "replace")
    kind = file_system_type(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise TlsError(
            f"the CA directory {path} is on a network file system ({kind}), where locks may not keep two runs apart",
            hint="Choose a directory on a local disk, or set allow_network_filesystem when only this host ever uses it.",
            code="network-filesystem",
        )


def check_parents(path: str) -> None:
    """Refuse a place where another user could swap the directory: a symbolic link, or below a world-writable parent.

    A sticky parent such as /tmp is accepted (others cannot rename there). Raises TlsError ``ca-directory-unsafe``.
    """
    if os.path.islink(path):
        raise TlsError(
            f"the CA directory {path} is a symbolic link to {os.readlink(path)}",
            hint="Give the directory itself, so that the CA cannot be pointed somewhere else.",
            code="ca-directory-unsafe",
        )
    parent = os.path.dirname(os.path.realpath(path))
    while True:
        status = _files.file_status(parent)
        if status is not None and status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            raise TlsError(
                f"{parent}, which holds the CA directory {path}, can be written by every user",
                hint=f"Take that away (chmod o-w {shlex.quote(parent)}) or choose another place: anyone who can write there can "
                "replace the CA.",
                code="ca-directory-unsafe",
            )
        if parent == os.path.dirname(parent):
            return
        parent = os.path.dirname(parent)


def check_writable(path: str) -> None:
    """Refuse a place where the CA directory cannot be made, or not be written: check mode finds that too, without a try.

    Raises TlsError ``directory-unusable`` or ``ca-unwritable``.
    """
    nearest = os.path.realpath(path)
    while not os.path.lexists(nearest):
        nearest = os.path.dirname(nearest)
    is_there = nearest == os.path.realpath(path)
    if not os.path.isdir(nearest):
        problem = f"{nearest} is not a directory"
    elif os.statvfs(nearest).f_flag & os.ST_RDONLY:
        problem = f"{nearest} is on a file system that is mounted read-only"
    elif not is_there and not os.access(nearest, os.W_OK | os.X_OK):
        problem = f"uid {os.geteuid()} must not write in {nearest}"
    else:
        return
    raise TlsError(
        f"the CA directory {path} cannot be {'written' if is_there else 'made'}: {problem}",
        hint="Choose another place (docker_ca_path), mount the file system for writing, or run as a user who may write there.",
        code="ca-unwritable" if is_there and os.path.isdir(nearest) else "directory-unusable",
    )


def check_place(path: str, *, allow_network: bool) -> None:
    """Refuse a place where no CA can be, or not safely. Raises TlsError (codes of the checks above)."""
    check_parents(path)
    check_writable(path)
    check_file_system(path, allow_network=allow_network)


def _entries(place: CaDirectory) -> t.Iterator[tuple[str, bool]]:
    """Yield (path, is a directory by our layout) of all that is there, except the certificates under issued/."""
    yield place.path, True
    for path in (place.lock, place.ledger, place.ledger_head):
        yield path, False
    for path in (*place.subdirectories, place.retired):
        yield path, True
    if os.path.lexists(place.passphrase_change):
        yield place.passphrase_change, True
        for name in _names(place.passphrase_change):
            yield os.path.join(place.passphrase_change, name), False
    for parent in (place.authorities, place.retired):
        for name in _names(parent):
            authority = os.path.join(parent, name)
            yield authority, True
            for file_name in _names(authority):
                yield os.path.join(authority, file_name), False


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> TlsError:
    return TlsError(
        f"cannot read {path} of the CA directory: {error.strerror}",
        hint="Run as the user that owns the CA directory (become).",
        code="ca-directory-unreadable",
    )


def insecure_entries(place: CaDirectory, user: int | None = None) -> tuple[str, ...]:
    """Return the paths whose modes permit access by others. ``user`` is the uid that must own all (None: do not check).

    Raises TlsError ``ca-directory-unsafe`` for a foreign owner, a symbolic link or something that is not a file.
    """
    insecure = []
    for path, is_directory in _entries(place):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(path, error) from error
        fits = stat.S_ISDIR(status.st_mode) if is_directory else stat.S_ISREG(status.st_mode)
        if not fits:
            raise TlsError(
                f"{path} is not a {'directory' if is_directory else 'regular file'}, so {place.path} is not a CA directory of this collection, or someone "
                "changed it",
                hint="Check it, and move it away or restore the CA directory from its backup.",
                code="ca-directory-unsafe",
            )
        if user is not None and status.st_uid != user:
            raise TlsError(
                f"{path} belongs to uid {status.st_uid}, but the task runs as uid {user}",
                hint="Run the task as the owner (become_user), or give the whole CA directory to one user with chown -R.",
                code="ca-directory-unsafe",
            )
        if status.st_mode & 0o7777 & ~(DIRECTORY_MODE if is_directory else FILE_MODE):
            insecure.append(path)
    return tuple(insecure)


def repair_modes(paths: t.Iterable[str]) -> None:
    """Close ``paths`` to others: directories 0700, files 0600. Raises TlsError ``ca-directory-unsafe`` if that fails."""
    for path in paths:
        mode = DIRECTORY_MODE if os.path.isdir(path) else FILE_MODE
        try:
            os.chmod(path, mode)
            refused = stat.S_IMODE(os.lstat(path).st_mode) != mode
        except OSError:
            refused = True
        if refused:
            raise TlsError(
                f"the mode of {path} cannot be set to {mode:04o}",
                hint="Choose a file system that keeps owners and modes (not FAT, not a Windows drive).",
                code="ca-directory-unsafe",
            )


@contextlib.contextmanager
def disk_errors(place: CaDirectory) -> t.Iterator[None]:
    """Turn errors of the file system inside the block into TlsError ``ca-unwritable``."""
    try:
        yield
    except OSError as error:
        raise TlsError(
            f"cannot work in the CA directory {place.path}: {error.strerror}{f' ({error.filename})' if error.filename else ''}",
            hint="Nothing was released. Check the free space, the modes and the disk, then run again.",
            code="ca-unwritable",
        ) from error


def prepare(place: CaDirectory) -> bool:
    """Make the directory and its subdirectories where they are missing; return whether anything was made.

    Another run may do the same at the same moment. Raises TlsError ``directory-unusable``.
    """
    made = False
    for path in (place.path, *place.subdirectories):
        try:
            if not os.path.isdir(path):
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(path, DIRECTORY_MODE)
                    made = True
                _files.fsync_directory(os.path.dirname(path))
        except OSError as error:
            raise TlsError(
                f"cannot make the CA directory {path}: {error.strerror}",
                hint="Check its parents, the room of the file system and the user that the task runs as.",
                code="directory-unusable",
            ) from error
    return made


def empty_staging(place: CaDirectory) -> None:
    """Remove the certificates that an interrupted run left half-made; half-made authorities are for ``bootstrap``.

    Only under the lock.
    """
    for name in _names(place.staging):
        if name.endswith(".pem"):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(place.staging, name))
