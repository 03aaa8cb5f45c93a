# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that is really full: a small tmpfs that is filled up to its last pages, for every module that writes a CA directory."""

from __future__ import annotations

import collections.abc
import os
import pathlib
import shutil
import subprocess

import pytest

from support.ca import operations
from support.ca.operations import Operation

BOTH = (operations.PASSPHRASE_TEXT, operations.NEW_PASSPHRASE)
PAGE = 4096


def _mount(path: pathlib.Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", str(path)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(name="disk", scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Generator[pathlib.Path, None, None]:
    path = tmp_path_factory.mktemp("disk")
    if not _mount(path):
        pytest.skip("only root may mount a tmpfs, which is the disk that gets full")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def fill(disk: pathlib.Path, pages_left: int) -> pathlib.Path:
    """Fill the disk but for so many pages; return the file that has to go to free it."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize // PAGE
    filler.write_bytes(b"\0" * PAGE * (free - pages_left))
    return filler


@pytest.mark.parametrize("operation", operations.OPERATIONS, ids=lambda one: one.name)
def test_full_disk_is_named_and_nothing_is_lost(
    operation: Operation, model: pathlib.Path, disk: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    ready = pathlib.Path(shutil.copytree(model, tmp_path / "ready"))
    operation.prepare(ready)
    refused = 0
    for pages in range(60):
        place = pathlib.Path(shutil.copytree(ready, disk / "place"))
        filler = fill(disk, pages)
        result = operations.run(operation, place)
        if result["failed"]:
            refused += 1
            assert "No space left on device" in result["msg"], (pages, result)
            assert str(place) in result["msg"], (pages, result)
            assert "space" in result["hint"] or "room" in result["hint"], (pages, result)
        if operations.ca_of(place).exists():
            operations.check_sound(place, BOTH)
        failed = result["failed"]
        filler.unlink()
        result = operations.run(operation, place)
        assert not result["failed"], (pages, result)
        assert operations.check_sound(place, BOTH) == operation.passphrase_after
        assert operations.leftovers(place) == [], pages
        shutil.rmtree(place)
        if not failed:
            break
    else:
        pytest.fail("it never found room")
    assert refused >= 1, "it needs no room at all"
