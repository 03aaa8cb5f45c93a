# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limit of a wait, with real programs and real alarms."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.failures import (
    TimeLimitExceeded,
    time_limit,
)

SLEEP = ["sleep", "1000"]
#: A program that does not end when it is asked to, and says when that is so.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(1000)",
]


class Alarm(Exception):
    """The alarm that was set before."""


@pytest.fixture(autouse=True)
def nothing_is_left() -> t.Iterator[None]:
    yield
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def wait(started: list[subprocess.Popen[bytes]], command: list[str]) -> None:
    """Wait for a program as a connection plugin does."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    started.append(process)
    if command is STUBBORN:
        assert process.stdout is not None
        process.stdout.readline()
    process.communicate(b"input")


@pytest.mark.parametrize("command", [SLEEP, STUBBORN], ids=["ends when asked", "has to be killed"])
def test_wait_that_takes_too_long_ends_with_its_program(command: list[str]) -> None:
    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(TimeLimitExceeded) as caught, time_limit(0.5):
        wait(started, command)
    assert caught.value.seconds == 0.5
    assert started[0].returncode in (-signal.SIGTERM, -signal.SIGKILL)


def test_whatever_interrupts_the_wait_ends_the_program() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(KeyboardInterrupt), time_limit(1000):
        wait(started, SLEEP)
    assert started[0].returncode == -signal.SIGTERM


def test_failure_of_the_wait_itself_is_not_touched() -> None:
    with subprocess.Popen(SLEEP) as process:
        with pytest.raises(ValueError, match="mine"), time_limit(1000):
            raise ValueError("mine")
        assert process.poll() is None
        process.kill()


def test_result_in_time_leaves_everything_as_it_was() -> None:
    def handler(_number: int, _frame: object) -> None:
        raise Alarm

    signal.signal(signal.SIGALRM, handler)
    with time_limit(1000):
        assert signal.getsignal(signal.SIGALRM) is not handler
    assert signal.getsignal(signal.SIGALRM) is handler


def test_alarm_that_is_set_already_goes_on() -> None:
    def handler(_number: int, _frame: object) -> None:
        raise Alarm

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 500)
    times = iter((10.0, 110.0))
    with pytest.raises(TimeLimitExceeded), time_limit(0.1, clock=lambda: next(times)):
        signal.pause()
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert 390 < left <= 400
    assert signal.getsignal(signal.SIGALRM) is handler


def test_nested_limits_end_with_the_earlier_one() -> None:
    with pytest.raises(TimeLimitExceeded) as caught, time_limit(0.1), time_limit(1000):
        signal.pause()
    assert caught.value.seconds == 0.1


def test_other_thread_has_no_limit() -> None:
    found: list[float] = []

    def body() -> None:
        with time_limit(1000):
            found.append(signal.getitimer(signal.ITIMER_REAL)[0])

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert found == [0.0]
