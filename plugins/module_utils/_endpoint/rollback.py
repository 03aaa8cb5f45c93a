# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two ends of a change: commit and rollback. |.

Used by the transaction when a step fails, by the next run when it finds an unfinished change, by the guard process
when the run was killed, and by the timer of an unconfirmed change. Standard library only: the guard and the timer
run it from a file (``rollback_guard.py``).
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass, replace

from .._docker.systemd import UnitState, endpoint_socket_name
from .._errors import TlsError
from .._files import ensure_directory
from .._proxy import service as proxy
from . import atomic_swap, certificate_store
from .journal import UNCONFIRMED, Journal, Record, SavedCertificates, StateDirectory
from .machine import Machine


def commit(journal: Journal, state: StateDirectory) -> None:
    """Write the record, remove the files that are not needed any more, and the journal last.

    Raises TlsError ``file-unwritable``; the journal stays then, and the next run finishes.
    """
    state.write_record(journal.record)
    for saved in journal.files:
        atomic_swap.discard(saved.path)
    if journal.released:
        absent = journal.action == "absent"
        restore_directory(journal.directory, journal.adopted, journal.directory_mode, all_of_it=absent)
        for directory in journal.former:
            certificate_store.release(directory, certificate_store.adopted_revision(directory) or "")
    elif journal.certificates is not None:
        with contextlib.suppress(TlsError, OSError):
            _tidy(journal, journal.certificates.directory)
    _remove_empty_dropin_directories(journal)
    for directory in {os.path.dirname(saved.path) for saved in journal.files if journal.proxy and not saved.after}:
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    if journal.record is None:
        state.clear_unverified()
        with contextlib.suppress(OSError):
            os.unlink(state.guard_path)
    state.remove_journal()


def restore_directory(directory: str, adopted: str, mode: int | None, *, all_of_it: bool) -> None:
    """Give the directory of the certificates back as it was found; can be repeated.

    ``adopted``: the revision with the files of another tool ("": there were none, and ours stay). ``mode``: of the
    directory then. ``all_of_it``: a key that waits for its certificate goes too, and a directory with nothing in it.
    Raises TlsError ``certificate-store-unusable``, ``file-unwritable``.
    """
    if not os.path.isdir(directory):
        return
    if all_of_it:
        certificate_store.discard_pending_key(directory)
    if adopted:
        certificate_store.release(directory, adopted)
        return
    with contextlib.suppress(OSError):
        if mode is not None and os.stat(directory).st_mode & 0o7777 != mode:
            os.chmod(directory, mode)
        if all_of_it and os.stat(directory).st_mode & 0o7777 == 0o700:  # as certificate_requests makes it
            os.rmdir(directory)


def _tidy(journal: Journal, directory: str) -> None:
    """Keep the live revision and the last good one; drop a pending key that has become the live one."""
    last_good = journal.record.last_good_revision if journal.record else None
    certificate_store.prune(directory, (last_good,) if last_good else ())
    pending = certificate_store.pending_key(directory)
    if pending is not None and pending == certificate_store.read_set(directory).key:
        certificate_store.discard_pending_key(directory)


def _remove_empty_dropin_directories(journal: Journal) -> None:
    for saved in journal.files:
        if saved.path.endswith(".conf") and not saved.after:  # a drop-in that the change took away
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(saved.path))


# The old dockerd is known to start: a start timeout that was too short for a busy host must not count it as failed.
_OLD_DOCKERD_TIMEOUT = 120.0


@dataclass(frozen=True)
class RolledBack:
    """The result of a rollback: ``restarted`` and paths of third parties' files that were put aside.

    ``found``: systemd's word for docker.service before the change. ``problem``: why dockerd does not run now, where it did not
    run before either.
    """

    restarted: bool
    aside: tuple[str, ...]
    found: str = "active"
    problem: str = ""


