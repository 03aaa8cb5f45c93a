# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a unit is as its package has it, asked of dpkg and rpm; both know without a network. PRIVATE: may change."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

from .judge import Unit

Run = t.Callable[[t.Sequence[str]], t.Any]


def unit_of(path: str, run: Run | None = None) -> Unit:
    """Return what the package manager says about the unit file ``path``; where none knows it, only the path."""
    run = run or _run
    if not path or path.startswith("/etc/"):
        return Unit(path)
    if shutil.which("dpkg"):
        return _dpkg(path, run)
    if shutil.which("rpm"):
        return _rpm(path, run)
    return Unit(path)


def _names(path: str) -> tuple[str, ...]:
    """Return the names that one file may have in a package: /lib and /usr/lib are the same since usrmerge."""
    bare = path[len("/usr") :] if path.startswith("/usr/lib/") else path
    return bare, f"/usr{bare}"


def _dpkg(path: str, run: Run) -> Unit:
    for name in _names(path):
        status, text = run(["dpkg", "-S", name])
        if status == 0 and ":" in text:
            package = text.split(":", 1)[0].split(",")[0].strip()
            _status, verified = run(["dpkg", "--verify", package])
            changed = any(line.split()[-1] in _names(path) for line in verified.splitlines() if line.split())
            return Unit(path, package, changed, f"apt-get install --reinstall {package}")
    return Unit(path)


def _rpm(path: str, run: Run) -> Unit:
    status, package = run(["rpm", "-qf", "--qf", "%{NAME}", path])
    if status != 0:
        return Unit(path)
    _status, verified = run(["rpm", "-Vf", path])
    changed = any(line.split()[-1] in _names(path) and "5" in line.split()[0] for line in verified.splitlines() if line)
    return Unit(path, package.strip(), changed, f"dnf reinstall {package.strip()}")


def _run(command: t.Sequence[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return 1, ""
    return done.returncode, done.stdout
