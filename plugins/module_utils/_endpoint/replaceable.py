# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether files can be replaced by a rename, found out without writing anything.

A rename onto a mount point fails with EBUSY (rename(2)), onto or inside an immutable or append-only file or directory with EPERM
(ioctl_iflags(2)), on a read-only file system with EROFS. In check mode nothing may be written, so no probe file is made:
the kernel is asked for its mounts, the files' attributes and the room that is left.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shlex
import struct
import typing as t

from .._docker.findings import Finding, error, warning

# A change stages some ten small files; a file system with less than this is full for all practical purposes.
NEEDED_BYTES = 64 * 1024
NEEDED_INODES = 16
_IMMUTABLE = 0x10  # FS_IMMUTABLE_FL and FS_APPEND_FL of linux/fs.h
_APPEND_ONLY = 0x20
_ESCAPED = re.compile(r"\\([0-7]{3})")


def obstacles(paths: t.Iterable[str]) -> tuple[Finding, ...]:
    """Return an error for each place that cannot be replaced, made or removed by a rename in its directory.

    ``paths``: files that will change, also ones that do not exist yet. Codes: ``file-not-replaceable``,
    ``file-system-read-only``, ``file-system-full``. An attribute that the file system does not report is not an error.
    """
    mounts = mount_points(_mountinfo())
    found = [finding for path in paths for finding in _of_file(os.path.abspath(path), mounts)]
    return tuple({(item.code, item.message): item for item in reversed(found)}.values())[::-1]


def link_findings(link: str, target: str, *, exists: bool) -> tuple[Finding, ...]:
    """Check a daemon.json that is a link: the change is made to its target, and the tool that made the link may revert it.

    ``link`` is "" where daemon.json is not a link. Code ``daemon-json-link``: an error where the target does not exist.
    """
    if not link:
        return ()
    if not exists:
        text = f"{link} is a link to {target}, where there is no file"
        hint = "Mount or make its target, or remove the link: a file written there now could be hidden later."
        return (error("daemon-json-link", text, hint),)
    text = f"{link} is a link, so the settings are written to {target}"
    hint = "Where another tool manages that file (dotfiles, configuration management), it has to keep these settings."
    return (warning("daemon-json-link", text, hint),)


def mount_points(mountinfo: str) -> frozenset[str]:
    """Return the mount points of a ``/proc/self/mountinfo`` text (proc(5): field 5, blanks as octal escapes)."""
    fields = (line.split(" ") for line in mountinfo.splitlines())
    return frozenset(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), part[4]) for part in fields if len(part) > 4)


def _of_file(path: str, mounts: frozenset[str]) -> t.Iterator[Finding]:
    directory, missing = _existing_directory(os.path.dirname(path))
    real = os.path.join(os.path.realpath(directory), os.path.basename(path))
    if not missing and real in mounts:
        yield _not_replaceable(
            f"{path} is a mount of its own, so it cannot be replaced by another file",
            f"Unmount it (umount {shlex.quote(path)}) and keep a plain file there, or mount its whole directory instead.",
        )
    elif not missing and os.path.lexists(real) and not os.path.islink(real):
        yield from _of_attributes(path, real)
    yield from _of_directory(directory, mounts)


def _of_directory(directory: str, mounts: frozenset[str]) -> t.Iterator[Finding]:
    """Check the directory in which a file is renamed, or in which a missing directory would be made."""
    if not os.path.isdir(directory):
        yield _not_replaceable(f"{directory} is not a directory", "Move it away; a directory has to be there.")
        return
    status = os.statvfs(directory)
    if status.f_flag & os.ST_RDONLY:
        mount = _mount_of(os.path.realpath(directory), mounts)
        yield error(
            "file-system-read-only",
            f"the file system at {mount} is mounted read-only, so nothing in it can be changed",
            f"Remount it (mount -o remount,rw {shlex.quote(mount)}). Where the system image is read-only by design, its own tools have to "
            f"make {directory} writable, or the variable for it has to name another directory.",
        )
        return
    blocked = list(_of_attributes(directory, os.path.realpath(directory)))
    if not blocked and not os.access(directory, os.W_OK | os.X_OK):
        blocked = [
            _not_replaceable(
                f"{directory} cannot be written, not even by this user ({os.geteuid()})",
                "Check its owner and mode and who mounts it: a network file system may refuse root (root_squash).",
            )
        ]
    yield from blocked
    if status.f_blocks and status.f_bfree * status.f_frsize < NEEDED_BYTES:
        yield _full(directory, f"{status.f_bfree * status.f_frsize} bytes", mounts)
    elif status.f_files and status.f_ffree < NEEDED_INODES:
        yield _full(directory, f"{status.f_ffree} inodes", mounts)


def _of_attributes(shown: str, path: str) -> t.Iterator[Finding]:
    flags = _attributes(path)
    for flag, word, option in ((_IMMUTABLE, "immutable", "i"), (_APPEND_ONLY, "append-only", "a")):
        if flags & flag:
            yield _not_replaceable(
                f"{shown} is {word} (lsattr shows {option!r}), so nothing can take its place",
                f"Find out why it is set, then run chattr -{option} {shown}.",
            )


def _full(directory: str, left: str, mounts: frozenset[str]) -> Finding:
    mount = _mount_of(os.path.realpath(directory), mounts)
    return error(
        "file-system-full",
        f"the file system at {mount} is full: it has {left} left",
        "Free some space (df and df -i show how much there is) and run again.",
    )


def _not_replaceable(message: str, hint: str) -> Finding:
    return error("file-not-replaceable", message, hint)


def _existing_directory(path: str) -> tuple[str, bool]:
    """Return ``path`` or its nearest parent that exists, and whether ``path`` itself is missing."""
    found = path
    while not os.path.lexists(found):
        found = os.path.dirname(found)
    return found, found != path


def _mount_of(path: str, mounts: frozenset[str]) -> str:
    while path not in mounts and path != "/":
        path = os.path.dirname(path)
    return path


def _attributes(path: str) -> int:
    """Return the attributes that chattr sets, 0 where they cannot be read (many file systems have none)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        answer = fcntl.ioctl(descriptor, _get_flags(platform.machine()), bytes(struct.calcsize("l")))
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return int(struct.unpack_from("=I", answer)[0])


def _get_flags(machine: str) -> int:
    """Return the number of FS_IOC_GETFLAGS: _IOR('f', 1, long), whose direction bits differ on some architectures."""
    read = 0x40000000 if machine.startswith(("ppc", "mips", "sparc", "alpha")) else 0x80000000
    return read | struct.calcsize("l") << 16 | ord("f") << 8 | 1


def _mountinfo() -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
