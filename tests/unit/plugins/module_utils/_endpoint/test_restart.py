# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restart, watched: the states that systemd reports in turn, and the result."""

from __future__ import annotations

import os
import pathlib
import signal
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.running_daemon import EngineFacts
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.systemd import Services, UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import atomic_swap, machine
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import Journal, decode, encode
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError


def unit(active: str, pid: int = 0, sub: str = "", *, job: bool = False, restarts: int = 0) -> UnitState:
    return UnitState(
        "docker.service",
        active_state=active,
        sub_state=sub,
        main_pid=pid,
        job=job,
        restarts=restarts,
        result="exit-code",
    )


class Script:
    """A machine whose service goes through given states; the last one stays."""

    def __init__(self, *states: UnitState, answers: str = "", refuses: str = "") -> None:
        self.states = list(states)
        self.answers = answers
        self.refusal = refuses
        self.clock = 0.0
        self.killed: list[int] = []

    def services(self) -> Services:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Services(state, UnitState("docker.socket"))

    def identity(self, pid: int) -> str:
        return f"{pid}@1" if pid else ""

    def restart(self, *, with_socket: bool) -> Script:
        return self

    def wait(self, seconds: float) -> bool:
        self.sleep(seconds)
        return bool(self.refusal)

    def kill(self, pid: int) -> None:
        self.killed.append(pid)

    def ping(self, timeout: float = 5.0) -> str:
        return self.answers

    def monotonic(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


OLD = unit("active", 7)
STOPPING = unit("deactivating", 7, job=True)
STARTING = unit("activating", 8, job=True)
NEW = unit("active", 8)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (Script(OLD, STOPPING, STARTING, NEW), ""),
        (Script(unit("failed"), STARTING, NEW), ""),
        (Script(unit("inactive"), STARTING, NEW), ""),
        (Script(OLD, STOPPING, STARTING, unit("failed")), "the unit has failed"),
        (Script(OLD, STOPPING, unit("activating", sub="auto-restart")), "it ended while starting"),
        (Script(OLD, STOPPING, unit("activating", 9, "start", restarts=1)), "it ended while starting"),
        (Script(OLD, STOPPING, unit("inactive")), "a unit that it needs is missing"),
        (Script(OLD, STOPPING), "did not stop within"),
        (Script(OLD, STOPPING, STARTING), "did not start within 30 seconds"),
        (Script(OLD, STARTING, NEW, answers="refused"), "runs but does not answer: refused"),
        (Script(OLD, STARTING, NEW, unit("failed"), answers="refused"), "started and ended again"),
        (Script(OLD, refuses="Unit docker.socket is masked"), "masked"),
    ],
    ids=[
        "well",
        "from-failed",
        "from-inactive",
        "fails",
        "dies",
        "died-and-starts-again",
        "dependency",
        "does-not-stop",
        "hangs",
        "silent",
        "ends-again",
        "refused",
    ],
)
def test_restart_ends_with_what_happened(script: Script, problem: str) -> None:
    outcome = atomic_swap.restart(t.cast("t.Any", script), 30.0)
    assert problem in outcome.problem
    assert bool(outcome.problem) == bool(problem)


def test_restart_of_a_dockerd_that_hangs_kills_it() -> None:
    hanging = unit("activating", 7, job=True)
    script = Script(*[hanging] * 80, STARTING, NEW)
    assert atomic_swap.restart(t.cast("t.Any", script), 30.0) == atomic_swap.Outcome(pid=8)
    assert set(script.killed) == {7}


class Engine(Script):
    def __init__(self, *facts: EngineFacts | None) -> None:
        super().__init__(NEW)
        self.facts = list(facts)
        self.hung_up = 0

    def hang_up(self, pid: int) -> None:
        self.hung_up += 1

    def engine_facts(self, *, networks: bool = False) -> EngineFacts | None:
        return self.facts.pop(0) if len(self.facts) > 1 else self.facts[0]


OFF, ON = EngineFacts("1", False, False, 0), EngineFacts("1", True, False, 0)


@pytest.mark.parametrize(
    ("facts", "done"),
    [((OFF, None, ON), True), ((OFF,), False), ((None,), False)],
    ids=["after-a-while", "never", "dead"],
)
def test_set_live_restore_waits_until_it_shows(facts: tuple[EngineFacts | None, ...], done: bool) -> None:
    machine = Engine(*facts)
    assert atomic_swap.set_live_restore(t.cast("t.Any", machine), 8, True, timeout=2.0) == done
    assert machine.hung_up == 1


class Manager:
    """A systemd that remembers its commands."""

    service = "docker.service"

    def __init__(self, directory: pathlib.Path) -> None:
        self.unit_directory = str(directory)
        self.commands: list[tuple[str, ...]] = []

    def command(self, *arguments: str) -> None:
        self.commands.append(arguments)

    def daemon_reload(self) -> None:
        self.commands.append(("daemon-reload",))


def test_timer_survives_a_reboot_and_goes_away_without_trace(tmp_path: pathlib.Path) -> None:
    manager = t.cast("t.Any", Manager(tmp_path))
    machine.arm(manager, ["/usr/bin/python3", "/var/lib/docker-tls/revert.py"], "/var/lib/docker-tls/journal.json", 90)
    timer = (tmp_path / "docker-tls-revert.timer").read_text()
    assert "OnActiveSec=90\n" in timer
    assert "WantedBy=timers.target" in timer
    service = (tmp_path / "docker-tls-revert.service").read_text()
    assert 'ExecStart="/usr/bin/python3" "/var/lib/docker-tls/revert.py"\n' in service
    assert manager.commands[-2:] == [
        ("enable", "--quiet", "docker-tls-revert.timer"),
        ("restart", "docker-tls-revert.timer"),  # also one that still runs from an earlier change
    ]
    machine.disarm(manager)
    assert list(tmp_path.iterdir()) == []
    commands = len(manager.commands)
    machine.disarm(manager)
    assert len(manager.commands) == commands


def test_orderly_end_survives_a_cut_connection_and_reports_an_interruption() -> None:
    with atomic_swap.orderly_end():
        os.kill(os.getpid(), signal.SIGHUP)
    with pytest.raises(TlsError, match="ended by SIGTERM") as caught, atomic_swap.orderly_end():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.code == "interrupted"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_restore_saves_what_a_third_party_wrote(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("old")
    path.chmod(0o640)
    saved = atomic_swap.save(str(path), b"new")
    atomic_swap.stage(saved, b"new")
    atomic_swap.swap(saved)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    path.write_text("theirs")
    aside = atomic_swap.restore(saved)
    assert path.read_text() == "old"
    assert pathlib.Path(aside).read_text() == "theirs"
    assert atomic_swap.restore(saved) == ""


def test_restore_gives_the_very_file_back(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("old")
    inode = path.stat().st_ino
    saved = atomic_swap.save(str(path), None)
    atomic_swap.stage(saved, None)
    atomic_swap.swap(saved)
    assert not path.exists()
    atomic_swap.restore(saved)
    assert path.stat().st_ino == inode


def test_journal_of_an_older_version_is_read_with_defaults() -> None:
    journal = Journal(
        action="present", phase="begun", started=1.5, service="docker.service", socket="docker.socket", config_path="/x",
        files=(atomic_swap.SavedFile("/x", b"\x00\xff", 0o644, 0, 0, ""),), directories=("/y",), certificates=None, process="7@1",
        was_active=True, config_for_rollback=b"{}", ours=("a",), with_socket=False, timeout=9, record=None,
    )  # fmt: skip
    assert decode(Journal, encode(journal)) == journal
    with pytest.raises(KeyError):
        decode(Journal, {})
