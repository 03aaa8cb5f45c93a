# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change fails or dies at every single step; Docker works afterwards, and it is the old or the new state."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import typing as t

import pytest
from helpers_world import ADDRESS, Effects, FakeMachine, Killed, World, install
from helpers_x509 import NOW, authority, leaf

from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon import capsule, endpoint, finish, undo
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.journal import COMMITTED, StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.options import Options
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

SERVER = authority("server")
CLIENTS = authority("client", number=1)
OTHERS = authority("client", unit="others-g1", number=2)
NAMES = (ADDRESS, "localhost")


def given(world: World, **changes: t.Any) -> Options:
    """Return the options of a usual endpoint."""
    values: dict[str, t.Any] = {
        "listen": (f"{ADDRESS}:2376",),
        "directory": str(world.certificates),
        "config_path": str(world.config),
        "ca": SERVER.pem,
        "client_ca": CLIENTS.pem,
    }
    return Options(**{**values, **changes})


def issued(world: World, number: int = 5) -> str:
    """Put a new key beside the live one, as certificate_requests does, and return the certificate for it."""
    from helpers_x509 import private_key

    pair = leaf(SERVER, subject_names=NAMES, key=private_key("ecdsa-p256", number))
    world.certificates.mkdir(mode=0o700, exist_ok=True)
    path = world.certificates / "server-key.pem.new"
    path.write_bytes(pair.key_pem)
    path.chmod(0o600)
    return pair.pem


def run(world: World, machine: FakeMachine, options: Options, *, check_mode: bool = False) -> dict[str, t.Any]:
    return endpoint.run(options, t.cast("t.Any", machine), StateDirectory(str(world.state)), NOW, check_mode=check_mode)


def secure(world: World, **changes: t.Any) -> None:
    """Give the world an endpoint."""
    with pytest.MonkeyPatch.context() as patch:
        machine = install(patch, world, Effects())
        certificate = issued(world)
        run(world, machine, given(world, certificate=certificate, **changes))
        assert world.tcp


class Scenario(t.NamedTuple):
    """How the world is before a change, and the change."""

    prepare: t.Callable[[World], None]
    change: t.Callable[[World], Options]
    keeps_containers: bool = False


def nothing(world: World) -> None:
    """A host as installed."""


def with_settings(world: World) -> None:
    world.config.write_text('{\n  "log-driver": "journald"\n}\n')
    world.config.chmod(0o640)
    world.boot()
    world.containers = {"web"}


def with_plain_files(world: World) -> None:
    """Certificates of another tool are in our place."""
    pair = leaf(SERVER, subject_names=NAMES)
    world.certificates.mkdir()
    for name, data in (
        ("server-cert.pem", pair.pem),
        ("server-key.pem", pair.key_pem.decode()),
        ("ca.pem", SERVER.pem),
    ):
        (world.certificates / name).write_text(data)


def with_live_restore(world: World) -> None:
    world.config.write_text('{"live-restore": true}')
    world.boot()
    secure(world)
    world.containers = {"web"}


def first(world: World) -> Options:
    return given(world, certificate=issued(world))


def first_with_live_restore(world: World) -> Options:
    return given(world, certificate=issued(world), live_restore="enable")


def renewal(world: World) -> Options:
    return given(world, certificate=issued(world, 6), client_ca=CLIENTS.pem + OTHERS.pem)


SCENARIOS = {
    "first": Scenario(nothing, first),
    "first-live-restore": Scenario(with_settings, first_with_live_restore, keeps_containers=True),
    "first-plain-files": Scenario(with_plain_files, first),
    "renewal": Scenario(with_live_restore, renewal, keeps_containers=True),
    "listen": Scenario(secure, lambda world: given(world, listen=("127.0.0.1:2376",))),
    "absent": Scenario(secure, lambda world: given(world, state="absent")),
    "rolled-back": Scenario(with_live_restore, lambda world: given(world, state="rolled_back")),
}


def socket(world: World) -> Options:
    return given(world, certificate=issued(world), listener="socket")


def secure_by_socket(world: World) -> None:
    secure(world, listener="socket")


