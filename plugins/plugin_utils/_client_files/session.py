# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client files on the controller: those that the user gives for the verification, and those of a session.

Where another issuer signs for a group, this collection may have no way to make a client for ten minutes. The files are read where the
endpoint is asked from, in the process that asks: the key is in no variable and no result.

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
from datetime import datetime

from ...module_utils import _files
from ...module_utils._errors import TlsError
from ...module_utils._time import isoformat

VARIABLE = "docker_daemon_verify_clients"
_KEYS = ("certificate_path", "key_path")
_HINT = (
    f"Put a valid client certificate of the group with its intermediate certificates, and its key, at the paths of {VARIABLE}, "
    "or take the entry out."
)


def problems(value: t.Any, groups: t.Collection[str]) -> t.Iterator[str]:
    """Yield a sentence for everything that is wrong with the variable; ``groups``: the access groups. The files have to be there."""
    if value in (None, {}):
        return
    if not isinstance(value, t.Mapping):
        yield f"{VARIABLE} has to be a dictionary: the name of an access group, and under it certificate_path and key_path."
        return
    for group, one in value.items():
        where = f"{VARIABLE}: {group}"
        if str(group) not in groups:
            yield f"{where} is not an access group ({', '.join(groups)}). Correct the name, or add it to docker_ca_access_groups."
        if not isinstance(one, t.Mapping) or set(one) != set(_KEYS):
            yield f"{where} must have exactly certificate_path and key_path: files of the controller in PEM form."
            continue
        for name in _KEYS:
            path = os.path.expanduser(str(one[name]))
            if not os.path.isabs(path):
                yield f"{where}: {name} is {one[name]!r}, which is not an absolute path on the controller."
            elif not os.path.isfile(path):
                yield f"{where}: {name} {path} is not a file on the controller. Put the client's file there, or take the entry out."


def read(given: t.Any, group: str, anchors: str, now: datetime) -> tuple[str, str, str]:
    """Return certificate with its chain (PEM), key (PEM) and what to call the client, after checking that the pair can open a host.

    In: an entry of the variable, its access group, and the certificates (PEM) that the hosts admit for the group. Raises TlsError
    ``verification-client-unusable``, or that of a file that cannot be read or has a wrong content.
    """
    from ...module_utils._pki import keys, reader, renewal, verify

    for problem in problems({group: given}, [group]):
        raise TlsError(problem, hint=_HINT, code="verification-client-unusable")
    certificate_path, key_path = (os.path.expanduser(str(given[name])) for name in _KEYS)
    certificate_content, key_content = _text(certificate_path, group), _text(key_path, group)
    leaf, *chain = reader.load_certificates(certificate_content, certificate_path)
    view = reader.view_certificate(leaf, certificate_path)
    key = keys.load_private_key(key_content, what=key_path)
    if keys.public_key_fingerprint(key.public_key()) != view.public_key_fingerprint:
        raise _unusable(group, f"the key in {key_path} is not that of the certificate in {certificate_path}")
    if not renewal.has_profile(view, "client"):
        found = ", ".join(view.extended_key_usages) or "none"
        raise _unusable(group, f"{certificate_path} is not a client certificate: its extended key usage is {found}")
    if not view.not_before <= now < view.not_after:
        dates = f"from {isoformat(view.not_before)} until {isoformat(view.not_after)}"
        raise _unusable(group, f"the certificate in {certificate_path} is valid {dates}")
    if not verify.leads_to(leaf, chain, reader.load_certificates(anchors, f"the authorities of {group}")):
        problem = f"the certificate in {certificate_path} is issued by {view.issuer} and leads to no CA that the hosts admit for the group"
        raise _unusable(group, problem)
    return certificate_content, key_content, f"{view.subject} of {VARIABLE}"


def _text(path: str, group: str) -> str:
    data = _files.read_bytes_or_none(path)
    if data is None:
        raise _unusable(group, f"there is no {path}")
    return data.decode("ascii", "replace")


def _unusable(group: str, problem: str) -> TlsError:
    return TlsError(
        f"the client that {VARIABLE} gives for the access group {group} cannot be used: {problem}",
        hint=_HINT,
        code="verification-client-unusable",
    )


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
