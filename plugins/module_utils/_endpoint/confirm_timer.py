# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timer of a change that must be confirmed.

The unit files are in /etc/systemd/system and the timer is enabled, so that a reboot in the middle does not disarm it:
``OnActiveSec`` counts again from the boot, and the change is rolled back unless it is confirmed within that time.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._docker.systemd import Systemd
from .._errors import TlsError
from .._files import fsync_directory, write_atomic

_SERVICE = """\
# Managed by Ansible (portcullis.docker_tls): rolls back an unconfirmed change of Docker's TLS endpoint.
[Unit]
Description=Roll back an unconfirmed change of Docker's TLS endpoint
ConditionPathExists={journal}

[Service]
Type=oneshot
ExecStart={command}
"""
_TIMER = """\
# Managed by Ansible (portcullis.docker_tls): goes off unless the change is confirmed before.
[Unit]
Description=Time to confirm a change of Docker's TLS endpoint

[Timer]
OnActiveSec={seconds}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def arm(systemd: Systemd, command: t.Sequence[str], journal_path: str, seconds: int) -> None:
    """Start the timer that runs ``command`` after ``seconds``. Raises TlsError."""
    quoted = " ".join(f'"{word}"' for word in command)
    write_atomic(
        _path(systemd, "service"), _SERVICE.format(journal=journal_path, command=quoted).encode("utf-8"), 0o644
    )
    write_atomic(_path(systemd, "timer"), _TIMER.format(seconds=seconds).encode("utf-8"), 0o644)
    systemd.daemon_reload()
    systemd.command("enable", "--quiet", f"{_name(systemd)}.timer")
    systemd.command("restart", f"{_name(systemd)}.timer")  # one that an earlier run has left counts again, from now


def is_armed(systemd: Systemd) -> bool:
    """Return whether the timer runs."""
    return systemd.is_active(f"{_name(systemd)}.timer")


def disarm(systemd: Systemd) -> None:
    """Stop the timer and remove its units; nothing happens where there is none."""
    if not os.path.exists(_path(systemd, "timer")):
        return
    with contextlib.suppress(TlsError):
        systemd.command("disable", "--quiet", "--now", f"{_name(systemd)}.timer")
    for kind in ("timer", "service"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_path(systemd, kind))
    fsync_directory(systemd.unit_directory)
    systemd.daemon_reload()


def _path(systemd: Systemd, kind: str) -> str:
    return os.path.join(systemd.unit_directory, f"{_name(systemd)}.{kind}")


def _name(systemd: Systemd) -> str:
    return f"{systemd.service.rpartition('.')[0]}-tls-revert"
