# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""kill -9 at every step towards the disk, of every module that writes a CA directory: a second run completes what was meant."""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import signal

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout, ledger, stages, store
from support.ca import operations
from support.ca.operations import Operation

BOTH = (operations.PASSPHRASE_TEXT, operations.NEW_PASSPHRASE)


def what_is_there(place: pathlib.Path) -> tuple[dict[str, str], set[str]]:
    """Return the generations with their stages, and who has a certificate by the ledger."""
    ca = layout.ca_directory(str(operations.ca_of(place)))
    living = stages.settled(store.read_authorities(ca), ledger.scan(ca))
    known = {one.id: store.stage_of(one, each) for each in living.values() for one in each}
    return known, {entry["request"] for entry in ledger.entries(ca) if entry["event"] == "issued"}


@pytest.mark.parametrize("operation", operations.OPERATIONS, ids=lambda one: one.name)
def test_killed_at_every_step_is_completed_by_the_next_run(
    operation: Operation, model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    ready = pathlib.Path(shutil.copytree(model, tmp_path / "ready"))
    operation.prepare(ready)
    clean = pathlib.Path(shutil.copytree(ready, tmp_path / "clean"))
    assert not operations.run(operation, clean)["failed"]
    killed = 0
    for step in range(400):
        place = pathlib.Path(shutil.copytree(ready, tmp_path / "place"))

        def work(place: pathlib.Path = place, step: int = step) -> None:
            operations.die_at(step)
            operations.run(operation, place)

        status = operations.ended(operations.in_child(work))
        if operations.ca_of(place).exists():
            operations.check_sound(place, BOTH)
        result = operations.run(operation, place)
        assert not result["failed"], (step, result)
        assert operations.check_sound(place, BOTH) == operation.passphrase_after
        assert what_is_there(place) == what_is_there(clean)
        assert operations.leftovers(place) == [], step
        shutil.rmtree(place)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        killed += 1
    assert killed > 8


def test_archive_made_after_a_killed_run_can_be_restored(model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """What a killed run has left half made must not come into the archive: the restore takes only names that we write."""
    for step in range(100):
        place = pathlib.Path(shutil.copytree(model, tmp_path / "place"))

        def work(place: pathlib.Path = place, step: int = step) -> None:
            operations.die_at(step)
            operations.run(operations.BY_NAME["sign"], place)

        status = operations.ended(operations.in_child(work))
        assert not operations.run(operations.BY_NAME["backup"], place)["failed"]
        shutil.rmtree(operations.ca_of(place))
        restored = operations.run(operations.BY_NAME["restore"], place)
        assert not restored["failed"], (step, restored)
        operations.check_sound(place)
        shutil.rmtree(place)
        if status == 0:
            break


STRANGE = {"blank": "notes of mine.txt", "hidden": ".ledger.head.0123456789ab", "accent": "clé.txt"}


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
def test_archive_of_a_directory_with_a_strange_file_can_be_restored(
    model: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    place = pathlib.Path(shutil.copytree(model, tmp_path / "place"))
    (operations.ca_of(place) / name).write_text("mine")
    made = operations.run(operations.BY_NAME["backup"], place)
    assert not made["failed"]
    assert [f"{name!r}" in warning for warning in made["warnings"]] == ([] if name.startswith(".") else [True])
    shutil.rmtree(operations.ca_of(place))
    assert not operations.run(operations.BY_NAME["restore"], place)["failed"]


def test_restore_leaves_what_another_restore_is_unpacking(model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    place = pathlib.Path(shutil.copytree(model, tmp_path / "place"))
    operations.run(operations.BY_NAME["backup"], place)
    shutil.rmtree(operations.ca_of(place))
    names = [".docker-ca-restore-0123456789ab", ".docker-ca-restore-ba9876543210", ".docker-ca-restore-mine"]
    for name in names:
        (place / name / "authorities").mkdir(parents=True)
    descriptor = os.open(place / names[0], os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert not operations.run(operations.BY_NAME["restore"], place)["failed"]
    finally:
        os.close(descriptor)
    # One is being worked on, one was left by a killed run, and one has another kind of name.
    assert [(place / name).exists() for name in names] == [True, False, True]