SCENARIOS["socket-first"] = Scenario(nothing, socket)
SCENARIOS["socket-absent"] = Scenario(secure_by_socket, lambda world: given(world, state="absent"))
SCENARIOS["socket-to-hosts"] = Scenario(secure_by_socket, given)
SCENARIOS["hosts-to-socket"] = Scenario(secure, lambda world: given(world, listener="socket"))


@pytest.fixture(params=sorted(SCENARIOS))
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.fixture
def origin(tmp_path: pathlib.Path, scenario: Scenario) -> World:
    world = World(tmp_path / "origin").build()
    scenario.prepare(world)
    return world


class Trial:
    """One world, put back to its origin before each fault."""

    def __init__(self, world: World, scenario: Scenario, path: pathlib.Path) -> None:
        self.path = path
        self.live = world
        self.scenario = scenario
        self.saved = world.saved(path / "saved")

    def world(self) -> World:
        return self.live.restore(self.saved)

    def effects(self) -> int:
        """Return how many effects the change has where nothing goes wrong."""
        world, effects = self.world(), Effects()
        options = self.scenario.change(world)
        with pytest.MonkeyPatch.context() as patch:
            machine = install(patch, world, effects)
            run(world, machine, options)
            assert works(world)
            assert not run(world, machine, options)["changed"]
        return effects.count

    def aftermath(self, world: World, event: t.Callable[[World], None]) -> bool:
        """Return whether Docker works after ``event``; the world is as before then."""
        saved = world.saved(self.path / "aftermath")
        try:
            event(world)
            return works(world)
        finally:
            world.restore(saved)
            shutil.rmtree(saved.path)


def works(world: World) -> bool:
    """Docker answers on its local socket, and nobody gets in without a certificate."""
    return world.answers_locally and not world.open_to_anybody


def without_pending(snapshot: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in snapshot.items() if not name.endswith("server-key.pem.new")}


def same_to_readers(one: dict[str, t.Any], other: dict[str, t.Any]) -> bool:
    """Whether dockerd and systemd read the same: spare generations do not count."""

    def read(found: dict[str, t.Any]) -> dict[str, t.Any]:
        live = f"/{found.get('etc/docker/certs/current', '-')}/"
        return {k: v for k, v in found.items() if "/generation-" not in k or live in f"{k}"}

    return read(one) == read(other)


def test_transaction_killed_at_any_step_leaves_a_docker_that_starts(
    scenario: Scenario, origin: World, tmp_path: pathlib.Path
) -> None:
    """Whatever is on disk: dockerd starts with the unit as loaded (a crash) and as read anew (a reboot)."""
    trial = Trial(origin, scenario, tmp_path)
    total = trial.effects()
    for step in range(1, total + 1):
        world, effects = trial.world(), Effects(die_at=step)
        options = scenario.change(world)
        with pytest.MonkeyPatch.context() as patch:
            machine = install(patch, world, effects)
            with pytest.raises(Killed):
                run(world, machine, options)
        where = f"step {step}: {effects.log[-3:]}"
        assert works(world), where
        assert trial.aftermath(world, World.crash), f"crash after {where}"
        assert trial.aftermath(world, World.boot), f"reboot after {where}"


def test_transaction_killed_at_any_step_is_settled_by_the_guard(
    scenario: Scenario, origin: World, tmp_path: pathlib.Path
) -> None:
    """The guard process gets the lock at that moment: all old, or all new."""
    trial = Trial(origin, scenario, tmp_path)
    total = trial.effects()
    for step in range(1, total + 1):
        world, effects = trial.world(), Effects(die_at=step)
        options = scenario.change(world)
        before, containers = without_pending(world.snapshot()), set(world.containers)
        with pytest.MonkeyPatch.context() as patch:
            machine = install(patch, world, effects)
            with contextlib.suppress(Killed):
                run(world, machine, options)
        with pytest.MonkeyPatch.context() as patch:
            machine = install(patch, world, Effects())
            phase = settle(world, machine)
        where = f"step {step}: {effects.log[-3:]}"
        assert works(world), where
        if phase != COMMITTED:
            assert same_to_readers(without_pending(world.snapshot()), before) or not journal_was_there(effects), where
        if scenario.keeps_containers:
            assert world.containers == containers, where
        assert not list(world.root.rglob("*.docker-tls-*")), where


