# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The set of certificates: at every moment, also in a crash, all of it is old or all of it is new."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import certificate_store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.certificate_store import (
    CA,
    CERTIFICATE,
    CLIENT_CA,
    KEY,
    NAMES,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

OLD = {CA: b"ca 1", CLIENT_CA: b"clients 1", CERTIFICATE: b"certificate 1", KEY: b"key 1"}
NEW = {CA: b"ca 2", CLIENT_CA: b"clients 2", CERTIFICATE: b"certificate 2", KEY: b"key 2"}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of files are written here; whether they are flushed is asked where it matters."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def install(directory: Path, files: dict[str, bytes]) -> str:
    revision = certificate_store.prepare(str(directory), files)
    certificate_store.activate(str(directory), revision)
    return revision


def dockerd_reads(directory: Path) -> dict[str, bytes]:
    """Return what a program gets that opens the files by their names."""
    found = {}
    for name in NAMES:
        with contextlib.suppress(FileNotFoundError):
            found[name] = (directory / name).read_bytes()
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def make_plain(directory: Path, files: dict[str, bytes] | None = None) -> Path:
    """Make a directory as another tool would: plain files, one of them a link elsewhere."""
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    files = OLD if files is None else files
    for name, data in files.items():
        (directory / name).write_bytes(data)
        (directory / name).chmod(0o640)
    elsewhere = directory.parent / "elsewhere.pem"
    elsewhere.write_bytes(files[CA])
    (directory / CA).unlink()
    (directory / CA).symlink_to("../elsewhere.pem")
    return directory


def snapshot(directory: Path) -> dict[str, t.Any]:
    """Return everything in the directory: content or target, and mode."""
    found: dict[str, t.Any] = {".": mode(directory)}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = (mode(path), path.read_bytes() if path.is_file() else None)
    return found


def test_prepare_and_activate_first_set_has_modes_and_links(tmp_path: Path) -> None:
    directory = tmp_path / "docker" / "certs"
    revision = certificate_store.prepare(str(directory), OLD)
    assert revision == "revision-1"
    assert dockerd_reads(directory) == {}
    assert certificate_store.read_set(str(directory)).layout == "empty"
    certificate_store.activate(str(directory), revision)
    assert dockerd_reads(directory) == OLD
    found = certificate_store.read_set(str(directory))
    assert (found.layout, found.revision, found.directory_mode) == ("revisions", "revision-1", 0o700)
    assert found.files() == OLD
    assert (mode(directory), mode(directory / revision)) == (0o700, 0o700)
    assert mode(directory / KEY) == 0o400
    assert {mode(directory / name) for name in NAMES if name != KEY} == {0o444}
    assert os.readlink(directory / KEY) == "current/server-key.pem"
    assert os.readlink(directory / "current") == "revision-1"


