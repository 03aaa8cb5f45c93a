# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock: one holder, freed by the kernel, a clear message for the others."""

from __future__ import annotations

import os
import pathlib
import signal

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import call_context
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_locked_while_held_elsewhere_waits_the_timeout_and_names_file_and_holder(tmp_path: pathlib.Path) -> None:
    path, clock = str(tmp_path / "lock"), Clock()
    with (
        call_context.locked(path, 0),
        pytest.raises(TlsError) as caught,
        call_context.locked(path, 2.5, clock=clock, sleep=clock.sleep),
    ):
        pass
    assert caught.value.code == "ca-locked"
    assert path in caught.value.message
    assert f"pid {os.getpid()}" in caught.value.message
    assert clock.now == pytest.approx(2.5)
    assert max(clock.slept) <= 0.1


def test_locked_after_release_succeeds_at_once(tmp_path: pathlib.Path) -> None:
    path, clock = str(tmp_path / "lock"), Clock()
    with call_context.locked(path, 0):
        pass
    with call_context.locked(path, 0, clock=clock, sleep=clock.sleep):
        assert clock.slept == []


def test_locked_when_the_holder_is_killed_is_free(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "lock")
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with call_context.locked(path, 0):
            os.write(tell, b"x")
            signal.pause()
        os._exit(1)
    os.read(ready, 1)
    with pytest.raises(TlsError), call_context.locked(path, 0):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with call_context.locked(path, 0):
        pass


def test_locked_when_the_file_was_removed_meanwhile_locks_the_new_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lock"
    with call_context.locked(str(path), 0):
        path.unlink()
        with call_context.locked(str(path), 0):
            assert path.exists()


def test_locked_creates_a_private_file(tmp_path: pathlib.Path) -> None:
    with call_context.locked(str(tmp_path / "lock"), 0):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"garbage", b'{"pid": 1}', b'{"pid": "x", "host": "h"}', b"[1]", b"\xff"])
def test_describe_holder_with_any_content_never_fails(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    assert call_context.describe_holder(str(tmp_path / "lock")) == ""


@pytest.mark.parametrize("make", ["directory", "link"])
def test_locked_on_something_else_than_a_file_fails(tmp_path: pathlib.Path, make: str) -> None:
    path = tmp_path / "lock"
    path.mkdir() if make == "directory" else path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TlsError) as caught, call_context.locked(str(path), 0):
        pass
    assert caught.value.code == "ca-unlockable"
