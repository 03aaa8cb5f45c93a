# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A call of the CA: who makes it and with which passphrase, the ledger's head that it expects, and the lock.

flock(2), never a pid file: the kernel frees it when the process dies, however it dies (measured: easy-rsa's pid file
stays after kill -9 and blocks every run until it is removed by hand).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import re
import socket
import time
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import TlsError
from .._pki import keys

# For hints of what ``restart_ledger`` accepts.
ACCEPT_ONCE = "run portcullis.docker_tls.site once with -e docker_ca_restart_ledger=true"


@dataclass(frozen=True)
class CallContext:
    """The context of a run: its clock, its user for the ledger, and how it waits."""

    now: datetime
    origin: t.Mapping[str, str]
    lock_timeout: float = 60
    allow_network_filesystem: bool = False
    restart_ledger: bool = False
    rounds: int = keys.ROUNDS


def origin(operator: str = "") -> dict[str, str]:
    """Return the user and host of this process, who became that user by sudo, and the ``operator`` the controller names."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    found = {"user": user, "login": os.environ.get("SUDO_USER", ""), "host": socket.gethostname(), "operator": operator}
    return {name: value[:200] for name, value in found.items() if value}


def call_context(parameters: t.Mapping[str, t.Any], now: datetime) -> CallContext:
    """Return the context of a run, by the options ``_options.CA_OPTIONS`` and ``restart_ledger``, as far as a module has them."""
    return CallContext(
        now=now,
        origin=origin(parameters["operator"]),
        lock_timeout=parameters["lock_timeout"],
        allow_network_filesystem=parameters.get("allow_network_filesystem", False),
        restart_ledger=parameters.get("restart_ledger", False),
    )


@dataclass(frozen=True)
class Head:
    """The last line: its number (from 1; 0 for an empty ledger) and its sha256."""

    seq: int
    digest: str

    def __str__(self) -> str:
        """Return ``LINES:DIGEST``, as people note it."""
        return f"{self.seq}:{self.digest}"

    @classmethod
    def parse(cls, text: str, option: str) -> Head:
        """Return the head in a text. Raises TlsError ``head-invalid`` naming ``option``."""
        match = re.fullmatch(r"(\d{1,9}):([0-9a-f]{64})", text.strip().lower())
        if match is None:
            raise TlsError(
                f"{option} is {text!r}, which is not a head of a ledger",
                hint="Write the number of lines, a colon, and the digest of 64 hexadecimal digits, as the summary of a run prints it.",
                code="head-invalid",
            )
        return cls(int(match[1]), match[2])


_POLL_SECONDS = 0.1
_HOLDER_BYTES = 300


def describe_holder(path: str) -> str:
    """Return ``pid 12 on host ca1`` from the lock file of the last holder, "" where that is unreadable.

    Information for a message only: nothing is ever decided from it.
    """
    try:
        with open(path, "rb") as stream:
            holder = json.loads(stream.read(_HOLDER_BYTES).decode("ascii"))
        return f"pid {int(holder['pid'])} on host {str(holder['host'])[:100]}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _is_still(path: str, descriptor: int) -> bool:
    """Return whether ``path`` still names the file that ``descriptor`` has open (it was not removed meanwhile)."""
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def _try_lock(path: str) -> int | None:
    """Return a descriptor that holds the lock, None while another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    if _is_still(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _acquire(path: str, timeout: float, clock: t.Callable[[], float], sleep: t.Callable[[float], None]) -> int:
    deadline = clock() + timeout
    while True:
        try:
            descriptor = _try_lock(path)
        except OSError as error:
            raise TlsError(
                f"cannot lock {path}: {error.strerror}",
                hint="Check the owner and mode of the CA directory and that its file system is writable.",
                code="ca-unlockable",
            ) from error
        if descriptor is not None:
            return descriptor
        remaining = deadline - clock()
        if remaining <= 0:
            holder = describe_holder(path)
            raise TlsError(
                f"the CA is busy: the lock {path} was held by another run{f' ({holder})' if holder else ''} "
                f"for all of the {timeout:g} seconds waited",
                hint="Wait for that run to end, or raise lock_timeout. The lock is free as soon as its process has "
                "ended: never delete the file.",
                code="ca-locked",
            )
        sleep(min(_POLL_SECONDS, remaining))


@contextlib.contextmanager
def locked(
    path: str,
    timeout: float,
    *,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> t.Iterator[None]:
    """Hold the exclusive lock of the file ``path`` while the block runs, after waiting ``timeout`` seconds at most.

    Raises TlsError ``ca-locked`` (names the file, and the holder as far as known) or ``ca-unlockable``.
    """
    descriptor = _acquire(path, timeout, clock, sleep)
    try:
        with contextlib.suppress(OSError):  # a full disk must not hide the real work's own error
            holder = json.dumps({"pid": os.getpid(), "host": socket.gethostname()[:100]}) + "\n"
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder.encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