def roll_back(journal: Journal, state: StateDirectory, machine: Machine) -> RolledBack:
    """Bring files, links and units back, have Docker run as it did before, and end the journal.

    dockerd is restarted only if it is not the former process any more, and has to answer where it can be asked. A dockerd that
    had been stopped is stopped; one that had failed is started once, and may fail again.
    Raises TlsError ``rollback-failed``.
    """
    service = machine.services().service
    untouched = _is_untouched(journal, machine, service)
    if journal.proxy and not _had_proxy(journal, machine):  # its port may be that of the old listener
        machine.change_proxy(proxy.STOP)
    aside = _restore_files(journal, machine, for_rollback=not untouched)
    _load_units(journal, machine)
    if untouched:
        _restore_proxy(journal, machine)
        if journal.config_for_rollback is not None and service.is_active:
            machine.hang_up(service.main_pid)
        _end(journal, state)
        return RolledBack(False, aside, _found(journal))
    if _found(journal) == "inactive":
        machine.stop(with_socket=journal.with_socket)
        _restore_proxy(journal, machine)
        aside += _restore_files(journal, machine, for_rollback=False)
        _end(journal, state)
        return RolledBack(True, aside, "inactive")
    outcome = _start_old(journal, machine)
    _restore_proxy(journal, machine)
    with contextlib.suppress(TlsError, OSError):  # if we die now, the next rollback need not restart dockerd again
        journal = state.write_journal(replace(journal, process=machine.identity(outcome.pid)))
    if journal.config_for_rollback is not None:
        aside += _restore_files(journal, machine, for_rollback=False)
        machine.hang_up(outcome.pid)
    _end(journal, state)
    if outcome.problem and journal.was_active:
        raise TlsError(
            f"Docker's former configuration is back, but {outcome.problem}",
            hint="Check `systemctl status docker` and `journalctl -u docker` on the host.",
            code="rollback-failed",
        )
    return RolledBack(True, aside, _found(journal), outcome.problem)


def _had_proxy(journal: Journal, machine: Machine) -> bool:
    path = machine.proxy_files.unit_path
    before = [saved.data is not None for saved in journal.files if saved.path == path]
    return before[0] if before else os.path.exists(path)


def _restore_proxy(journal: Journal, machine: Machine) -> None:
    """Have the proxy run with the old files, or not at all, as before. Raises TlsError ``proxy-start-failed``."""
    if not journal.proxy:
        return
    if not _had_proxy(journal, machine) or not journal.proxy_was_active:
        machine.change_proxy(proxy.STOP)
        return
    changed = any(saved.path == machine.proxy_files.unit_path for saved in journal.files)
    machine.change_proxy(proxy.RESTART if changed else proxy.RELOAD)


def _found(journal: Journal) -> str:
    """Return how docker.service was found: ``active``, ``inactive`` (stopped by someone) or ``failed``."""
    if journal.was_active:
        return "active"
    return "inactive" if journal.found_state == "inactive" else "failed"


def _is_untouched(journal: Journal, machine: Machine, service: UnitState) -> bool:
    """Return whether dockerd is the former process; where none ran, whether no start was tried.

    Where only the proxy reads the changed files, any running dockerd counts, also one that was started since (a boot).
    """
    if service.job:
        return False
    if journal.proxy and service.is_active and _concerns_only_proxy(journal, machine):
        return True
    if journal.was_active:
        return bool(journal.process) and machine.identity(service.main_pid) == journal.process and service.is_active
    same = (service.active_state, service.started) == (journal.found_state, journal.process_started)
    return not service.is_active and same


def _concerns_only_proxy(journal: Journal, machine: Machine) -> bool:
    """Return whether dockerd and its units read none of the changed files: behind the proxy it has no TLS listener."""
    return journal.was_active and all(saved.path in machine.proxy_files.paths for saved in journal.files)


def _restore_files(journal: Journal, machine: Machine, *, for_rollback: bool) -> tuple[str, ...]:
    """Put every file back, last swapped first; daemon.json in its version for the rollback where asked.

    As on the way there, systemd has loaded a unit before daemon.json counts on it.
    """
    aside = []
    for position, saved in enumerate(reversed(journal.files)):
        if position and saved.path == journal.config_path:
            _load_units(journal, machine)
        if for_rollback and journal.config_for_rollback is not None and saved.path == journal.config_path:
            atomic_swap.swap_rollback_config(saved, journal.config_for_rollback)
        else:
            aside.append(atomic_swap.restore(saved, ours=journal.ours))
    if journal.certificates is not None:
        _restore_certificates(journal.certificates)
    return tuple(path for path in aside if path)


