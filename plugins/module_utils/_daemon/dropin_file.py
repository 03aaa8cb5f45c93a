# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our drop-in on disk: decided, written, loaded, and taken back if systemd reads it otherwise than we do.

PRIVATE: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from .._errors import TlsError
from .._files import advice, fsync_directory, read_bytes_or_none, write_atomic
from .dropin import DROPIN_NAME, outdated, service_dropin
from .findings import raise_errors
from .machine import Machine
from .preflight import check_unit_files
from .unit import ENDPOINT_FLAGS, HOST_FLAGS, Derivation, derive, mismatch
from .unit_source import environment_of, read_model, unit_facts
from .unmanageable import refusal


@dataclass(frozen=True)
class DropinChange:
    """What the drop-in is and is to be (None: no file), and why; ``command`` is what systemd must have loaded then."""

    path: str
    before: str | None
    after: str | None
    reason: str | None
    command: str
    derivation: Derivation | None


def plan_dropin(machine: Machine, path: str, *, after_network: bool, strip_tls_flags: bool) -> DropinChange:
    """Return what has to be done so that the drop-in fits the unit; changes nothing. ``path`` "": the usual place.

    Raises TlsError where Docker cannot be managed (``docker-missing``, ``docker-snap``, …), ``unit-unsupported``,
    ``dropin-foreign`` (a file of somebody else is in the place), ``dropin-after-ours``.
    """
    services = machine.services()
    refused = refusal(unit_facts(services, machine.init_system()))
    if refused is not None:
        raise_errors([refused], "the drop-in cannot be made")
    path = path or _usual_path(machine, services.service.name)
    before = _read(path)
    model = read_model(services.service, path)
    derivation = derive(model, environment_of(model), ENDPOINT_FLAGS if strip_tls_flags else HOST_FLAGS)
    after = service_dropin(derivation, after_network=after_network)
    if after is not None:
        raise_errors(check_unit_files(model), "the drop-in cannot be made")
    command = derivation.command if after is not None else derivation.original
    return DropinChange(path, before, after, _reason(path, before, after), command, derivation)


def plan_removal(machine: Machine, path: str) -> DropinChange:
    """Return what has to be done so that our drop-in is gone; a file of somebody else stays."""
    path = path or _usual_path(machine, machine.services().service.name)
    before = _read(path)
    return DropinChange(path, before, None, outdated(before, None), "", None)


def apply(machine: Machine, change: DropinChange) -> None:
    """Write or remove the file and have systemd read its units anew; no service is restarted.

    Where systemd then has another command than the one derived, the former file comes back.
    Raises TlsError ``dropin-not-effective``, ``file-unwritable``, ``systemd-command-failed``.
    """
    _write(change.path, change.after)
    machine.daemon_reload()
    differs = mismatch(change.command, machine.loaded_command()) if change.command else ""
    if differs:
        _write(change.path, change.before)
        machine.daemon_reload()
        raise TlsError(
            f"systemd does not read {change.path} as it was meant: {differs}",
            hint="The former state is back. Compare with systemctl cat and look for unit files changed without daemon-reload.",
            code="dropin-not-effective",
        )


def _usual_path(machine: Machine, service: str) -> str:
    return os.path.join(machine.unit_directory, f"{service}.d", DROPIN_NAME)


def _read(path: str) -> str | None:
    data = read_bytes_or_none(path)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _reason(path: str, before: str | None, after: str | None) -> str | None:
    reason = outdated(before, after)
    if reason == "dropin-foreign":
        raise TlsError(
            f"{path} is there and was not written by this collection",
            hint="Move it away, or give the drop-in another name by the option path.",
            code="dropin-foreign",
        )
    return reason


def _write(path: str, text: str | None) -> None:
    """Write the file (root's, 0644), or remove it and its directory where nothing else is in there."""
    directory = os.path.dirname(path)
    try:
        if text is not None:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            write_atomic(path, text.encode("utf-8", "surrogateescape"), 0o644)
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            fsync_directory(directory)
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    except OSError as problem:
        raise TlsError(
            f"cannot change {path}: {problem.strerror}",
            hint=advice(problem),
            code="file-unwritable",
        ) from problem
