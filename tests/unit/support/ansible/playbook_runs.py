# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of ansible-playbook on this machine, with nothing of the one who tests in their environment."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import typing as t

from ansible_collections.portcullis.docker_tls import plugins

COLLECTIONS = pathlib.Path(next(iter(plugins.__path__))).parents[3]
_PROGRAMS = pathlib.Path(sys.executable).parent
PLAYBOOK = str(_PROGRAMS / "ansible-playbook")
#: What an inventory says of a host that is this machine.
LOCAL = f"ansible_connection=local ansible_python_interpreter={sys.executable}"


def environment(
    directory: pathlib.Path, home: pathlib.Path, temporary: pathlib.Path, *more: pathlib.Path, configuration: str = ""
) -> dict[str, str]:
    """Return the environment of a run whose configuration lies in ``directory``; ``more`` collections are found there."""
    for path in (directory, home, temporary):
        path.mkdir(parents=True, exist_ok=True)
    (directory / "ansible.cfg").write_text(f"[defaults]\n{configuration}")
    return {
        "ANSIBLE_COLLECTIONS_PATH": ":".join(map(str, (COLLECTIONS, *more))),
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PATH": f"{_PROGRAMS}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
    }


def keeping(directory: pathlib.Path, files: pathlib.Path) -> dict[str, str]:
    """Return the same for a run that keeps every file it makes, all of them below ``files``, without pipelining configured."""
    kept = {f"ANSIBLE_{name.upper()}_TEMP": files / name for name in ("remote", "local")}
    for path in kept.values():
        path.mkdir(parents=True, exist_ok=True)
    return {
        **environment(directory, files / "home", files / "tmp"),
        "ANSIBLE_PIPELINING": "0",
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        **{name: str(path) for name, path in kept.items()},
    }


def run(
    command: t.Sequence[str], settings: t.Mapping[str, str], directory: pathlib.Path
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what came of it, both outputs."""
    # A short name for its TMPDIR: ansible-core 2.21 listens on a socket there, whose path has room for a hundred characters.
    with tempfile.TemporaryDirectory() as short:
        temporary = pathlib.Path(short, "tmp")
        temporary.symlink_to(settings["TMPDIR"])
        used = {**settings, "TMPDIR": str(temporary)}
        return subprocess.run(command, env=used, cwd=directory, capture_output=True, text=True, check=False)