def _load_units(journal: Journal, machine: Machine) -> None:
    """Have systemd read its units; where our socket unit changes, close it. dockerd's start opens the one that is loaded then."""
    machine.daemon_reload()
    name = endpoint_socket_name(journal.service)
    if any(os.path.basename(saved.path) == name for saved in journal.files):
        machine.close_endpoint_socket()


def _restore_certificates(before: SavedCertificates) -> None:
    """Make dockerd read the set that it read before, at the names where it was."""
    directory = before.directory
    if before.layout == "revisions" and before.revision is not None:
        certificate_store.activate(directory, before.revision)
        return
    if before.layout == "mixed":  # the files were adopted as they were; the new set stands beside that revision
        if certificates_digest(certificate_store.read_set(directory).files()) != before.digest:
            for name in certificate_store.revisions(directory):
                if certificates_digest(certificate_store.read_revision(directory, name)) == before.digest:
                    certificate_store.activate(directory, name)
                    return
        return
    try:
        _release(directory, before.mode)
    except (TlsError, OSError) as error:  # a full or read-only disk: what reads the same as before is good enough
        if certificates_digest(certificate_store.read_set(directory).files()) != before.digest:
            raise TlsError(
                f"cannot roll back the certificates in {directory}: {error}",
                hint="Make the file system writable, or make room on it, and run again: the next run finishes this.",
                code="rollback-failed",
            ) from error


def _release(directory: str, mode: int | None) -> None:
    """Take our names and revisions away again, but not the pending key, which was there before (``mode``: so was the
    directory). It waits under another name meanwhile: moving it needs no room on the disk."""
    pending = os.path.join(directory, certificate_store.PENDING_KEY)
    aside = atomic_swap.kept_path(pending)
    if os.path.exists(pending):
        os.rename(pending, aside)
    try:
        certificate_store.release(directory, certificate_store.adopted_revision(directory))
    finally:
        if os.path.exists(aside):
            os.rename(aside, pending)
    if mode is not None:
        ensure_directory(directory, mode)


def certificates_digest(files: t.Mapping[str, bytes]) -> str:
    """Return a digest of a set, to see whether it is the same."""
    return atomic_swap.digest(b"".join(name.encode() + b"\0" + data + b"\0" for name, data in sorted(files.items())))


def _start_old(journal: Journal, machine: Machine) -> atomic_swap.Outcome:
    """Restart dockerd with the old files; its socket too where the path no longer leads to systemd's.

    A docker.socket that is stopped, and that the change did not touch, stays stopped.
    """
    socket = machine.services().socket
    usable = socket.load_state == "loaded" and (journal.with_socket or socket.is_active)
    with_socket = usable and (journal.with_socket or not machine.socket_is_systemds())
    timeout = max(float(journal.timeout), _OLD_DOCKERD_TIMEOUT) if journal.was_active else float(journal.timeout)
    outcome = atomic_swap.restart(machine, timeout, with_socket=with_socket)
    if outcome.problem and journal.was_active:
        outcome = atomic_swap.restart(machine, timeout, with_socket=usable)
    return outcome


def _end(journal: Journal, state: StateDirectory) -> None:
    """Remove the leftovers of the change, and the journal last."""
    for saved in journal.files:
        atomic_swap.discard(saved.path)
    atomic_swap.remove_empty(journal.directories)
    record = state.read_record()
    if journal.phase == UNCONFIRMED:
        with contextlib.suppress(TlsError):  # for who comes too late to confirm
            state.write_record(replace(record or Record(), confirmation_missed=True))
    if journal.certificates is not None:
        with contextlib.suppress(TlsError, OSError):
            last_good = record.last_good_revision if record else None
            certificate_store.prune(journal.certificates.directory, (last_good,) if last_good else ())
    state.remove_journal()
