# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our own undo as one file that needs nothing but Python. PRIVATE: may change without notice.

A run that is killed cannot clean up, and a module's code is gone from the host when it ends. So before anything is
changed, the few files that an undo needs are put into ``/var/lib/docker-tls/revert.pyz`` (a zip application, PEP 441),
which the guard process and the timer of an unconfirmed change start.
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import zipfile

from .._errors import TlsError
from .._files import write_atomic
from . import confirm
from .engine import Engine
from .finish import finish
from .journal import COMMITTED, UNCONFIRMED, StateDirectory
from .machine import Machine
from .systemd import Systemd
from .undo import undo

MODULES = (
    "_errors",
    "_files",
    "_host.addresses",
    "_host.certstore",
    "_host.netlink",
    "_daemon.capsule",
    "_daemon.confirm",
    "_daemon.engine",
    "_daemon.finish",
    "_daemon.journal",
    "_daemon.machine",
    "_daemon.restart",
    "_daemon.swap",
    "_daemon.systemd",
    "_daemon.undo",
)
_LOCK_PATIENCE = 3600.0
# Imported with us and not when it is needed: by then a later run may have written another capsule in our place.
_PRELOADED = (confirm,)
_ROOT = __name__.rpartition("._daemon.")[0]


def write_capsule(state: StateDirectory) -> None:
    """Write the capsule into the state directory. Raises TlsError ``file-unwritable``."""
    write_atomic(state.capsule_path, capsule_bytes(), 0o600)


def capsule_bytes() -> bytes:
    """Return the zip application, made of the sources that are running now."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in _packages():
            archive.writestr(package + "/__init__.py", "")
        for name in MODULES:
            archive.writestr(f"{_ROOT}.{name}".replace(".", "/") + ".py", _source(f"{_ROOT}.{name}"))
        archive.writestr("__main__.py", f"from {_ROOT}._daemon.capsule import main\n\nmain()\n")
    return buffer.getvalue()


def guard_command(state: StateDirectory, *options: str) -> list[str]:
    """Return the command that runs the capsule; ``-I`` keeps other people's modules out."""
    return [sys.executable, "-I", state.capsule_path, *options]


def main() -> None:
    """Wait for the host's lock, then undo or finish what a run has left unfinished. ``--timer``: the time is up."""
    state = StateDirectory(os.path.dirname(os.path.abspath(sys.argv[0])))
    try:
        settle(state, timer="--timer" in sys.argv[1:])
    except TlsError as error:
        raise SystemExit(f"{error.message}. {error.hint}") from error


def settle(state: StateDirectory, *, timer: bool) -> None:
    """Undo an interrupted or unconfirmed change; leave one alone that still waits for its confirmation."""
    with state.lock(_LOCK_PATIENCE):
        journal = state.read_journal()
        if journal is None:
            return
        if journal.phase == COMMITTED:
            finish(journal, state)
            return
        machine = Machine(Systemd(journal.service, journal.socket), Engine())
        if journal.phase == UNCONFIRMED and not timer and machine.timer_is_armed():
            return
        undo(journal, state, machine)
        machine.disarm_timer()


def _packages() -> list[str]:
    parts = _ROOT.split(".")
    chain = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    return [*chain, chain[-1] + "/_daemon", chain[-1] + "/_host"]


def _source(name: str) -> str:
    """Return the source of a module, from a file or from Ansible's zip."""
    specification = importlib.util.find_spec(name)
    loader = specification.loader if specification else None
    source = loader.get_source(name) if hasattr(loader, "get_source") else None  # type: ignore[union-attr]
    if source is None:
        raise TlsError(f"the source of {name} is not to be found", code="capsule-incomplete")
    return str(source)
