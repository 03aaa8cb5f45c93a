# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The identity of a machine: the same for two calls, another one for a clone, a container beside it, and after a boot."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._host.request_names import machine_identity


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> dict[str, str]:
    """A machine as ``machine_identity`` reads it."""
    (tmp_path / "boot_id").write_text("8c0e4b1c-2d2e-4f66-9d7c-0a1f3c1d9b11\n")
    (tmp_path / "auxv").write_bytes(bytes(range(200)))
    (tmp_path / "root").mkdir()
    return {
        "boot_id": str(tmp_path / "boot_id"),
        "auxiliary_vector": str(tmp_path / "auxv"),
        "root": str(tmp_path / "root"),
    }


def test_machine_identity_is_the_same_for_each_look_at_this_machine() -> None:
    assert machine_identity() == machine_identity()
    assert len(machine_identity()) == 64


def other_root(path: pathlib.Path) -> None:
    path.rename(path.with_name("gone"))
    path.mkdir()


CHANGES: dict[str, tuple[str, t.Callable[[pathlib.Path], object]]] = {
    "boot-or-clone": ("boot_id", lambda path: path.write_text("5f2f8a3e-0f6d-4f0e-8a39-1c1e0a5a7c22\n")),
    "container-beside-it": ("root", other_root),
    "another-process-1": ("auxiliary_vector", lambda path: path.write_bytes(bytes(200))),
}


@pytest.mark.parametrize(("part", "change"), CHANGES.values(), ids=CHANGES)
def test_machine_identity_of_another_machine_differs(
    machine: dict[str, str], part: str, change: t.Callable[[pathlib.Path], object]
) -> None:
    before = machine_identity(**machine)
    change(pathlib.Path(machine[part]))
    assert machine_identity(**machine) not in (before, "")


def test_machine_identity_without_the_right_to_read_process_1_is_one_all_the_same(machine: dict[str, str]) -> None:
    pathlib.Path(machine["auxiliary_vector"]).unlink()
    assert len(machine_identity(**machine)) == 64


def test_machine_identity_is_empty_where_it_cannot_be_told(machine: dict[str, str]) -> None:
    pathlib.Path(machine["boot_id"]).unlink()
    assert machine_identity(**machine) == ""
