# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An endpoint from the options to the report: inspect, decide, act, report.

Most runs change nothing. What only a change needs is imported when there is one: on the host a module is compiled again each
time, and that is most of what such a run costs.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._docker import findings as docker_findings
from .._docker.listeners import PLAIN_PORT, Listen
from .._docker.running_daemon import listening
from .._errors import TlsError
from . import certificate_store
from .desired_files import managed_record
from .journal import COMMITTED, UNCONFIRMED, Journal, StateDirectory
from .machine import Machine
from .plan import Done, Options, Plan
from .plan_present import Present, plan_present
from .report import NOT_VERIFIED, Report, report
from .state import HostState, gather

_TASKS = {"present": "set up", "absent": "removed", "rolled_back": "rolled back"}


@dataclass(frozen=True)
class Current:
    """Whether the endpoint is as it is wanted; if not, why not."""

    current: bool
    reasons: tuple[str, ...]
    warnings: tuple[docker_findings.Finding, ...]
    endpoint: t.Mapping[str, t.Any] | None = None


def run(
    options: Options, machine: Machine, state: StateDirectory, now: datetime, *, check_mode: bool
) -> dict[str, t.Any]:
    """Change the host's endpoint to match ``options`` (or only report the effects); return the module's result.

    Raises TlsError; then the host is as it was.
    """
    if check_mode:
        return _look(options, machine, state, now, check_mode=True)
    if not state.exists():
        result = _look(options, machine, state, now, check_mode=False)
        if not result["changed"]:
            return result
        state.make()
    _require_writable(state)
    with state.lock(options.lock_timeout):
        return _act(options, machine, state, now)


def _require_writable(state: StateDirectory) -> None:
    """Raise the errors of a check run where the lock could not even be opened."""
    if not os.access(state.path, os.W_OK):
        from . import preflight_certificates

        docker_findings.raise_errors(
            preflight_certificates.obstacles([state.journal_path]), "the endpoint cannot be changed"
        )


def is_current(options: Options, machine: Machine, state: StateDirectory, now: datetime) -> Current:
    """Return whether ``run`` would find nothing to do, by the same plan; where there is something, after every check before a change.

    With ``certificate_pending`` in ``options`` this is the preflight of a certificate that is not signed yet. For the state
    present only. Raises TlsError as ``run`` does. A host with an unfinished change is never refused here: ``run`` has to finish or
    roll that back first, and the plan is about the state afterwards.
    """
    journal = _journal(state, options)
    if journal is not None:
        return Current(False, _journal_reasons(journal) or ("unconfirmed",), ())
    found, planned = _plan(options, machine, state, now, check_mode=True)
    waiting = (NOT_VERIFIED,) if options.verification_follows and found.unverified else ()
    if planned.plan.changed or waiting:
        return Current(False, (*planned.plan.reasons, *waiting), ())
    shown = report(_report(found, planned, options))["endpoint"]
    return Current(True, planned.plan.reasons, docker_findings.warnings(planned.findings), shown)


def _look(
    options: Options, machine: Machine, state: StateDirectory, now: datetime, *, check_mode: bool
) -> dict[str, t.Any]:
    """Report what would be done."""
    journal = _journal(state, options)
    found, planned = _plan(options, machine, state, now, check_mode=check_mode)
    summary = _report(found, planned, options, _journal_reasons(journal), journal)
    return report(replace(summary, verification=_requested_verification(options, machine, planned)))


def _report(
    found: HostState, planned: Present, options: Options, before: tuple[str, ...] = (), journal: Journal | None = None
) -> Report:
    return Report(
        found,
        planned.plan,
        planned.listen,
        planned.findings,
        options,
        before,
        journal=journal,
        plain_port=planned.plain_port,
    )


def _requested_verification(options: Options, machine: Machine, planned: Present) -> tuple[dict[str, t.Any], ...]:
    """Return the verification of the present endpoint against the options, where it is requested, even if they differ."""
    if not options.verify or options.state != "present":
        return ()
    from . import verify_local

    checks = verify_local.verify(machine, planned.plan.expected, verify_local.own_client(options.directory, options))
    return tuple(check.to_dict() for check in checks)


