# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change of Docker on a host: committed after its verification, or rolled back.

guard process → journal → stage → (live-restore) → swap → daemon-reload → one restart → verification → commit. The steps before
the swap change nothing that dockerd or systemd reads. If we are killed anywhere, the guard process gets our lock at that
moment and rolls the change back from the journal; if the host goes down, the next run does.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace

from .._docker import daemon_json
from .._docker.exec_start import mismatch
from .._docker.findings import LOG_MARK, reason, telling_lines
from .._errors import TlsError
from .._files import read_bytes_or_none
from .._proxy.service import STOP
from . import (
    atomic_swap,
    certificate_store,
    rollback_guard,
    verify_local,
)
from .atomic_swap import Interrupted
from .journal import BEGUN, COMMITTED, UNCONFIRMED, Journal, Record, SavedCertificates, StateDirectory
from .machine import Machine
from .plan import Change, Done, Options, Plan
from .rollback import RolledBack, certificates_digest, commit, roll_back
from .state import HostState

_WHY_NOT_STARTED = (
    "Correct what dockerd's log lines name (`journalctl -u docker` on the host shows all of them), then run again. "
    "A host that starts slowly needs a larger docker_daemon_start_timeout."
)
_DOWN = (
    "Docker had failed before the endpoint was removed, and fails without it: {}. "
    "`systemctl status docker` and `journalctl -u docker` on the host show why."
)
_FAILED_BEFORE = "Docker had failed before: `systemctl status docker` and `journalctl -u docker` on the host show why."


def apply(plan: Plan, found: HostState, state: StateDirectory, machine: Machine, options: Options) -> Done:
    """Carry out ``plan`` on the host ``found``; the caller holds the lock.

    Raises TlsError after everything is as it was: with the reason, dockerd's last log lines and what to do.
    """
    started = machine.time()
    work = _Work(plan, found, state, machine, options)
    work.arm()
    journal = work.begin(started)
    try:
        done = work.change(journal)
        journal = work.decide(journal, done)
    except Exception as error:
        raise _rolled_back(error, journal, state, machine, started) from error
    if journal.phase == UNCONFIRMED:
        return done
    with contextlib.suppress(TlsError, OSError):  # the change is committed; the next run removes leftovers
        commit(journal, state)
        if plan.action == "absent":
            machine.remove_listeners()
    return done


