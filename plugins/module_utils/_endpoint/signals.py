# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that end the process in the middle of a change."""

from __future__ import annotations

import contextlib
import signal
import typing as t

from .._errors import TlsError


class Interrupted(Exception):
    """A signal asks us to end. It is not a TlsError, which would be handled as a failed step."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the run was ended by {signal.Signals(number).name}")


@contextlib.contextmanager
def orderly_end() -> t.Iterator[None]:
    """Inside, a lost SSH connection changes nothing (the change continues), and SIGTERM or SIGINT end it with a rollback."""
    handlers: dict[t.Any, t.Any] = {
        signal.SIGHUP: signal.SIG_IGN,
        signal.SIGPIPE: signal.SIG_IGN,
        signal.SIGTERM: _interrupted,
        signal.SIGINT: _interrupted,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    except Interrupted as error:
        raise TlsError(f"{error} before anything was changed", hint="Run again.", code="interrupted") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, _frame: t.Any) -> None:
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)  # the rollback that follows is not to be interrupted as well
    raise Interrupted(number)
