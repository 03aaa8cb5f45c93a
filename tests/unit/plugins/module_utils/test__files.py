# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files are the old or the new ones, private from the first byte, and errors name the path."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError


def mode(path: pathlib.Path) -> int:
    return path.stat().st_mode & 0o7777


def test_read_bytes_or_none_file_missing_and_unreadable(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    assert _files.read_bytes_or_none(str(path)) is None
    path.write_bytes(b"data")
    assert _files.read_bytes_or_none(str(path)) == b"data"
    with pytest.raises(TlsError) as caught:
        _files.read_bytes_or_none(str(tmp_path))
    assert caught.value.code == "file-unreadable"
    assert str(tmp_path) in caught.value.message


@pytest.mark.parametrize("wanted", [0o400, 0o444, 0o600, 0o644])
def test_write_atomic_new_and_replaced_file_has_data_and_mode(tmp_path: pathlib.Path, wanted: int) -> None:
    path = tmp_path / "file"
    for data in (b"first", b"second"):
        _files.write_atomic(str(path), data, wanted)
        assert path.read_bytes() == data
        assert mode(path) == wanted
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_write_atomic_file_is_private_until_it_is_complete(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = os.fchmod

    def spy(descriptor: int, wanted: int) -> None:
        seen.append(os.fstat(descriptor).st_mode & 0o7777)
        real(descriptor, wanted)

    monkeypatch.setattr(os, "fchmod", spy)
    _files.write_atomic(str(tmp_path / "file"), b"data", 0o644)
    assert seen == [0o600]


@pytest.mark.parametrize("step", ["fchmod", "fsync", "rename"])
def test_write_atomic_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(TlsError) as caught:
        _files.write_atomic(str(path), b"new", 0o600)
    assert caught.value.code == "file-unwritable"
    assert "No space left on device" in caught.value.message
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_write_atomic_link_is_replaced_and_not_followed(tmp_path: pathlib.Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"precious")
    link.symlink_to(target)
    _files.write_atomic(str(link), b"data", 0o600)
    assert target.read_bytes() == b"precious"
    assert not link.is_symlink()
    assert link.read_bytes() == b"data"


def test_write_atomic_missing_directory_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TlsError) as caught:
        _files.write_atomic(str(tmp_path / "none" / "file"), b"data", 0o600)
    assert caught.value.code == "file-unwritable"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_write_atomic_owner_is_set(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    _files.write_atomic(str(path), b"data", 0o600, uid=65534, gid=65533)
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)
    _files.write_atomic(str(path), b"data", 0o600, gid=65534)
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 65534)


def test_symlink_atomic_new_and_replaced_link_points_there(tmp_path: pathlib.Path) -> None:
    link = tmp_path / "current"
    for target in ("revision-1", "revision-2"):
        _files.symlink_atomic(target, str(link))
        assert os.readlink(link) == target
    assert [entry.name for entry in tmp_path.iterdir()] == ["current"]


def test_symlink_atomic_directory_in_the_way_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "current" / "inside").mkdir(parents=True)
    with pytest.raises(TlsError) as caught:
        _files.symlink_atomic("revision-1", str(tmp_path / "current"))
    assert caught.value.code == "file-unwritable"
    assert [entry.name for entry in tmp_path.iterdir()] == ["current"]


def test_ensure_directory_is_made_then_put_right_then_left_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a" / "b"
    assert _files.ensure_directory(str(path), 0o700)
    assert (mode(path), mode(path.parent)) == (0o700, 0o755)
    assert not _files.ensure_directory(str(path), 0o700)
    path.chmod(0o755)
    assert _files.ensure_directory(str(path), 0o700)
    assert mode(path) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_ensure_directory_owner_is_set(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a"
    assert _files.ensure_directory(str(path), 0o700, uid=65534, gid=65533)
    assert not _files.ensure_directory(str(path), 0o700, uid=65534, gid=65533)
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


def test_ensure_directory_file_in_the_way_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(TlsError) as caught:
        _files.ensure_directory(str(tmp_path / "a"), 0o700)
    assert caught.value.code == "directory-unusable"
    assert str(tmp_path / "a") in caught.value.message


def test_file_status_of_nothing_is_none(tmp_path: pathlib.Path) -> None:
    assert _files.file_status(str(tmp_path / "none")) is None
    assert _files.file_status(str(tmp_path)).st_ino == tmp_path.stat().st_ino
