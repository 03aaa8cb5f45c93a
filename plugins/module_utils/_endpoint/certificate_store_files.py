# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single files and directories of the store of certificates (``certificate_store.py``): their modes, and their removal."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import typing as t

from .._files import file_status

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
