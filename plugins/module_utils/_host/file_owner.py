# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose files they are, and how to work in a user's own directory as root.

A user's home belongs to the user, who may put a link where root is about to write. So root takes the user's identity
for every step there: operations that the user is not permitted to do fail, and new files belong to the user.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shlex
import stat
import typing as t
from dataclasses import dataclass

from .._errors import TlsError

#: Certificates with long chains and RSA-4096 keys stay far below.
MAXIMUM_FILE_BYTES = 1_048_576
# As many links as the kernel follows on one path (path_resolution(7)).
_MOST_LINKS = 40
#: In a path it would begin a line of its own in a unit or configuration file.
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Owner:
    """A user (and a group, None for whatever the user's files have) that files belong to."""

    name: str
    uid: int
    primary_gid: int
    gid: int | None
    home: str


def resolve_owner(owner: str, group: str = "") -> Owner:
    """Return the account of ``owner`` (name or number; empty: the user that the task runs as) with ``group``.

    Raises TlsError ``user-unknown``, ``group-unknown``.
    """
    try:
        if not owner:
            entry = pwd.getpwuid(os.geteuid())
        else:
            entry = pwd.getpwuid(int(owner)) if owner.isdigit() else pwd.getpwnam(owner)
    except (KeyError, OverflowError) as error:
        raise TlsError(
            f"there is no user {owner or os.geteuid()!r} on this host",
            hint="Create the user first, or correct owner.",
            code="user-unknown",
        ) from error
    gid = _resolve_group(group) if group else None
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, gid, entry.pw_dir)


def _resolve_group(group: str) -> int:
    try:
        return grp.getgrgid(int(group)).gr_gid if group.isdigit() else grp.getgrnam(group).gr_gid
    except (KeyError, OverflowError) as error:
        raise TlsError(
            f"there is no group {group!r} on this host",
            hint="Create the group first, or correct group.",
            code="group-unknown",
        ) from error


def expand_path(path: str, owner: Owner, option: str = "path") -> str:
    """Return ``path`` absolute, with ``~`` as the home of ``owner`` and ``~user`` as that of any user.

    Raises TlsError ``user-unknown``, ``home-missing`` (a home that is not there is not made) and ``path-invalid``.
    """
    if CONTROL_CHARACTER.search(path):
        raise TlsError(
            f"{option} is {path!r}, which has a line break or another control character in it",
            hint="Write the path without it.",
            code="path-invalid",
        )
    if not path.startswith("~"):
        if not os.path.isabs(path):
            raise TlsError(
                f"{option} is {path!r}, which is not an absolute path",
                hint="Begin it with / or with ~ for the owner's home.",
                code="path-invalid",
            )
        return os.path.normpath(path)
    user, _slash, rest = path[1:].partition("/")
    account = resolve_owner(user) if user else owner
    if not os.path.isdir(account.home):
        raise TlsError(
            f"{option} is {path!r}, but the home directory {account.home} of {account.name} does not exist",
            hint="Create the home directory, or write an absolute path.",
            code="home-missing",
        )
    return os.path.normpath(os.path.join(account.home, rest))


@contextlib.contextmanager
def acting_as(owner: Owner) -> t.Iterator[None]:
    """Do the steps inside with the rights of ``owner``: as root by taking the identity, as ``owner`` by doing nothing.

    Nothing is imported inside: the module's own files may be readable for root only. Raises TlsError
    ``owner-not-permitted``.
    """
    effective = os.geteuid()
    if owner.uid == effective:
        yield
        return
    if effective != 0:
        raise TlsError(
            f"files of {owner.name} cannot be written by uid {effective}",
            hint="Run the task as root (become: true) or as that user.",
            code="owner-not-permitted",
        )
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.initgroups(owner.name, owner.primary_gid)
        os.setegid(owner.primary_gid if owner.gid is None else owner.gid)
        os.seteuid(owner.uid)
        yield
    finally:
        os.seteuid(effective)
        os.setegid(gid)
        os.setgroups(groups)


