# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attacker, another version or another tool can put in the way of journal, swap and rollback."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import exec_start
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import atomic_swap, rollback
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.hosts.machine import FakeMachine, install
from support.hosts.scenarios import first, given, issued, run, secure
from support.hosts.world import ADDRESS, Effects, Killed, World


class Killing(t.NamedTuple):
    """A world with a change that was killed just after the restart."""

    world: World
    machine: FakeMachine
    journal: pathlib.Path


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    return World(tmp_path / "host").build()


def killed_at_restart(**_options: t.Any) -> t.NoReturn:
    raise Killed("restart")


@pytest.fixture
def killed(world: World, monkeypatch: pytest.MonkeyPatch) -> Killing:
    options = first(world)
    with pytest.MonkeyPatch.context() as patch:
        effects = Effects()
        machine = install(patch, world, effects)
        machine.restart = killed_at_restart  # type: ignore[method-assign]
        with pytest.raises(Killed):
            run(world, machine, options)
    return Killing(world, install(monkeypatch, world, Effects()), world.state / "journal.json")


def changed(text: str, **changes: t.Any) -> str:
    return json.dumps({**json.loads(text), **changes})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "null",
        lambda text: "[" * 100_000,
        lambda text: "\udcff",
        lambda text: changed(text, format=2),
        lambda text: changed(text, phase="frobnicated"),
        lambda text: changed(text, timeout="long"),
        lambda text: changed(text, service=None),
        lambda text: changed(text, files=None),
        lambda text: changed(text, files=[{"path": "/x"}]),
        lambda text: changed(text, config_for_rollback="no base64!"),
    ],
    ids=[
        "half",
        "empty",
        "list",
        "null",
        "deep",
        "no-utf-8",
        "newer",
        "phase",
        "word",
        "none",
        "files",
        "file",
        "bytes",
    ],
)
def test_journal_that_is_damaged_or_of_another_version_stops_the_run_before_anything(
    killed: Killing, spoil: t.Callable[[str], str]
) -> None:
    killed.journal.write_bytes(spoil(killed.journal.read_text()).encode("utf-8", "surrogateescape"))
    before = killed.world.snapshot()
    for check_mode in (True, False):
        with pytest.raises(TlsError) as caught:
            run(killed.world, killed.machine, given(killed.world), check_mode=check_mode)
        assert caught.value.code == "journal-unreadable"
        assert "revert.py --timer" in caught.value.hint
    assert killed.world.snapshot() == before
    assert killed.world.answers_locally


def test_journal_of_another_unit_is_not_rolled_back_with_ours(killed: Killing) -> None:
    with pytest.raises(TlsError) as caught:
        run(killed.world, killed.machine, given(killed.world, service="other.service"))
    assert caught.value.code == "change-unfinished"
    assert "docker.service" in caught.value.hint
    assert killed.journal.exists()


