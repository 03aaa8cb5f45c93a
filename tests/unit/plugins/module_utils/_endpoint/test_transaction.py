# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change fails or dies at every single step; Docker works afterwards, and it is the old or the new state."""

from __future__ import annotations

import os
import pathlib
import tempfile
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import endpoint, rollback, transaction
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import COMMITTED, StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca.certificates import NOW
from support.hosts.machine import Restarted, install
from support.hosts.scenarios import SCENARIOS, Scenario, first, first_with_live_restore, run, with_settings
from support.hosts.world import Effects, Killed, World


@pytest.fixture(params=sorted(SCENARIOS))
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.fixture
def tmp_path(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Return a directory in memory: these tests write thousands of files."""
    memory = pathlib.Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield pathlib.Path(name)


@pytest.fixture
def origin(tmp_path: pathlib.Path, scenario: Scenario) -> World:
    world = World(tmp_path / "origin").build()
    scenario.prepare(world)
    return world


class Trial:
    """One change of one world, which is restored before each fault."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.live = world
        self.keeps_containers = scenario.keeps_containers
        self.options = scenario.change(world)
        self.state = StateDirectory(str(world.state))
        self.state.make()
        with pytest.MonkeyPatch.context() as patch:
            machine = t.cast("t.Any", install(patch, world, Effects()))
            self.found, self.planned = endpoint._plan(self.options, machine, self.state, NOW, check_mode=False)
        self.before = world.snapshot()
        self.containers = set(world.containers)
        self.saved = world.saved()
        self.total = self.run(Effects())
        assert works(world)
        self.after = world.snapshot()

    def run(self, effects: Effects) -> int:
        """Make the change from the start, with the fault in ``effects``; return the number of effects."""
        world = self.live.restore(self.saved)
        with pytest.MonkeyPatch.context() as patch:
            machine = t.cast("t.Any", install(patch, world, effects))
            with self.state.lock():
                transaction.apply(self.planned.plan, self.found, self.state, machine, self.options)
        return effects.count

    def settle(self) -> None:
        """Do what the guard process does."""
        with pytest.MonkeyPatch.context() as patch:
            machine = t.cast("t.Any", install(patch, self.live, Effects()))
            journal = self.state.read_journal()
            if journal is not None and journal.phase == COMMITTED:
                rollback.commit(journal, self.state)
            elif journal is not None:
                rollback.roll_back(journal, self.state, machine)

    def is_old_or_new(self) -> bool:
        now = self.live.snapshot()
        return same_to_readers(now, self.before) or same_to_readers(now, self.after)

    def aftermath(self, world: World, event: t.Callable[[World], None]) -> bool:
        """Return whether Docker works after ``event``; the world is as before then."""
        saved = world.saved()
        try:
            event(world)
            return works(world)
        finally:
            world.restore(saved)


def works(world: World) -> bool:
    """Docker answers on its local socket, and admits no client without a certificate."""
    return world.answers_locally and not world.open_to_anybody


def same_to_readers(one: dict[str, t.Any], other: dict[str, t.Any]) -> bool:
    """Whether dockerd and systemd read the same: spare revisions, a pending key and leftovers do not count."""

    def read(found: dict[str, t.Any]) -> dict[str, t.Any]:
        live = f"/{found.get('etc/docker/certs/current', '-')}/"
        kept = {name: value for name, value in found.items() if "/revision-" not in name or live in name}
        return {name: value for name, value in kept.items() if ".pem.new" not in name and ".docker-tls-" not in name}

    return read(one) == read(other)


def followed(snapshot: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the bytes that one reads at each name in the certificates' directory, instead of links and modes."""
    top = "etc/docker/certs/"
    found = {name: value for name, value in snapshot.items() if not name.startswith(top)}
    live = snapshot.get(f"{top}current")
    for name in ("ca.pem", "client-ca.pem", "server-cert.pem", "server-key.pem"):
        value = snapshot.get(top + name)
        value = snapshot.get(f"{top}{live}/{name}") if isinstance(value, str) else value
        found[top + name] = value[0] if value else None
    return found


def test_world_that_is_restored_is_the_one_that_was_saved(tmp_path: pathlib.Path) -> None:
    """All that follows relies on it."""
    world = World(tmp_path / "w").build()
    (world.certificates / "old").mkdir(parents=True)
    (world.certificates / "current").symlink_to("old")
    world.config.write_text("{}")
    saved = world.saved()
    (world.certificates / "current").unlink()
    (world.certificates / "current").mkdir()
    (world.certificates / "current/ca.pem").write_text("CA")
    (world.certificates / "old").rmdir()
    (world.certificates / "old").write_text("a file")
    world.config.chmod(0o600)
    world.units.chmod(0o700)
    world.crash()
    assert world.restore(saved).saved() == saved


def test_transaction_killed_at_any_step_leaves_the_old_or_the_new(scenario: Scenario, origin: World) -> None:
    """dockerd starts with the unit as loaded (it crashes) and as read again (a reboot); then the guard settles it."""
    trial = Trial(origin, scenario)
    world = trial.live
    for step in range(1, trial.total + 1):
        effects = Effects(die_at=step)
        with pytest.raises(Killed):
            trial.run(effects)
        where = f"step {step}: {effects.log[-3:]}"
        assert works(world), where
        assert trial.aftermath(world, World.crash), f"crash after {where}"
        assert trial.aftermath(world, World.boot), f"reboot after {where}"
        trial.settle()
        assert works(world), where
        assert trial.is_old_or_new(), where
        assert not trial.keeps_containers or world.containers == trial.containers, where
        assert not list(world.root.rglob("*.docker-tls-*")), where
        assert not (world.state / "journal.json").exists(), where


@pytest.mark.parametrize("fault", ["fail_at", "full_at"])
def test_transaction_failing_at_any_step_brings_everything_back(scenario: Scenario, origin: World, fault: str) -> None:
    """An I/O error at one step, or a disk that is full from then on: the exact old bytes, modes and links."""
    trial = Trial(origin, scenario)
    world = trial.live
    for step in range(1, trial.total + 1):
        effects = Effects(**{fault: step})
        try:
            trial.run(effects)
        except (TlsError, OSError):
            wanted = trial.before
        else:
            wanted = trial.after
            trial.settle()  # what a committed change could not tidy up, the next run does
        where = f"step {step}: {effects.log[max(0, step - 3) : step + 1]}"
        assert works(world), where
        if fault == "full_at":  # files of another tool may stay adopted: links that read the same
            assert same_to_readers(followed(world.snapshot()), followed(wanted)), where
        else:
            assert same_to_readers(world.snapshot(), wanted), where
        assert not trial.keeps_containers or world.containers == trial.containers, where


def test_transaction_killed_while_undoing_is_rolled_back_by_the_guard(scenario: Scenario, origin: World) -> None:
    """The verification fails, and the rollback that follows is killed at each of its steps."""
    trial = Trial(origin, scenario)
    world = trial.live
    trial.saved.memory["problems"] = {"unverified"}
    if not trial.planned.plan.restart and trial.planned.plan.proxy in ("", "stop"):
        pytest.skip("nothing is verified without a restart")
    effects = Effects()
    with pytest.raises(TlsError, match="verification"):
        trial.run(effects)
    assert same_to_readers(world.snapshot(), trial.before)
    started = [number for number, name in enumerate(effects.log) if name == "restarted" or name.endswith(" done")]
    first = started[-1] if len(started) == 1 else started[0] + 1
    for step in range(first + 1, effects.count + 1):
        dying = Effects(die_at=step)
        with pytest.raises(Killed):
            trial.run(dying)
        where = f"step {step}: {dying.log[-3:]}"
        assert trial.aftermath(world, World.boot), where
        trial.settle()
        assert works(world), where
        assert same_to_readers(world.snapshot(), trial.before), where
        assert not trial.keeps_containers or world.containers == trial.containers, where


@pytest.mark.parametrize("problem", ["dies", "unverified", "hangs"])
def test_transaction_with_a_bad_dockerd_goes_back(tmp_path: pathlib.Path, problem: str) -> None:
    world = World(tmp_path / "w").build()
    with_settings(world)
    options = first_with_live_restore(world)
    before = world.snapshot()
    with pytest.MonkeyPatch.context() as patch:
        machine = install(patch, world, Effects())
        restart = machine.restart

        def restarted(*, with_socket: bool) -> Restarted:
            world.problems = {problem} if world.restarts == 0 else set()
            return restart(with_socket=with_socket)

        patch.setattr(machine, "restart", restarted)
        with pytest.raises(TlsError, match="Everything is as it was before"):
            run(world, machine, options)
    assert works(world)
    assert world.snapshot() == before
    assert world.containers == {"web"}


def test_transaction_whose_old_dockerd_does_not_start_either_says_so(tmp_path: pathlib.Path) -> None:
    """The files are back all the same: anyone who repairs dockerd finds the former configuration."""
    world = World(tmp_path / "w").build()
    with_settings(world)
    before = world.config.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        machine = install(patch, world, Effects())
        world.problems = {"dies"}  # whatever is started from now on
        with pytest.raises(
            TlsError, match="Going back failed as well: Docker's former configuration is back"
        ) as caught:
            run(world, machine, first_with_live_restore(world))
    assert caught.value.code == "rollback-failed"
    assert world.config.read_bytes() == before


def test_transaction_leaves_a_daemon_json_that_someone_changed_meanwhile_to_them(tmp_path: pathlib.Path) -> None:
    world = World(tmp_path / "w").build()
    with_settings(world)
    theirs = '{"log-driver": "local"}\n'
    with pytest.MonkeyPatch.context() as patch:
        machine = install(patch, world, Effects())
        reload = machine.daemon_reload

        def reloaded() -> None:  # the drop-in is in its place, and daemon.json is next
            if not world.restarts:
                world.config.write_text(theirs)
            reload()

        patch.setattr(machine, "daemon_reload", reloaded)
        with pytest.raises(TlsError, match="someone has changed") as caught:
            run(world, machine, first(world))
    assert caught.value.code == "daemon-json-changed"
    assert world.config.read_text() == theirs
    assert works(world)
    assert world.containers == {"web"}