def journal_was_there(effects: Effects) -> bool:
    """Whether the run died with its journal in place (and not after it was over)."""
    return not any(entry == "unlink journal.json" for entry in effects.log[:-1])


def settle(world: World, machine: FakeMachine) -> str:
    """Do what the capsule's main does."""
    state = StateDirectory(str(world.state))
    if not state.exists():
        return ""
    journal = state.read_journal()
    if journal is None:
        return ""
    if journal.phase == COMMITTED:
        finish.finish(journal, state)
    else:
        undo.undo(journal, state, t.cast("t.Any", machine))
    return journal.phase


def test_transaction_failing_at_any_step_brings_everything_back(
    scenario: Scenario, origin: World, tmp_path: pathlib.Path
) -> None:
    """An I/O error at any step: the exact old bytes, modes and links, and the old dockerd."""
    trial = Trial(origin, scenario, tmp_path)
    total = trial.effects()
    for step in range(1, total + 1):
        world, effects = trial.world(), Effects(fail_at=step)
        options = scenario.change(world)
        before, containers = world.snapshot(), set(world.containers)
        with pytest.MonkeyPatch.context() as patch:
            machine = install(patch, world, effects)
            try:
                run(world, machine, options)
            except (TlsError, OSError):
                failed = True
            else:
                failed = False
        where = f"step {step}: {effects.log[max(0, step - 3) : step]}"
        assert works(world), where
        if failed:
            assert same_to_readers(without_pending(world.snapshot()), without_pending(before)), where
            assert not (world.state / "journal.json").exists(), where
        if scenario.keeps_containers:
            assert world.containers == containers, where


def test_transaction_with_a_full_disk_from_any_step_on_changes_nothing(
    scenario: Scenario, origin: World, tmp_path: pathlib.Path
) -> None:
    """Undoing needs no room: it only renames."""
    trial = Trial(origin, scenario, tmp_path)
    total = trial.effects()
    for step in range(1, total + 1):
        world, effects = trial.world(), Effects(full_at=step)
        options = scenario.change(world)
        before = world.snapshot()
        with pytest.MonkeyPatch.context() as patch:
            machine = install(patch, world, effects)
            with contextlib.suppress(TlsError, OSError):
                run(world, machine, options)
        where = f"step {step}: {effects.log[max(0, step - 3) : step + 2]}"
        assert works(world), where
        if not (world.state / "journal.json").exists() and not _is_committed(world, before):
            assert same_to_readers(without_pending(world.snapshot()), without_pending(before)), where


def _is_committed(world: World, before: dict[str, t.Any]) -> bool:
    return not same_to_readers(without_pending(world.snapshot()), without_pending(before)) and works(world)


@pytest.mark.parametrize("problem", ["dies", "unproved", "hangs"])
def test_transaction_with_a_bad_dockerd_goes_back(tmp_path: pathlib.Path, problem: str) -> None:
    world = World(tmp_path / "w").build()
    with_settings(world)
    options = first_with_live_restore(world)
    before = world.snapshot()
    with pytest.MonkeyPatch.context() as patch:
        machine = install(patch, world, Effects())
        restart = machine.restart

        def restarted(*, with_socket: bool) -> None:
            world.problems = {problem} if world.restarts == 0 else set()
            restart(with_socket=with_socket)

        patch.setattr(machine, "restart", restarted)
        with pytest.raises(TlsError, match="Everything is as it was before"):
            run(world, machine, options)
    assert works(world)
    assert world.snapshot() == before
    assert world.containers == {"web"}


def test_capsule_holds_all_it_needs(tmp_path: pathlib.Path) -> None:
    """The zip application imports nothing that is not in it."""
    import subprocess
    import sys

    path = tmp_path / "revert.pyz"
    path.write_bytes(capsule.capsule_bytes())
    result = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