class _Work:
    """The steps of one transaction, with their common data."""

    def __init__(self, plan: Plan, found: HostState, state: StateDirectory, machine: Machine, options: Options) -> None:
        self.plan = plan
        self.found = found
        self.state = state
        self.machine = machine
        self.options = options
        self.saved = {change.path: atomic_swap.save(change.path, change.after) for change in plan.files}
        self.config = next((c for c in plan.files if c.path == found.config_path), None)
        self.down = ""  # why Docker does not run, where it did not before either and need not

    def arm(self) -> None:
        """Start the guard process: it waits for our lock, and has nothing to do without a journal."""
        self.state.make()
        rollback_guard.write_guard(self.state)
        self.machine.arm_guard(rollback_guard.guard_command(self.state))

    def begin(self, started: float) -> Journal:
        """Write the journal: from here on, an interrupted change is known."""
        plan, found = self.plan, self.found
        places = [change.path for change in plan.files]
        certificates = None
        if plan.certificates or plan.revision:
            places.append(os.path.join(found.directory, certificate_store.KEY))
            before = found.certificates
            certificates = SavedCertificates(
                found.directory,
                before.layout,
                before.revision,
                certificates_digest(before.files()),
                before.directory_mode,
            )
        return self.state.write_journal(
            Journal(
                action=plan.action,
                phase=BEGUN,
                started=started,
                service=found.services.service.name,
                socket=found.services.socket.name,
                config_path=found.config_path,
                files=tuple(self.saved[change.path] for change in plan.files),
                directories=atomic_swap.missing_directories(places),
                certificates=certificates,
                process=found.process,
                was_active=found.services.service.is_active,
                config_for_rollback=plan.config_for_rollback if self.config is not None else None,
                ours=tuple(
                    atomic_swap.digest(data)
                    for data in (plan.config_before_restart, plan.config_during_restart, plan.config_for_rollback)
                    if data is not None
                ),
                with_socket=plan.with_socket,
                timeout=self.options.start_timeout,
                record=self._record(),
                found_state=found.services.service.active_state,
                process_started=found.services.service.started,
                released=plan.released,
                adopted=(plan.revision or "") if plan.released else "",
                directory=found.directory,
                directory_mode=plan.directory_mode,
                former=plan.former,
                proxy=plan.proxy,
                proxy_was_active=found.proxy.active,
            )
        )

    def change(self, journal: Journal) -> Done:
        """Do everything up to the verification. Raises TlsError at the first failed step."""
        plan, machine = self.plan, self.machine
        revision = self._prepare_certificates()
        atomic_swap.make_directories(d for d in journal.directories if d != self.found.directory)
        for change in plan.files:
            atomic_swap.stage(self.saved[change.path], self._staged(change))
            if change is self.config and plan.config_for_rollback is not None:
                atomic_swap.stage_rollback_config(self.saved[change.path], plan.config_for_rollback)
        self._validate(revision)
        self._switch_live_restore_on()
        if revision is not None:
            certificate_store.activate(self.found.directory, revision)
        if plan.released and plan.revision is not None:
            certificate_store.restore(self.found.directory, plan.revision)
        for directory in plan.former:
            certificate_store.restore(directory, certificate_store.adopted_revision(directory) or "")
        if plan.proxy == STOP:  # from here on its port is free for a dockerd that starts by itself
            machine.change_proxy(STOP)
        self._swap_files()
        if not plan.restart and (not plan.proxy or plan.proxy == STOP):
            self._reload()
            # Docker is stopped, and its socket still has the former listeners.
            if plan.with_socket and not self.found.services.service.is_active:
                machine.stop(with_socket=True)
            return Done(False)
        if plan.restart:
            self._restart()
        else:
            self._reload()
        if self.down:
            return Done(True, warnings=(_DOWN.format(self.down),))
        if plan.proxy and plan.proxy != STOP:
            machine.change_proxy(plan.proxy)
        own = verify_local.own_client(self.found.directory, self.options)
        checks = verify_local.verify(machine, plan.expected, own)
        verify_local.require(checks)
        self._settle_live_restore()
        return Done(plan.restart, tuple(check.to_dict() for check in checks))

    def decide(self, journal: Journal, done: Done) -> Journal:
        """Commit the change, or make it wait for its confirmation; return the new journal."""
        if self.options.verification_follows and self.plan.action == "present":
            self.state.mark_unverified()
        seconds = self.options.confirm_timeout
        if not seconds or not (done.restarted or self.plan.proxy) or self.plan.action == "absent":
            return self.state.move_to(journal, COMMITTED)
        journal = self.state.move_to(journal, UNCONFIRMED)
        command = rollback_guard.guard_command(self.state, "--timer")
        self.machine.arm_timer(command, self.state.journal_path, seconds)
        return journal

    def _record(self) -> Record | None:
        """Return the record that the commit leaves: the state of now becomes the last good one."""
        record = self.plan.record
        if record is None or record.rolled_back:
            return record
        last_good = tuple(self.saved.get(path) or atomic_swap.save(path, None) for path in self.found.contents)
        old = self.found.record
        if old is not None and old.written_config is not None and old.config_path in ("", record.config_path):
            former = old.former
            if old.directory not in ("", self.found.directory, *former):
                former = (*former, old.directory)
            same = old.directory in ("", self.found.directory)
            mode = old.directory_mode if same else self.found.certificates.directory_mode
        else:
            mode, former = self.found.certificates.directory_mode, ()
        return replace(
            record,
            last_good=last_good,
            last_good_revision=self.found.certificates.revision,
            directory=self.found.directory,
            directory_mode=mode,
            former=former,
        )

    def _prepare_certificates(self) -> str | None:
        directory, revision = self.found.directory, self.plan.revision
        if revision is not None and self.plan.released:  # ours stay where that has none: dockerd can start with either
            return certificate_store.prepare(directory, certificate_store.read_revision(directory, revision))
        if revision is not None or not self.plan.certificates:
            return revision
        return certificate_store.prepare(directory, self.plan.certificates)

    def _staged(self, change: Change) -> bytes | None:
        """Return the files to install: daemon.json gets its final form only after the restart, where live-restore goes off."""
        if change is self.config and self.plan.config_during_restart is not None:
            return self.plan.config_during_restart
        return change.after

    def _validate(self, revision: str | None) -> None:
        """Ask dockerd itself where it can: with the new files, from where they are now."""
        verify_local.validate_proxy(self.machine, self.found, self.plan, revision)
        data = self.config.after if self.config is not None else self.found.config_data
        if data is None or (self.config is None and not self.plan.restart):
            return
        values = daemon_json.parse_daemon_json(data, self.found.config_path).values
        staged = {}
        for key, name in certificate_store.NAME_OF_SETTING.items():
            if revision is not None and str(values.get(key, "")).startswith(self.found.directory.rstrip("/") + "/"):
                staged[key] = os.path.join(self.found.directory, revision, name)
        verify_local.validate(self.machine, self.found, daemon_json.merge(data, staged).encode("utf-8"))

    def _switch_live_restore_on(self) -> None:
        """Write only live-restore and have dockerd reload, so that its stop leaves the containers running."""
        if self.plan.config_before_restart is None or self.config is None:
            return
        self._require_unchanged(self.found.config_data)
        atomic_swap.replace_contents(self.saved[self.config.path], self.plan.config_before_restart)
        pid = self.found.services.service.main_pid
        if not atomic_swap.set_live_restore(self.machine, pid, True) and self._containers_run():
            raise TlsError(
                "live-restore could not be switched on in the running dockerd, so a restart would stop its containers",
                hint="Check `journalctl -u docker`; with docker_daemon_live_restore: keep the containers are stopped.",
                code="live-restore-failed",
            )

    def _containers_run(self) -> bool:
        facts = self.machine.engine_facts()
        return facts is None or facts.containers_running > 0

    def _swap_files(self) -> None:
        """Swap in the planned order; systemd has loaded a changed unit before daemon.json counts on it."""
        units_changed = False
        for change in self.plan.files:
            if change is self.config:
                if units_changed:
                    self._load_units(True)
                    units_changed = False
                self._require_unchanged(self.plan.config_before_restart or self.found.config_data)
            elif change.path not in (self.found.proxy.files.config, self.found.proxy.files.crl):
                units_changed = True
            atomic_swap.swap(self.saved[change.path])
        self._load_units(units_changed)

    def _load_units(self, changed: bool) -> None:
        if not changed and not self.found.services.service.need_daemon_reload:
            return
        self.machine.daemon_reload()
        if any(change.path == self.found.endpoint_socket_path for change in self.plan.files):
            self.machine.close_endpoint_socket()
        if not self.plan.command:
            return
        difference = mismatch(self.plan.command, self.machine.loaded_command())
        if difference:
            raise TlsError(
                f"systemd has loaded another command for dockerd than the one planned: {difference}",
                hint="Another drop-in may override ExecStart: systemctl cat docker.service shows all of them.",
                code="unit-mismatch",
            )

    def _restart(self) -> None:
        outcome = atomic_swap.restart(self.machine, self.options.start_timeout, with_socket=self.plan.with_socket)
        if outcome.problem and self.plan.action == "absent" and not self.found.services.service.is_active:
            self.down = outcome.problem
        elif outcome.problem:
            raise TlsError(outcome.problem, hint=_WHY_NOT_STARTED, code="daemon-start-failed")

    def _reload(self) -> None:
        if not self.plan.reload:
            return
        values = daemon_json.parse_daemon_json(self.config.after if self.config else None, "").values
        wanted = values.get("live-restore") is True
        if not atomic_swap.set_live_restore(self.machine, self.found.services.service.main_pid, wanted):
            raise TlsError(
                "dockerd did not take over live-restore from daemon.json",
                hint="Check `journalctl -u docker`.",
                code="live-restore-failed",
            )

    def _settle_live_restore(self) -> None:
        """Give daemon.json its final form, where live-restore was only on for the restart."""
        if self.plan.config_during_restart is None or self.config is None:
            return
        saved = self.saved[self.config.path]
        if self.config.after is None:
            os.unlink(saved.path)
        else:
            atomic_swap.replace_contents(saved, self.config.after)
        self.machine.hang_up(self.machine.services().service.main_pid)

    def _require_unchanged(self, expected: bytes | None) -> None:
        if read_bytes_or_none(self.found.config_path) != expected:
            raise TlsError(
                f"someone has changed {self.found.config_path} while this change was being made",
                hint="Their version is in place and ours is not. Run again.",
                code="daemon-json-changed",
            )


