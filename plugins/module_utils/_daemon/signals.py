# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do when somebody wants us to end in the middle of a change. PRIVATE: may change without notice."""

from __future__ import annotations

import contextlib
import signal
import typing as t

from .._errors import TlsError


@contextlib.contextmanager
def orderly_end() -> t.Iterator[None]:
    """Inside, a lost SSH connection changes nothing (the change goes on), and SIGTERM or SIGINT end it with an undo."""
    handlers: dict[t.Any, t.Any] = {
        signal.SIGHUP: signal.SIG_IGN,
        signal.SIGPIPE: signal.SIG_IGN,
        signal.SIGTERM: _interrupted,
        signal.SIGINT: _interrupted,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, _frame: t.Any) -> None:
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)  # the undo that follows is not to be interrupted as well
    raise TlsError(f"the run was ended by signal {signal.Signals(number).name}", code="interrupted")
