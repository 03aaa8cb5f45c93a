# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two operators at once on one CA host: real processes that begin at the same moment, and one that finds the other at work."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import call_context, layout, ledger, store
from support.ca import operations
from support.ca.ca_directory import tree
from support.ca.operations import BY_NAME, Operation

BOTH = (operations.PASSPHRASE_TEXT, operations.NEW_PASSPHRASE)
ROUNDS = 3


def at_once(place: pathlib.Path, *pair: tuple[Operation, dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Run each operation in a process of its own, all let go at the same moment, and return their results."""
    gate, let_go = os.pipe()
    children = []
    for number, (operation, options) in enumerate(pair):

        def work(number: int = number, operation: Operation = operation, options: dict[str, t.Any] = options) -> None:
            os.close(let_go)
            os.read(gate, 1)
            result = operations.run(operation, place, lock_timeout=60, **options)
            (place.parent / f"result{number}.json").write_text(json.dumps(result))

        children.append(operations.in_child(work))
    os.close(gate)
    os.close(let_go)
    assert [operations.ended(child) for child in children] == [0] * len(pair)
    return [json.loads((place.parent / f"result{number}.json").read_text()) for number in range(len(pair))]


PAIRS = [
    ("sign", "sign"),
    ("sign", "rotate-accept"),
    ("sign", "rotate-issue"),
    ("sign", "rotate-retire"),
    ("sign", "revoke"),
    ("sign", "new-group"),
    ("sign", "backup"),
    ("sign", "passphrase"),
    ("rotate-accept", "rotate-accept"),
    ("rotate-issue", "rotate-issue"),
    ("rotate-retire", "rotate-retire"),
    ("rotate-accept", "passphrase"),
    ("rotate-retire", "backup"),
    ("passphrase", "passphrase"),
    ("passphrase", "backup"),
    ("revoke", "revoke"),
]


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_two_at_once_follow_one_another(names: tuple[str, str], model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    pair = [(BY_NAME[name], {}) for name in names]
    for round_ in range(ROUNDS):
        directory_ = tmp_path / str(round_)
        directory_.mkdir()
        place = pathlib.Path(shutil.copytree(model, directory_ / "place"))
        for name in dict.fromkeys(names):
            BY_NAME[name].prepare(place)
        results = at_once(place, *(pair if round_ % 2 else pair[::-1]))
        codes = {result["code"] for result in results if result["failed"]}
        # A run after the change still has the old passphrase and reports that; no other error is possible.
        assert codes <= ({"passphrase-wrong"} if "passphrase" in names else set()), results
        opens_with = operations.check_sound(place, BOTH)
        assert opens_with == (operations.NEW_PASSPHRASE if "passphrase" in names else operations.PASSPHRASE_TEXT)
        assert operations.leftovers(place) == []
        if names[0] == names[1] and names[0] not in ("sign", "backup"):
            assert sorted(result["changed"] for result in results) == [False, True]
        if "backup" in names:
            shutil.rmtree(operations.ca_of(place))
            options = {"passphrase": next(each for each in BOTH)}
            restored = operations.run(BY_NAME["restore"], place, **options)
            if restored.get("code") == "passphrase-wrong":
                restored = operations.run(BY_NAME["restore"], place, passphrase=operations.NEW_PASSPHRASE)
            assert not restored["failed"], restored
            operations.check_sound(place, BOTH)


def test_two_rotations_at_once_make_one_generation(place: pathlib.Path) -> None:
    """Both operators ask for all three states; anyone who comes second in one finds it reached."""
    for name in ("rotate-accept", "rotate-issue", "rotate-retire"):
        results = at_once(place, (BY_NAME[name], {}), (BY_NAME[name], {}))
        assert [result["failed"] for result in results] == [False, False], results
        assert sorted(len(result["reasons"]) for result in results) == [0, 1]
    ca = layout.ca_directory(str(operations.ca_of(place)))
    assert [one.id for one in store.read_authorities(ca)["server"]] == ["server-g2"]
    events = [entry["event"] for entry in ledger.entries(ca) if entry.get("authority", "").startswith("server-g2")]
    assert events == ["authority-created", "authority-issuing"]


def test_server_and_client_authority_are_rotated_at_once(place: pathlib.Path) -> None:
    for name in ("rotate-accept", "rotate-issue", "rotate-retire"):
        results = at_once(place, (BY_NAME[name], {}), (BY_NAME[name], {"name": "clients"}))
        assert [result["changed"] for result in results] == [True, True]
        operations.check_sound(place)
    ca = layout.ca_directory(str(operations.ca_of(place)))
    stored = {name: [one.id for one in found] for name, found in store.read_authorities(ca).items()}
    assert stored == {"server": ["server-g2"], "clients": ["clients-g2"]}


@pytest.mark.parametrize("state", ["accepted", "issuing", "retired"])
def test_state_that_is_begun_a_second_time_is_resumed(place: pathlib.Path, state: str) -> None:
    operations.change(place, *["accepted", "issuing", "retired"][: ["accepted", "issuing", "retired"].index(state)])
    first = operations.run(BY_NAME["rotate-issue"], place, state=state)
    assert first["changed"]
    before = tree(place)
    second = operations.run(BY_NAME["rotate-issue"], place, state=state)
    assert (second["changed"], second["reasons"]) == (False, [])
    assert second["authorities"] == first["authorities"]
    assert tree(place) == before


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("done", [1, 2, 3], ids=["accepted", "issuing", "retired"])
def test_plan_that_another_run_has_overtaken_does_nothing_to_a_later_generation(
    place: pathlib.Path, done: int, check: bool
) -> None:
    """One operator's plan is of a time before the other's run, which was quicker and has begun the next rotation."""
    states = ["accepted", "issuing", "retired"]
    operations.change(place, *states[:done])
    if done == 3:
        operations.change(place, "accepted")
    before = tree(place)
    for state in states[:done]:
        stale = operations.run(BY_NAME["rotate-issue"], place, state=state, generation=2, check=check)
        assert (stale["failed"], stale["changed"]) == (False, False), stale
    assert tree(place) == before


def test_stale_retirement_keeps_what_the_next_rotation_still_needs(place: pathlib.Path) -> None:
    operations.change(place, "accepted", "issuing", "retired", "accepted", "issuing")
    assert not operations.run(BY_NAME["rotate-issue"], place, state="retired", generation=2)["changed"]
    stored = store.read_authorities(layout.ca_directory(str(operations.ca_of(place))))
    assert [one.id for one in stored["server"]] == ["server-g2", "server-g3"]
    assert operations.run(BY_NAME["rotate-issue"], place, state="retired", generation=3)["changed"]


def test_restores_at_once_give_one_ca(model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for round_ in range(ROUNDS):
        directory_ = tmp_path / str(round_)
        directory_.mkdir()
        place = pathlib.Path(shutil.copytree(model, directory_ / "place"))
        BY_NAME["restore"].prepare(place)
        results = at_once(place, (BY_NAME["restore"], {}), (BY_NAME["restore"], {}))
        assert any(result["changed"] for result in results if not result["failed"])
        codes = {result["code"] for result in results if result["failed"]}
        assert codes <= {"ca-unwritable", "restore-over-existing"}, results
        operations.check_sound(place)
        assert [one["event"] for one in _entries(place)].count("ledger-restored") == 1
        assert operations.leftovers(place) == []


def _entries(place: pathlib.Path) -> list[dict[str, t.Any]]:
    return list(ledger.entries(layout.ca_directory(str(operations.ca_of(place)))))


@pytest.mark.parametrize("operation", operations.ON_A_CA, ids=lambda one: one.name)
def test_second_operator_is_told_who_is_at_work(operation: Operation, place: pathlib.Path) -> None:
    operation.prepare(place)
    ready, tell = os.pipe()

    def hold() -> None:
        with call_context.locked(str(operations.ca_of(place) / "lock"), 0):
            os.write(tell, b"x")
            signal.pause()

    child = operations.in_child(hold)
    os.read(ready, 1)
    before = tree(place)
    result = operations.run(operation, place)
    os.kill(child, signal.SIGKILL)
    operations.ended(child)
    assert (result["failed"], result["code"]) == (True, "ca-locked")
    assert f"pid {child} on host" in result["msg"] and str(operations.ca_of(place) / "lock") in result["msg"]
    assert "never delete the file" in result["hint"]
    assert tree(place) == before
    assert not operations.run(operation, place)["failed"]
