# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session's directory: closed to others, in memory, and gone when it should be."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
import sys

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._client_files import session

CONTENTS = {"ca.pem": "ca", "cert.pem": "cert", "key.pem": "key"}


def test_create_closes_the_files_to_others(tmp_path: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        directory = pathlib.Path(session.create(str(tmp_path), CONTENTS))
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name: (path.read_text(), stat.S_IMODE(path.stat().st_mode)) for path in directory.iterdir()} == {
        name: (text, 0o600) for name, text in CONTENTS.items()
    }


def test_create_that_fails_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def full(path: str, *arguments: int, **options: int) -> int:
        if str(path).endswith("key.pem"):
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(TlsError) as caught:
        session.create(str(tmp_path), CONTENTS)
    assert caught.value.code == "file-unwritable"
    assert list(tmp_path.iterdir()) == []


def test_remove_removes_once(tmp_path: pathlib.Path) -> None:
    directory = session.create(str(tmp_path), CONTENTS)
    assert session.remove(directory, predict=True)
    assert os.path.isdir(directory)
    assert session.remove(directory)
    assert list(tmp_path.iterdir()) == []
    assert not session.remove(directory)
    assert not session.remove("")


@pytest.mark.parametrize("kind", ["other-name", "link", "file"])
def test_remove_touches_nothing_else(tmp_path: pathlib.Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "key.pem").write_text("x")
    target = victim
    if kind == "link":
        target = tmp_path / f"{session.PREFIX}x"
        target.symlink_to(victim)
    elif kind == "file":
        target = tmp_path / f"{session.PREFIX}x"
        target.write_text("x")
    with pytest.raises(TlsError) as caught:
        session.remove(str(target))
    assert caught.value.code == "session-invalid"
    assert (victim / "key.pem").exists()


def test_remove_with_a_strange_file_takes_the_key_first(tmp_path: pathlib.Path) -> None:
    directory = pathlib.Path(session.create(str(tmp_path), CONTENTS))
    (directory / "mine").write_text("x")
    with pytest.raises(TlsError) as caught:
        session.remove(str(directory))
    assert caught.value.code == "file-unwritable"
    assert [path.name for path in directory.iterdir()] == ["mine"]


def test_watcher_removes_the_session_when_the_process_ends(tmp_path: pathlib.Path) -> None:
    directory = session.create(str(tmp_path), CONTENTS)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        watcher = session.watch(directory, process.pid, 3600)
        assert os.path.exists(os.path.join(directory, "key.pem"))
        process.communicate()
    watcher.wait()
    assert not os.path.exists(directory)


def test_watcher_of_a_process_that_has_gone_removes_at_once(tmp_path: pathlib.Path) -> None:
    directory = session.create(str(tmp_path), CONTENTS)
    process = subprocess.Popen(["true"])
    process.wait()
    session.watch(directory, process.pid, 3600).wait()
    assert not os.path.exists(directory)


def test_watcher_removes_the_session_when_the_certificate_ends(tmp_path: pathlib.Path) -> None:
    directory = session.create(str(tmp_path), CONTENTS)
    session.watch(directory, os.getpid(), 0).wait()
    assert not os.path.exists(directory)


def test_watcher_ends_with_the_session(tmp_path: pathlib.Path) -> None:
    directory = session.create(str(tmp_path), CONTENTS)
    watcher = session.watch(directory, os.getpid(), 3600)
    session.remove(directory)
    assert watcher.wait() == 0


def test_watcher_works_where_the_kernel_knows_no_pidfd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = session.create(str(tmp_path), CONTENTS)
    monkeypatch.setattr(session, "_WATCHER", session._WATCHER.replace("pidfd_open", "no_pidfd_open"))
    process = subprocess.Popen(["true"])
    process.wait()
    session.watch(directory, process.pid, 3600).wait()
    assert not os.path.exists(directory)


def test_watcher_that_cannot_start_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = session.create(str(tmp_path), CONTENTS)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with pytest.raises(TlsError) as caught:
        session.watch(directory, os.getpid(), 3600)
    assert caught.value.code == "watcher-missing"
    assert not os.path.exists(directory)


def test_location_is_the_users_runtime_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert session.choose_location()[0] == str(tmp_path)


def test_location_that_is_asked_for_is_taken(tmp_path: pathlib.Path) -> None:
    assert session.choose_location(str(tmp_path))[0] == str(tmp_path)


@pytest.mark.parametrize("runtime", ["", "/nonexistent"])
def test_location_without_a_runtime_directory_is_another(monkeypatch: pytest.MonkeyPatch, runtime: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    assert os.path.isdir(session.choose_location()[0])


def test_location_that_is_missing_is_named() -> None:
    with pytest.raises(TlsError) as caught:
        session.choose_location("/nonexistent")
    assert caught.value.code == "directory-unusable"
    assert "/nonexistent" in caught.value.message


@pytest.mark.parametrize(
    ("path", "expected"), [("/dev/shm/x", True), ("/devil", False), ("/run/a", True), ("/", False)]
)
def test_in_memory_is_what_the_mounts_say(tmp_path: pathlib.Path, path: str, expected: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\ntmpfs /dev tmpfs rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\ntmpfs /run tmpfs rw 0 0\n"
    )
    assert session.is_in_memory(path, str(mounts)) is expected


def test_in_memory_without_mounts_is_not_claimed() -> None:
    assert not session.is_in_memory("/dev/shm", "/nonexistent")


def test_location_that_every_user_can_write_is_refused(tmp_path: pathlib.Path) -> None:
    """Others could rename the session's directory and put their own certificates, and authority, in its place."""
    place = tmp_path / "open" / "inside"
    place.mkdir(parents=True)
    place.parent.chmod(0o777)
    with pytest.raises(TlsError) as caught:
        session.choose_location(str(place))
    assert caught.value.code == "directory-unsafe"
    assert f"{place.parent} can be written by every user" in caught.value.message
    assert f"chmod o-w {place.parent}" in caught.value.hint
    assert list(place.iterdir()) == []
    place.parent.chmod(0o1777)
    assert session.choose_location(str(place))[0] == str(place)


def test_unsafe_places_of_the_system_are_passed_over(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, temporary = tmp_path / "run", tmp_path / "tmp"
    for each in (runtime, temporary):
        each.mkdir()
    runtime.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(session.tempfile, "gettempdir", lambda: str(temporary))
    chosen = session.choose_location()[0]
    assert chosen in ("/dev/shm", str(temporary))
