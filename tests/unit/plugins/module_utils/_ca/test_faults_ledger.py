# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A torn line, a changed line, a clock that was set back: what every module that writes a CA directory does then."""

from __future__ import annotations

import io
import pathlib
import shutil
import tarfile
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _time
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import ledger
from support.ca import operations
from support.ca.ca_directory import tree
from support.ca.operations import Operation

TORN = b'{"seq":99,"prev":"0000'


def each_on_a_ca() -> t.Any:
    return pytest.mark.parametrize("operation", operations.ON_A_CA, ids=lambda one: one.name)


@each_on_a_ca()
def test_torn_line_is_repaired_and_reported(operation: Operation, place: pathlib.Path) -> None:
    operation.prepare(place)
    path = operations.ca_of(place) / "ledger.jsonl"
    path.write_bytes(path.read_bytes() + TORN)
    result = operations.run(operation, place)
    assert not result["failed"], result
    assert any(f"the last line of {path} was torn" in warning for warning in result["warnings"]), result["warnings"]
    assert f"its {len(TORN)} bytes were removed" in " ".join(result["warnings"])
    assert TORN not in path.read_bytes()
    operations.check_sound(place, [operation.passphrase_after])


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@each_on_a_ca()
def test_tampered_line_is_named_and_nothing_is_changed(operation: Operation, place: pathlib.Path, check: bool) -> None:
    operation.prepare(place)
    path = operations.ca_of(place) / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"alice", b"mallo")
    path.write_bytes(b"".join(lines))
    before = tree(place)
    result = operations.run(operation, place, check=check)
    assert (result["failed"], result.get("code")) == (True, "ledger-tampered"), result
    assert "line 5 does not follow from line 4" in result["msg"]
    assert "Nothing is issued" in result["msg"]
    assert "backup" in result["hint"]
    assert tree(place) == before


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@each_on_a_ca()
def test_clock_before_the_ledgers_end_is_refused_and_nothing_is_changed(
    operation: Operation, place: pathlib.Path, check: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation.prepare(place)
    before = tree(place)
    back = operations.now() - timedelta(days=2)
    monkeypatch.setattr(_time, "utc_now", lambda: back)
    result = operations.run(operation, place, check=check)
    assert tree(place) == before or not operation.writes
    if not operation.writes:
        assert not result["failed"], result  # nothing of it depends on the clock
        return
    assert f"it is {_time.isoformat(back)} here" in result["msg"]
    if operation.name == "adopt":  # the CA that is to be adopted is checked first, and it is younger than this clock
        assert (result["failed"], result["code"]) == (True, "authority-not-yet-valid"), result
        return
    assert (result["failed"], result.get("code")) == (True, "clock-behind"), result
    assert str(operations.ca_of(place) / "ledger.jsonl") in result["msg"]
    assert "clock" in result["hint"] and "restart_ledger" in result["hint"]


def test_clock_that_is_some_minutes_behind_works(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operations.run(operations.BY_NAME["new-group"], place)
    monkeypatch.setattr(_time, "utc_now", lambda clock=_time.utc_now: clock() - timedelta(minutes=4))
    assert not operations.run(operations.BY_NAME["sign"], place)["failed"]


def test_clock_before_the_authoritys_begin_is_refused(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    back = operations.now() - timedelta(days=30)
    monkeypatch.setattr(_time, "utc_now", lambda: back)
    before = tree(place)
    result = operations.run(operations.BY_NAME["new-group"], place)
    assert (result["failed"], result["code"]) == (True, "authority-not-yet-valid")
    assert f"it is {_time.isoformat(back)} here" in result["msg"]
    assert operations.run(operations.BY_NAME["sign"], place)["code"] == "clock-behind"
    assert tree(place) == before


def test_clock_that_was_ahead_is_accepted_once_and_for_all_by_restarting_the_ledger(
    place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's clock was ahead for one run; with the right one nothing would ever be issued again."""
    with monkeypatch.context() as ahead:
        ahead.setattr(_time, "utc_now", lambda clock=_time.utc_now: clock() + timedelta(days=900))
        assert not operations.run(operations.BY_NAME["sign"], place)["failed"]
    assert operations.run(operations.BY_NAME["sign"], place)["code"] == "clock-behind"
    done = operations.run(operations.BY_NAME["new-group"], place, restart_ledger=True)
    assert (done["failed"], done["reasons"]) == (False, ["ledger-restarted", "authority-missing"])
    assert not operations.run(operations.BY_NAME["sign"], place)["failed"]
    (old,) = operations.ca_of(place).glob("ledger.jsonl.*")
    assert old.read_bytes().count(b"\n") == 7


def test_rotation_that_was_begun_stays_as_it_is_while_the_clock_is_behind(
    place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.change(place, "accepted")
    with monkeypatch.context() as back:
        back.setattr(_time, "utc_now", lambda clock=_time.utc_now: clock() - timedelta(days=10))
        for state in ("accepted", "issuing", "retired"):
            result = operations.run(operations.BY_NAME["rotate-issue"], place, state=state)
            assert (result["failed"], result["code"]) == (True, "clock-behind")
    result = operations.run(operations.BY_NAME["rotate-issue"], place)
    assert (result["failed"], result["reasons"]) == (False, ["generation-issuing"])


def test_restored_archive_with_a_torn_line_is_repaired_and_reported(
    place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that somebody made with tar while a run was being written."""
    path = operations.ca_of(place) / "ledger.jsonl"
    path.write_bytes(path.read_bytes() + TORN)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "repair", lambda place, found: ())
        operations.run(operations.BY_NAME["backup"], place)
    shutil.rmtree(operations.ca_of(place))
    result = operations.run(operations.BY_NAME["restore"], place)
    assert (result["failed"], result.get("reasons")) == (False, ["ledger-restored"]), result
    assert "was torn" in " ".join(result["warnings"])
    operations.check_sound(place)


def test_restored_archive_with_a_tampered_line_is_refused(place: pathlib.Path) -> None:
    operations.run(operations.BY_NAME["backup"], place)
    shutil.rmtree(operations.ca_of(place))
    archive = place / "archive.tar.gz"
    with tarfile.open(archive) as old:
        members = [(one, old.extractfile(one).read()) for one in old]  # type: ignore[union-attr]
    with tarfile.open(archive, "w:gz") as new:
        for member, data in members:
            data = data.replace(b"alice", b"mallo") if member.name == "ledger.jsonl" else data
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    before = tree(place)
    result = operations.run(operations.BY_NAME["restore"], place)
    assert (result["failed"], result["code"]) == (True, "ledger-tampered")
    assert "line 5 does not follow from line 4" in result["msg"]
    assert tree(place) == before