def check_directory(path: str, owner: Owner) -> None:
    """Raise TlsError ``directory-unusable`` where ``path`` is there but does not belong to ``owner``, or is one that all users have files in.

    Root may have made ``~/.docker`` once (``sudo docker login``); root as owner can work anywhere, but not through a
    link of another user's (``directory-unsafe``).
    """
    check_links(path, owner)
    try:
        status = os.stat(path)
    except OSError:
        return
    if status.st_mode & stat.S_ISVTX and status.st_mode & stat.S_IWOTH:
        raise TlsError(
            f"{path} is a directory for the files of all users (its mode is {stat.S_IMODE(status.st_mode):o}), and a directory with a key is closed to others",
            hint="Name a directory that has no other files, for example a new one below it.",
            code="directory-unusable",
        )
    uid = status.st_uid
    if uid != owner.uid and owner.uid != 0:
        raise TlsError(
            f"{path} belongs to uid {uid}, not to {owner.name}",
            hint=f"Give it to its user (chown {owner.name} {shlex.quote(path)}), or name another directory.",
            code="directory-unusable",
        )


def owner_of_place(path: str, owner: Owner) -> Owner:
    """Return the owner of new files in ``path`` where none was named, so that ``owner`` is the task's own user.

    Root in a user's directory leaves it to the user: the nearest existing parent of ``path`` decides.
    """
    if owner.uid != 0:
        return owner
    place = path
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    try:
        entry = pwd.getpwuid(os.lstat(place).st_uid)
    except (KeyError, OSError):
        return owner
    if entry.pw_uid == 0:
        return owner
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, owner.gid, entry.pw_dir)


def check_links(path: str, owner: Owner) -> None:
    """Raise TlsError ``directory-unsafe`` where ``path`` of root goes through a link that another user can set.

    A user's own paths are the kernel's business, for root takes the user's rights there (``acting_as``).
    """
    if owner.uid != 0:
        return
    current, left, followed, insecure = "/", list(reversed(path.split("/"))), 0, False
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            current = os.path.dirname(current)
            continue
        above, current = os.stat(current), os.path.join(current, part)
        insecure = insecure or above.st_uid != 0 or above.st_mode & 0o1002 == 0o002
        try:
            status = os.lstat(current)
        except OSError:
            return
        if stat.S_ISLNK(status.st_mode):
            followed += 1
            if insecure or status.st_uid != 0 or followed > _MOST_LINKS:
                raise _unsafe(path, current, status.st_uid or above.st_uid)
            left.extend(reversed(os.readlink(current).split("/")))
            current = "/" if os.readlink(current).startswith("/") else os.path.dirname(current)


def _unsafe(path: str, link: str, uid: int) -> TlsError:
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return TlsError(
        f"{link}, on the way to {path}, is a link that {user} can set, so root's files there could be led anywhere",
        hint=f"Name the user as the owner (owner: {user}; with the roles user: {user}), or use a directory of root's.",
        code="directory-unsafe",
    )


def read_regular(path: str, *, private_to: int | None = None) -> bytes | None:
    """Return the bytes of a regular file, None where there is none; never waits (a user may have put a pipe there).

    With ``private_to``, a uid, only a file counts that is that user's, no link, and closed to all others.
    Raises TlsError ``file-unreadable``.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (os.O_NOFOLLOW if private_to is not None else 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or "unknown error") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(path, "it is not a regular file")
        if private_to is not None and (status.st_uid != private_to or status.st_mode & 0o077 or status.st_nlink != 1):
            raise _unreadable(path, "it is not private")
        if status.st_size > MAXIMUM_FILE_BYTES:
            raise _unreadable(path, f"it has more than {MAXIMUM_FILE_BYTES} bytes")
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(MAXIMUM_FILE_BYTES)
    finally:
        os.close(descriptor)


def _unreadable(path: str, problem: str) -> TlsError:
    return TlsError(f"cannot read {path}: {problem}", hint="Check its type, owner and mode.", code="file-unreadable")