def test_prepare_of_some_files_keeps_the_others(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    assert install(tmp_path, {CLIENT_CA: b"clients 2"}) == "revision-2"
    assert dockerd_reads(tmp_path) == {**OLD, CLIENT_CA: b"clients 2"}
    assert certificate_store.previous(str(tmp_path)) == "revision-1"
    assert certificate_store.read_revision(str(tmp_path), "revision-1") == OLD


def test_prepare_without_a_change_is_the_current_revision(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    before = snapshot(tmp_path)
    assert certificate_store.prepare(str(tmp_path), {KEY: b"key 1"}) == "revision-1"
    certificate_store.activate(str(tmp_path), "revision-1")
    assert snapshot(tmp_path) == before


def test_activate_goes_back_and_forth(tmp_path: Path) -> None:
    first = install(tmp_path, {CA: b"ca 1", CERTIFICATE: b"c 1", KEY: b"k 1"})
    second = install(tmp_path, NEW)
    certificate_store.activate(str(tmp_path), first)
    assert dockerd_reads(tmp_path) == {CA: b"ca 1", CERTIFICATE: b"c 1", KEY: b"k 1"}
    assert not (tmp_path / CLIENT_CA).is_symlink()
    assert certificate_store.previous(str(tmp_path)) is None
    certificate_store.activate(str(tmp_path), second)
    assert dockerd_reads(tmp_path) == NEW
    assert certificate_store.previous(str(tmp_path)) == first


def test_activate_unknown_revision_is_an_error(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    for name in ("revision-9", "..", "current"):
        with pytest.raises(TlsError) as caught:
            certificate_store.activate(str(tmp_path), name)
        assert caught.value.code == "certificate-store-unusable"
    assert dockerd_reads(tmp_path) == OLD


def test_prepare_unknown_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"\.\./x"):
        certificate_store.prepare(str(tmp_path), {"../x": b""})


def test_prune_keeps_current_previous_adopted_and_named(tmp_path: Path) -> None:
    make_plain(tmp_path / "certs")
    directory = tmp_path / "certs"
    for number in range(5):
        install(directory, {KEY: b"key %d" % number})
    (directory / ".staging-0123456789ab").mkdir()
    (directory / ".current.0123456789ab").symlink_to("revision-9")
    (directory / "server-key.pem.new").write_bytes(b"pending")
    (directory / "other").write_bytes(b"not ours")
    assert certificate_store.prune(str(directory), ["revision-3"]) == ("revision-2", "revision-4")
    kept = {path.name for path in directory.iterdir()}
    assert kept == {
        *NAMES,
        "current",
        "revision-1",
        "revision-3",
        "revision-5",
        "revision-6",
        "server-key.pem.new",
        "other",
    }
    assert certificate_store.adopted_revision(str(directory)) == "revision-1"
    assert dockerd_reads(directory)[KEY] == b"key 4"


def test_read_set_of_nothing_is_missing(tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    assert certificate_store.read_set(none).layout == "missing"
    assert certificate_store.read_set(none).files() == {}
    assert certificate_store.previous(none) is None
    assert certificate_store.adopted_revision(none) is None
    assert certificate_store.prune(none) == ()
    certificate_store.release(none, None)
    assert certificate_store.previous(str(tmp_path)) is None
    assert certificate_store.pending_key(none) is None
    certificate_store.discard_pending_key(none)


def test_pending_key_is_beside_the_set(tmp_path: Path) -> None:
    (tmp_path / "server-key.pem.new").write_bytes(b"pending")
    install(tmp_path, OLD)
    assert certificate_store.pending_key(str(tmp_path)) == b"pending"
    certificate_store.discard_pending_key(str(tmp_path))
    assert certificate_store.pending_key(str(tmp_path)) is None


def test_prepare_files_of_another_tool_are_adopted_unchanged(tmp_path: Path) -> None:
    directory = make_plain(tmp_path / "certs")
    assert certificate_store.read_set(str(directory)).layout == "plain"
    revision = certificate_store.prepare(str(directory), NEW)
    assert revision == "revision-2"
    assert dockerd_reads(directory) == OLD
    assert mode(directory / "revision-1" / KEY) == 0o640
    certificate_store.activate(str(directory), revision)
    assert dockerd_reads(directory) == NEW
    assert certificate_store.previous(str(directory)) == "revision-1"


def test_release_of_the_adopted_revision_restores_files_links_and_modes(tmp_path: Path) -> None:
    directory = make_plain(tmp_path / "certs")
    before = snapshot(directory)
    install(directory, NEW)
    install(directory, {KEY: b"key 3"})
    certificate_store.release(str(directory), certificate_store.adopted_revision(str(directory)))
    assert snapshot(directory) == before


def test_release_without_an_earlier_set_removes_everything(tmp_path: Path) -> None:
    directory = tmp_path / "certs"
    install(directory, OLD)
    install(directory, NEW)
    certificate_store.release(str(directory), None)
    assert not directory.exists()


def test_release_keeps_what_is_not_ours(tmp_path: Path) -> None:
    directory = tmp_path / "certs"
    install(directory, OLD)
    (directory / "notes.txt").write_bytes(b"mine")
    (directory / "server-key.pem.new").write_bytes(b"pending")
    (directory / CA).unlink()
    (directory / CA).write_bytes(b"somebody's")
    certificate_store.release(str(directory), None)
    assert {path.name for path in directory.iterdir()} == {"notes.txt", "server-key.pem.new", CA}


def test_prepare_file_put_in_the_place_of_a_link_is_taken_over(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    (tmp_path / CA).unlink()
    (tmp_path / CA).write_bytes(b"by hand")
    assert certificate_store.read_set(str(tmp_path)).layout == "mixed"
    revision = certificate_store.prepare(str(tmp_path), {KEY: b"key 2"})
    assert dockerd_reads(tmp_path) == {**OLD, CA: b"by hand"}
    assert certificate_store.read_set(str(tmp_path)).layout == "revisions"
    certificate_store.activate(str(tmp_path), revision)
    assert dockerd_reads(tmp_path) == {**OLD, CA: b"by hand", KEY: b"key 2"}
    assert certificate_store.adopted_revision(str(tmp_path)) is None


def test_activate_file_put_in_the_place_of_a_link_gives_way(tmp_path: Path) -> None:
    revision = install(tmp_path, OLD)
    (tmp_path / CA).unlink()
    (tmp_path / CA).write_bytes(b"by hand")
    certificate_store.activate(str(tmp_path), revision)
    assert dockerd_reads(tmp_path) == OLD


@pytest.mark.parametrize("kind", ["directory", "link elsewhere", "file"])
def test_current_of_someone_else_is_an_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "current"
    if kind == "directory":
        path.mkdir()
    elif kind == "file":
        path.write_bytes(b"")
    else:
        path.symlink_to("/etc")
    with pytest.raises(TlsError, match="not ours") as caught:
        certificate_store.prepare(str(tmp_path), OLD)
    assert caught.value.code == "certificate-store-unusable"
    with pytest.raises(TlsError):
        certificate_store.read_set(str(tmp_path))


def test_directory_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "certs").symlink_to("real")
    install(tmp_path / "certs", OLD)
    assert dockerd_reads(tmp_path / "real") == OLD
    assert (tmp_path / "certs").is_symlink()


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_directory_that_cannot_be_one_is_an_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "certs"
    if kind == "file":
        path.write_bytes(b"")
    else:
        path.symlink_to("nowhere/at/all")
    with pytest.raises(TlsError, match="certs"):
        certificate_store.prepare(str(path), OLD)


def test_disk_full_while_preparing_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, OLD)
    before = snapshot(tmp_path)
    original = os.fsync
    calls = iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TlsError, match="No space left on device"):
        certificate_store.prepare(str(tmp_path), NEW)
    monkeypatch.undo()
    assert snapshot(tmp_path) == before


def test_everything_is_flushed_before_the_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    rename = os.rename
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: seen.append(f"flush {os.readlink(f'/proc/self/fd/{descriptor}')}")
    )
    monkeypatch.setattr(
        os, "rename", lambda source, target: (seen.append(f"rename {target}"), rename(source, target))[1]
    )
    install(tmp_path, OLD)
    ready, live = seen.index(f"rename {tmp_path}/revision-1"), seen.index(f"rename {tmp_path}/current")
    assert ready < live
    for name in NAMES:
        assert any(re.fullmatch(rf"flush .*/\.staging-\w+/\.{re.escape(name)}\.\w+", item) for item in seen[:ready])
    assert f"flush {tmp_path}" in seen[ready:live]
    assert f"flush {tmp_path}" in seen[live:]


def test_rename_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_arguments: t.Any) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", "x")

    monkeypatch.setattr(certificate_store.os, "mkdir", busy)
    with pytest.raises(TlsError, match=r"busy \(x\)") as caught:
        certificate_store.prepare(str(tmp_path), NEW)
    assert caught.value.code == "certificate-store-unusable"
