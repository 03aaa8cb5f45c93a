# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The set of certificates when the process is killed at any of its system calls: all of it is old, or all of it is new."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import pytest
from test_certificate_store import NEW, OLD, dockerd_reads, install, make_plain, mode

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import certificate_store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.certificate_store import CA, KEY


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of files are written here; whether they are flushed is asked in test_certstore."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


class Killed(BaseException):
    """The process was killed: nothing of it runs any more, no clean-up either."""


CALLS = (
    "open",
    "mkdir",
    "rename",
    "symlink",
    "unlink",
    "rmdir",
    "fsync",
    "fchmod",
    "fchown",
    "chmod",
    "chown",
    "close",
)


@contextlib.contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[list[int]]:
    """Let the process die just before its system call number ``step``; all later calls die too."""
    count = [0]

    def dying(original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*arguments: t.Any, **options: t.Any) -> t.Any:
            count[0] += 1
            if count[0] >= step:
                raise Killed
            return original(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, dying(getattr(os, name)))
        yield count


def in_every_crash(
    monkeypatch: pytest.MonkeyPatch,
    start: t.Callable[[int], Path],
    act: t.Callable[[Path], object],
    check: t.Callable[[Path], None],
) -> int:
    """Run ``act`` in a fresh directory again and again, dying one step later each time; ``check`` what is left each time."""
    for step in range(1, 400):
        directory = start(step)
        with killed_at(step, monkeypatch) as count:
            try:
                act(directory)
            except Killed:
                died = True
            else:
                died = False
        check(directory)
        if not died:
            assert count[0] < step
            return step
    raise AssertionError("it never ends")


def old_or_new(directory: Path) -> None:
    """All that reads by name, and all that reads through us, sees one whole set; and the next run gets through."""
    assert dockerd_reads(directory) in ({}, OLD, NEW)
    assert certificate_store.read_set(str(directory)).files() == dockerd_reads(directory)


def replace(directory: Path) -> None:
    certificate_store.activate(str(directory), certificate_store.prepare(str(directory), NEW))
    certificate_store.prune(str(directory))


def finish(directory: Path) -> None:
    """Do what the next run does."""
    replace(directory)
    assert dockerd_reads(directory) == NEW
    assert not [path.name for path in directory.iterdir() if path.name.startswith(".")]


def test_killed_at_any_step_of_a_change_the_set_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(step: int) -> Path:
        directory = tmp_path / str(step)
        install(directory, OLD)
        return directory

    def check(directory: Path) -> None:
        assert dockerd_reads(directory) in (OLD, NEW)
        old_or_new(directory)
        finish(directory)

    assert in_every_crash(monkeypatch, start, replace, check) > 40


def test_killed_at_any_step_of_the_first_set_it_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(step: int) -> Path:
        return tmp_path / str(step)

    def check(directory: Path) -> None:
        if directory.exists():
            assert dockerd_reads(directory) in ({}, NEW)
            old_or_new(directory)
        finish(directory)

    assert in_every_crash(monkeypatch, start, replace, check) > 30


def test_killed_at_any_step_of_an_adoption_the_set_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(step: int) -> Path:
        return make_plain(tmp_path / str(step) / "certs")

    def check(directory: Path) -> None:
        assert dockerd_reads(directory) in (OLD, NEW)
        old_or_new(directory)
        finish(directory)
        adopted = certificate_store.adopted_revision(str(directory))
        assert adopted is not None
        certificate_store.release(str(directory), adopted)
        assert dockerd_reads(directory) == OLD
        assert (directory / CA).readlink() == Path("../elsewhere.pem")
        assert mode(directory) == 0o755
        assert mode(directory / KEY) == 0o640

    assert in_every_crash(monkeypatch, start, replace, check) > 60


def test_killed_at_any_step_of_a_release_it_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(step: int) -> Path:
        directory = make_plain(tmp_path / str(step) / "certs")
        replace(directory)
        return directory

    def release(directory: Path) -> None:
        certificate_store.release(str(directory), certificate_store.adopted_revision(str(directory)))

    def check(directory: Path) -> None:
        assert dockerd_reads(directory) in (OLD, NEW)
        if certificate_store.adopted_revision(str(directory)) is not None:
            release(directory)
        assert dockerd_reads(directory) == OLD

    assert in_every_crash(monkeypatch, start, release, check) > 40


def test_killed_at_any_step_of_a_removal_the_set_is_whole_or_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(step: int) -> Path:
        directory = tmp_path / str(step)
        install(directory, OLD)
        return directory

    def release(directory: Path) -> None:
        certificate_store.release(str(directory), None)

    def check(directory: Path) -> None:
        assert dockerd_reads(directory) in ({}, OLD)
        release(directory)
        assert not directory.exists()

    assert in_every_crash(monkeypatch, start, release, check) > 10