@pytest.fixture
def machine(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    return install(monkeypatch, world, Effects())


def test_second_daemon_json_is_refused_while_the_first_has_the_endpoint(world: World, machine: FakeMachine) -> None:
    world.config.write_text('{"debug": true}')
    run(world, machine, first(world))
    other = world.config.with_name("other.json")
    with pytest.raises(TlsError) as caught:
        run(world, machine, given(world, config_path=str(other)))
    assert caught.value.code == "config-path-changed"
    assert str(world.config) in caught.value.hint
    assert not other.exists()


def test_absent_with_another_daemon_json_never_writes_the_first_one_s_contents_there(
    world: World, machine: FakeMachine
) -> None:
    world.config.write_text('{"debug": true}')
    run(world, machine, first(world))
    other = world.config.with_name("other.json")
    other.write_text('{"log-level": "info"}')
    before = world.snapshot()
    with pytest.raises(TlsError):  # the drop-in goes, and this world's dockerd still reads hosts in the first file
        run(world, machine, given(world, config_path=str(other), state="absent"))
    assert world.snapshot() == before
    assert world.answers_locally


def test_moved_daemon_json_is_followed(world: World, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    run(world, machine, first(world))
    moved = world.config.with_name("moved.json")
    text = world.config.read_text()
    moved.write_text(text)
    world.config.write_text("{}")
    monkeypatch.setattr(exec_start, "DEFAULT_CONFIG_PATH", str(moved))
    planned = run(world, machine, given(world, config_path=str(moved)), check_mode=True)
    assert "config-path-changed" not in planned["reasons"]


def test_rolled_back_with_another_daemon_json_has_nothing_to_go_back_to(world: World, machine: FakeMachine) -> None:
    run(world, machine, first(world))
    with pytest.raises(TlsError) as caught:
        run(world, machine, given(world, config_path=str(world.config.with_name("other.json")), state="rolled_back"))
    assert caught.value.code == "nothing-to-roll-back"


def test_daemon_json_that_leads_to_a_device_is_refused(world: World, machine: FakeMachine) -> None:
    options = first(world)
    world.config.symlink_to("/dev/null")
    with pytest.raises(TlsError) as caught:
        run(world, machine, options)
    assert caught.value.code == "daemon-json-invalid"
    assert "/dev/null" in caught.value.message
    assert not os.path.isfile("/dev/null")


def test_daemon_json_and_drop_in_directory_that_are_links_stay_links(world: World, machine: FakeMachine) -> None:
    elsewhere = world.root / "srv"
    (elsewhere / "docker.service.d").mkdir(parents=True)
    (elsewhere / "daemon.json").write_text('{"debug": true}')
    world.config.symlink_to(elsewhere / "daemon.json")
    (world.units / "docker.service.d").symlink_to(elsewhere / "docker.service.d")
    before = world.snapshot()
    run(world, machine, first(world))
    assert world.tcp == (f"{ADDRESS}:2376",)
    assert (elsewhere / "docker.service.d/zz-docker-tls.conf").exists()
    run(world, machine, given(world, state="absent"))
    after = {name: data for name, data in world.snapshot().items() if "certs" not in name}
    assert after == before
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["daemon.json", "docker.service.d"]


def test_drop_in_that_was_masked_does_not_become_writable_for_all(world: World, machine: FakeMachine) -> None:
    directory = world.units / "docker.service.d"
    directory.mkdir()
    (directory / "zz-docker-tls.conf").symlink_to("/dev/null")
    run(world, machine, first(world))
    assert (directory / "zz-docker-tls.conf").stat().st_mode & 0o022 == 0


def test_swap_whose_new_contents_are_gone_does_not_take_the_file_away(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    saved = atomic_swap.save(str(path), b'{"debug": true}')
    atomic_swap.stage(saved, b'{"debug": true}')
    os.unlink(atomic_swap.staged_path(str(path)))
    with pytest.raises(TlsError, match="new contents are gone"):
        atomic_swap.swap(saved)
    assert path.read_text() == "{}"


def test_restore_keeps_what_it_has_put_aside_earlier(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemon.json"
    saved = atomic_swap.save(str(path), b"ours")
    asides = []
    for text in ("theirs", "theirs again"):
        path.write_text(text)
        asides.append(pathlib.Path(atomic_swap.restore(saved)))
    assert [aside.read_text() for aside in asides] == ["theirs", "theirs again"]
    assert not path.exists()


def test_undo_gives_the_old_dockerd_more_time_than_a_short_start_timeout(
    killed: Killing, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_times = []
    real = atomic_swap.restart

    def watched(machine: t.Any, timeout: float, **options: t.Any) -> t.Any:
        given_times.append(timeout)
        return real(machine, timeout, **options)

    killed.journal.write_text(changed(killed.journal.read_text(), timeout=3, process=""))
    monkeypatch.setattr(atomic_swap, "restart", watched)
    state = StateDirectory(str(killed.world.state))
    journal = state.read_journal()
    assert journal is not None
    rollback.roll_back(journal, state, t.cast("t.Any", killed.machine))
    assert given_times == [120.0]
    assert killed.world.answers_locally


def test_record_of_a_newer_version_stops_the_run(world: World, machine: FakeMachine) -> None:
    secure(world)
    path = world.state / "record.json"
    path.write_text(changed(path.read_text(), format=2))
    with pytest.raises(TlsError) as caught:
        run(world, machine, given(world, certificate=issued(world, 6)))
    assert caught.value.code == "record-unreadable"
    assert "revert.py" not in caught.value.hint


@pytest.mark.parametrize("listener", ["dockerd", "systemd", "proxy"])
@pytest.mark.parametrize("between", [True, False], ids=["after-a-run", "at-once"])
@pytest.mark.parametrize("lose", [pathlib.Path.unlink, lambda path: path.write_text("")], ids=["gone", "empty"])
def test_endpoint_whose_record_was_lost_can_be_taken_away(
    world: World, machine: FakeMachine, listener: str, between: bool, lose: t.Callable[[pathlib.Path], t.Any]
) -> None:
    world.config.write_text('{"debug": true}')
    run(world, machine, given(world, certificate=issued(world), listener=listener))
    lose(world.state / "record.json")
    if (world.state / "record.json").exists():
        with pytest.raises(TlsError, match="the record of what this host's Docker was before"):
            run(world, machine, given(world, state="absent"))
        (world.state / "record.json").unlink()
    if between:
        run(world, machine, given(world, certificate=issued(world, 6), listener=listener))
    run(world, machine, given(world, state="absent"))
    assert json.loads(world.config.read_text()) == {"debug": True}
    assert world.answers_locally and not world.reachable


def test_recover_is_the_first_thing_a_run_does(killed: Killing) -> None:
    result = run(killed.world, killed.machine, given(killed.world, certificate=issued(killed.world, 6)))
    assert result["reasons"][0] == "recovered-interrupted-change"
