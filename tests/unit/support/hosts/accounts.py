# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users for tests that need no entry in /etc/passwd: a fake account database and homes that such a user can reach."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import tempfile
import typing as t

import pytest

#: A user that is surely not on the machine.
UID, GID = 23456, 23457
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def account(name: str, uid: int, gid: int, home: str) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, gid, "", home, "/bin/sh"))


def add_accounts(monkeypatch: pytest.MonkeyPatch, *accounts: pwd.struct_passwd) -> None:
    """Make these accounts known beside those of the machine."""
    by_name, by_uid = {each.pw_name: each for each in accounts}, {each.pw_uid: each for each in accounts}
    real_name, real_uid = pwd.getpwnam, pwd.getpwuid
    monkeypatch.setattr(pwd, "getpwnam", lambda name: by_name.get(name) or real_name(name))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: by_uid.get(uid) or real_uid(uid))


@contextlib.contextmanager
def home_of(uid: int, gid: int) -> t.Iterator[pathlib.Path]:
    """Make a home that its user can reach (pytest's own directories are closed to other users)."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="docker-tls-home-"))
    try:
        top.chmod(0o755)
        home = top / "deploy"
        home.mkdir(0o755)
        if os.geteuid() == 0:
            os.chown(home, uid, gid)
        yield home
    finally:
        shutil.rmtree(top)


def mode(path: pathlib.Path) -> int:
    return path.stat().st_mode & 0o7777