def _rolled_back(
    error: Exception, journal: Journal, state: StateDirectory, machine: Machine, started: float
) -> TlsError:
    """Roll back everything and return the error about it."""
    log = machine.log_tail(started)
    cause = _with_reason(_as_tls_error(error), log)
    journal = _without_foreign(journal, cause.code)
    try:
        rolled_back = roll_back(journal, state, machine)
    except Exception as failure:
        worse = _as_tls_error(failure)
        message = f"{cause.message}. Going back failed as well: {worse.message}"
        return TlsError(message, hint=worse.hint, code="rollback-failed")
    tail = telling_lines(log)
    shown = f". {LOG_MARK} {' | '.join(tail)}" if tail and rolled_back.restarted else ""
    aside = f". Files of other tools were moved aside: {', '.join(rolled_back.aside)}" if rolled_back.aside else ""
    message = f"{cause.message}. {_how_it_is(rolled_back)}{aside}{shown}"
    hint = cause.hint if rolled_back.found == "active" or not rolled_back.problem else f"{cause.hint} {_FAILED_BEFORE}"
    return TlsError(message, hint=hint.strip(), code=cause.code or "change-failed")


def _how_it_is(rolled_back: RolledBack) -> str:
    """Return the sentence about the state after a rollback: Docker in its former state."""
    if rolled_back.found == "inactive":
        return "Everything is as it was before: Docker was stopped then, and is stopped"
    if rolled_back.found == "failed" and not rolled_back.restarted:
        return "The former configuration is back. Docker had failed before this change already, and was not touched"
    if rolled_back.problem:
        return f"The former configuration is back. Docker had failed before this change already, and fails with it: {rolled_back.problem}"
    if rolled_back.found == "failed":
        return "The former configuration is back. Docker had failed before this change, and runs with it now"
    way = "the old dockerd was started again" if rolled_back.restarted else "dockerd was not touched"
    return f"Everything is as it was before, {way}"


def _with_reason(cause: TlsError, log: str) -> TlsError:
    """Return the failure of a start with dockerd's own reason in it: log lines at a message's end get cut off elsewhere."""
    found = reason(log) if cause.code == "daemon-start-failed" else ""
    return TlsError(f"{cause.message}: {found}", hint=cause.hint, code=cause.code) if found else cause


def _as_tls_error(error: Exception) -> TlsError:
    if isinstance(error, TlsError):
        return error
    if isinstance(error, Interrupted):
        return TlsError(str(error), hint="Run again.", code="interrupted")
    return TlsError(f"{type(error).__name__}: {error}", hint="This should not happen: please report it.")


def _without_foreign(journal: Journal, code: str) -> Journal:
    """Leave daemon.json alone in the rollback, when it was someone else who changed it and not we."""
    if code != "daemon-json-changed":
        return journal
    return replace(journal, files=tuple(saved for saved in journal.files if saved.path != journal.config_path))