def _act(options: Options, machine: Machine, state: StateDirectory, now: datetime) -> dict[str, t.Any]:
    _journal(state, options)
    recovered = _recover(state, machine)
    found, planned = _plan(options, machine, state, now, check_mode=False)
    if options.state == "confirmed":
        return _confirm(options, machine, state, found)
    journal = state.read_journal()
    if journal is not None and planned.plan.changed:  # an unconfirmed change, and something else is wanted now
        from .rollback import roll_back

        roll_back(journal, state, machine)
        machine.disarm_timer()
        recovered = ("recovered-unconfirmed-change",)
        found, planned = _plan(options, machine, state, now, check_mode=False)
        journal = None
    summary = _report(found, planned, options, recovered, journal)
    if not planned.plan.changed:
        return report(replace(summary, verification=_requested_verification(options, machine, planned)))
    if not planned.plan.touches_docker:
        _remove_leftovers(found, state)
        return report(replace(summary, done=Done(False)))
    from .transaction import apply

    stopped = machine.running_containers() if planned.plan.containers_stopped else ()
    done = apply(planned.plan, found, state, machine, options)
    # A dockerd that was not touched is as it was found.
    after = machine.engine_facts() if done.restarted or planned.plan.reload else None
    return report(replace(summary, done=done, stopped=stopped, after=after, journal=state.read_journal()))


def _remove_leftovers(found: HostState, state: StateDirectory) -> None:
    """Remove leftovers of an unfinished run on a host whose Docker is unchanged."""
    from .plan_removal import has_record
    from .rollback import restore_directory

    mode = found.record.directory_mode if found.record is not None else None
    restore_directory(found.directory, "", mode, all_of_it=True)
    if has_record(found):
        state.write_record(None)


def _plan(
    options: Options, machine: Machine, state: StateDirectory, now: datetime, *, check_mode: bool
) -> tuple[HostState, Present]:
    """Read the host and decide. Raises TlsError with all that forbids the change."""
    found = gather(
        machine,
        state,
        now=now,
        directory=_directory(options, state),
        config_path=options.config_path,
        strip_endpoint_flags=options.takes_over,
        proxy_wanted=options.listener == "proxy" and options.state == "present",
    )
    if options.state == "confirmed":
        return found, Present(Plan("confirmed"), None, ())
    try:
        return found, _decide(options, machine, state, found, check_mode=check_mode)
    except TlsError as problem:
        raise _with_docker_down(problem, found, machine) from problem


def _decide(
    options: Options, machine: Machine, state: StateDirectory, found: HostState, *, check_mode: bool
) -> Present:
    """Return the plan for the host ``found``. Raises TlsError with all that forbids the change."""
    if options.state != "present":
        from .plan_removal import plan_absent, plan_rolled_back, put_aside
    if options.state == "absent":
        planned = Present(plan_absent(found, options), None, put_aside(found))
    elif options.state == "rolled_back":
        planned = Present(plan_rolled_back(found), None, ())
    else:
        planned = plan_present(
            found, options, check_mode=check_mode, listeners=lambda listen: _listeners(listen, machine, found)
        )
        planned = _with_plain_port(_with_sources(planned, options, machine), options, machine)
        planned = replace(planned, findings=(*planned.findings, *_unverified(options, found)))
    if planned.plan.touches_docker:
        planned = replace(planned, findings=_with_places(options, found, planned, state))
    docker_findings.raise_errors(planned.findings, f"the endpoint cannot be {_TASKS[options.state]}")
    if check_mode and options.state == "present" and planned.plan.restart:
        from . import verify_local  # a change validates with its certificates, once they are staged

        change = next((change.after for change in planned.plan.files if change.path == found.config_path), None)
        verify_local.validate_settings(machine, found, change or found.config_data or b"")
    return planned


def _unverified(options: Options, found: HostState) -> tuple[docker_findings.Finding, ...]:
    """Return a warning where a verification from the controller is due, and this run makes none."""
    if options.verification_follows or not found.unverified:
        return ()
    text = "the controller has not verified this endpoint since its last change, and docker_daemon_verify is never"
    return (docker_findings.warning(NOT_VERIFIED, text, "Run portcullis.docker_tls.verify."),)


def _with_docker_down(problem: TlsError, found: HostState, machine: Machine) -> TlsError:
    """Return the refusal of a change with the fact that Docker has failed on this host, and dockerd's own reason: the more urgent of the two."""
    if found.services.service.active_state not in ("failed", "activating"):
        return problem
    from .._docker import findings

    why = findings.reason(machine.log_tail(0.0))
    message = f"{problem.message}. Docker is down on this host{f': {why}' if why else ''}"
    hint = f"{problem.hint} `systemctl status docker` and `journalctl -u docker` on the host show more.".strip()
    return TlsError(message, hint=hint, code=problem.code)


def _directory(options: Options, state: StateDirectory) -> str:
    """Return where the certificates are: to go back, where an earlier run has put them, regardless of the present option."""
    if options.state in ("present", "confirmed") or not state.exists():
        return options.directory
    record = state.read_record()
    asked = os.path.realpath(options.config_path) if options.config_path else ""
    if record is None or not record.directory or asked not in ("", record.config_path):
        return options.directory
    return record.directory


