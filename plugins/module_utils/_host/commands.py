# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the host whose output is read: without a locale, without input, and with a time limit."""

from __future__ import annotations

import os
import subprocess
import typing as t

FAILED = 1


def run(command: t.Sequence[str], timeout: float = 120) -> tuple[int, str]:
    """Return the exit code and the output of ``command``; (``FAILED``, "") where it cannot be run, or takes longer than ``timeout``."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return FAILED, ""
    return done.returncode, done.stdout
