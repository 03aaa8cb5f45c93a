# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client's files on the controller for as long as a run lasts.

They are in memory (a tmpfs) where there is one, in a directory that is closed to all others. Two things remove them:
the play itself, and, because a play can be killed before it comes to that, a watcher: a small process of its own that
waits for the end of ansible-playbook, or of the certificate, whichever is first.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import typing as t

from ...module_utils._errors import TlsError

PREFIX = "docker-tls-session-"
FILES = ("ca.pem", "cert.pem", "key.pem")
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})

#: Knows no secret: a directory, a process and a number of seconds. Ends by itself when the directory is gone.
_WATCHER = """
import os, select, shutil, sys, time
directory, process, end = sys.argv[1], int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
try:
    ended = select.poll()
    ended.register(os.pidfd_open(process), select.POLLIN)
    over = lambda: bool(ended.poll(500))
except ProcessLookupError:
    over = lambda: True
except (AttributeError, OSError):
    def over():
        time.sleep(0.5)
        try:
            os.kill(process, 0)
        except OSError:
            return True
        return False
while os.path.isdir(directory) and time.monotonic() < end and not over():
    pass
shutil.rmtree(directory, ignore_errors=True)
"""


def choose_location(wanted: str = "") -> tuple[str, bool]:
    """Return the directory that sessions are made in, and whether it is in memory.

    ``XDG_RUNTIME_DIR`` if it is the user's own, else ``/dev/shm``, else the temporary directory. Raises TlsError ``directory-unusable``,
    and ``directory-unsafe`` where others could put something else in the place of a session.
    """
    if wanted and (danger := unsafe_part(wanted)):
        raise TlsError(
            f"a session's files are not made in {wanted}: {danger} can be written by every user",
            hint=f"Take that away (chmod o-w {shlex.quote(danger)}, or chmod +t), or set location to another directory: anyone who can write there can "
            "replace the files of the session.",
            code="directory-unsafe",
        )
    places = (wanted,) if wanted else (_runtime_directory(), "/dev/shm", tempfile.gettempdir())  # noqa: S108 (see mkdtemp)
    for place in places:
        if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK) and not unsafe_part(place):
            return place, is_in_memory(place)
    raise TlsError(
        f"a session's files cannot be made in {wanted or 'any directory for temporary files'}",
        hint="Set location to a directory that the user who runs Ansible may write to, best on a tmpfs.",
        code="directory-unusable",
    )


def unsafe_part(path: str) -> str:
    """Return a directory of ``path`` in which every user could rename our files, "" without one.

    A sticky directory such as /tmp is safe: there only the owner of a thing, or of the directory, can rename it.
    """
    part = os.path.realpath(path)
    while True:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(part)
            if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
                return part
        if part == os.path.dirname(part):
            return ""
        part = os.path.dirname(part)


def _runtime_directory() -> str:
    """Return ``XDG_RUNTIME_DIR`` if it is this user's (sudo may have left another's), else ""."""
    place = os.environ.get("XDG_RUNTIME_DIR", "")
    return place if os.path.isdir(place) and os.stat(place).st_uid == os.geteuid() else ""


def is_in_memory(path: str, mounts: str = "/proc/self/mounts") -> bool:
    """Return whether ``path`` is on a file system that is not a disk; False where the system does not report it."""
    kind, longest = "", -1
    real = os.path.realpath(path)
    with contextlib.suppress(OSError), open(mounts, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            point, found = line.split(" ")[1:3]
            if len(point) > longest and (real == point or real.startswith(point.rstrip("/") + "/")):
                kind, longest = found, len(point)
    return kind in _IN_MEMORY


def create(location: str, contents: t.Mapping[str, str]) -> str:
    """Make a session of ``contents`` (by file name) and return its directory. Raises TlsError ``file-unwritable``."""
    directory = ""
    try:
        directory = tempfile.mkdtemp(prefix=PREFIX, dir=location)
        for name, text in contents.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(os.path.join(directory, name), flags, 0o600), "w", encoding="ascii") as stream:
                stream.write(text)
    except OSError as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise TlsError(
            f"cannot write a session's files in {location}: {error.strerror}",
            hint="Check its room and mode, or set location to another directory.",
            code="file-unwritable",
        ) from error
    return directory


def watch(directory: str, process: int, seconds: float) -> subprocess.Popen[bytes]:
    """Have ``directory`` removed when ``process`` ends, or after ``seconds``; at once where that cannot be arranged.

    Raises TlsError ``watcher-missing``.
    """
    command = [sys.executable, "-I", "-c", _WATCHER, directory, str(process), str(seconds)]
    nothing = subprocess.DEVNULL
    try:
        return subprocess.Popen(command, cwd="/", stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    except OSError as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise TlsError(
            f"no process can be started that removes {directory} in the end: {error.strerror}",
            hint="The session has been removed. Check the limits of the user who runs Ansible.",
            code="watcher-missing",
        ) from error


def remove(directory: str, *, predict: bool = False) -> bool:
    """Remove a session; return whether there was one. Raises TlsError ``session-invalid``, ``file-unwritable``."""
    if not directory or not os.path.lexists(directory):
        return False
    own = not os.path.islink(directory) and os.path.isdir(directory) and os.stat(directory).st_uid == os.geteuid()
    if not os.path.basename(os.path.normpath(directory)).startswith(PREFIX) or not own:
        raise TlsError(
            f"{directory} is not a session of this user, so it is not removed",
            hint="Give session the directory that client_session returned.",
            code="session-invalid",
        )
    if predict:
        return True
    try:
        for name in FILES:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(directory)
    except OSError as error:
        raise TlsError(
            f"cannot remove {directory}: {error.strerror}",
            hint="The client's files in it are removed first. Check what else is there, and remove it.",
            code="file-unwritable",
        ) from error
    return True