def _with_places(
    options: Options, found: HostState, planned: Present, state: StateDirectory
) -> tuple[docker_findings.Finding, ...]:
    """Return the plan's findings and what keeps its files from being replaced, errors first."""
    from . import preflight_certificates

    places = [change.path for change in planned.plan.files]
    if planned.plan.certificates or planned.plan.revision or "certificate-pending" in planned.plan.reasons:
        names = (certificate_store.CURRENT, *certificate_store.NAMES)
        places += [os.path.join(found.directory, name) for name in names]
    obstacles = preflight_certificates.obstacles([*places, state.journal_path])
    if options.state == "present" and found.config_path in places:
        exists = found.config_data is not None
        obstacles += preflight_certificates.link_findings(found.config_link, found.config_path, exists=exists)
    together = (*planned.findings, *obstacles)
    return docker_findings.errors(together) + docker_findings.warnings(together)


def _listeners(listen: Listen, machine: Machine, found: HostState) -> tuple[tuple[str, int, str], ...]:
    record = managed_record(found)
    given = listening((), (record.settings if record else None) or {}).tcp
    return machine.other_listeners({address.port for address in listen.addresses}, {port for _address, port in given})


def _with_sources(planned: Present, options: Options, machine: Machine) -> Present:
    """Return the plan with an error where sources should be filtered and this host cannot do that: every address could connect."""
    if not options.allowed_sources or machine.can_filter_sources():
        return planned
    finding = docker_findings.error(
        "allowed-sources-unsupported",
        "docker_daemon_allowed_sources is set, and this host has no unified cgroup hierarchy, without which systemd filters nothing",
        "Boot with systemd.unified_cgroup_hierarchy=1, or remove docker_daemon_allowed_sources for this host.",
    )
    return replace(planned, findings=(*planned.findings, finding))


def _with_plain_port(planned: Present, options: Options, machine: Machine) -> Present:
    """Return the plan with who else listens on 2375, and a warning of it; nothing where the user has allowed that port."""
    others = machine.other_listeners({PLAIN_PORT})
    if not others or options.allow_port_2375:
        return planned
    from . import desired_files

    found = desired_files.check_plain_port(others, api_only=not planned.plan.changed)
    return replace(planned, findings=(*planned.findings, *found), plain_port=desired_files.shown(others))


def _journal(state: StateDirectory, options: Options) -> Journal | None:
    """Return the journal of an unfinished change. Raises TlsError ``change-unfinished`` where it is about another unit.

    Undoing that change would restart the wrong one.
    """
    journal = state.read_journal() if state.exists() else None
    if journal is not None and journal.service != options.service:
        raise TlsError(
            f"a change of {journal.service} is unfinished on this host, and this one is about {options.service}",
            hint=f"Run again with service: {journal.service} first, which finishes it.",
            code="change-unfinished",
        )
    return journal


def _recover(state: StateDirectory, machine: Machine) -> tuple[str, ...]:
    """Roll back or complete the unfinished change of an earlier run; a change that waits for its confirmation continues to wait."""
    journal = state.read_journal()
    if journal is None or journal.phase == UNCONFIRMED:
        return ()
    from .rollback import commit, roll_back

    if journal.phase == COMMITTED:
        commit(journal, state)
    else:
        roll_back(journal, state, machine)
    return _journal_reasons(journal)


def _journal_reasons(journal: Journal | None) -> tuple[str, ...]:
    if journal is None or journal.phase == UNCONFIRMED:
        return ()
    return ("finished-interrupted-change",) if journal.phase == COMMITTED else ("recovered-interrupted-change",)


def _confirm(options: Options, machine: Machine, state: StateDirectory, found: HostState) -> dict[str, t.Any]:
    """Commit an unconfirmed change. Raises TlsError ``confirmation-too-late``."""
    journal = state.read_journal()
    if journal is None and found.record is not None and found.record.confirmation_missed:
        raise TlsError(
            "there is nothing to confirm: the change was rolled back, because it was not confirmed in time",
            hint="Run again, with a larger docker_daemon_confirm_timeout where the time was too short.",
            code="confirmation-too-late",
        )
    if journal is None:
        state.clear_unverified()
        return report(Report(found, Plan("confirmed"), None, (), options))
    from .rollback import commit

    commit(state.move_to(journal, COMMITTED), state)
    machine.disarm_timer()
    state.clear_unverified()
    plan = Plan("confirmed", reasons=("confirmed",))
    return report(Report(found, plan, None, (), options, done=Done(False)))
