# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run did, on which host and why, and what to do next: as text, as JSON. PRIVATE: may change without notice.

Fed by ``playbooks/callback_plugins/docker_tls_summary.py``, which sees every result anyway: no task, no time on any host, and the
summary comes also when every host has failed, after which no further play would run.
"""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass, field

from ...module_utils import _table
from ...module_utils._daemon.daemon_log import LOG_MARK
from .. import _answers
from . import connection_hints, signed_certificate, summary_access

Mapping = t.Mapping[str, t.Any]

COLLECTION = "portcullis.docker_tls."
# How many hosts the text names, failed ones first; the JSON has all of them.
MOST_HOSTS = 40
_LONGEST_PROBLEM = 300
# A failure of ours, which has a code, names all problems of a host and dockerd's own reason: those are shown whole.
_LONGEST_OF_OURS = 2000
_WORDS = {
    "failed": "FAILED",
    "unreachable": "UNREACHABLE",
    "not-done": "NOT DONE",
    "changed": "changed",
    "unchanged": "ok",
}
_ORDER = ("failed", "unreachable", "not-done", "changed", "unchanged")
# The modules that a host is done with: who is due and never comes so far was stopped by somebody else's failure.
_LAST = {"daemon_endpoint", "certificate_bundles"}
_CA = {"authorities", "authority_info"}
_CHANGING = {"daemon_endpoint", "endpoint_info"}


@dataclass
class HostRun:
    """What happened on one host. ``done``: lines that read like a plan; ``due``: why there is something to do, until it is done."""

    done: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    finished: bool = False
    refused: bool = False
    problem: str = ""
    #: What the host has to do with its server certificate, and which of the lines ``done`` says so.
    certificate: Mapping | None = None
    certificate_line: int = 0

    def note_certificate(self, request: Mapping) -> None:
        """Take in that a server certificate is due."""
        self.certificate, self.certificate_line = request, len(self.done)
        self.done.append(signed_certificate.pending_line(request))

    def note_signed(self, signed: Mapping) -> None:
        """Take in which certificate the CA signed."""
        if self.certificate is not None:
            self.done[self.certificate_line] = signed_certificate.signed_line(self.certificate, signed)


@dataclass
class Run:
    """A run as far as it has come. ``bundles``: directories on the controller with a bundle that was written.

    ``change_failed``: a change of a daemon, or its proof, is among what has failed. ``unlisted``: valid client certificates that the inventory does
    not list; ``deferred``: revocations that this run does not do; ``unknown``: revoked clients that the ledger does not know.
    """

    check_mode: bool = False
    change_failed: bool = False
    hosts: dict[str, HostRun] = field(default_factory=dict)
    bundles: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    unlisted: list[Mapping] = field(default_factory=list)
    deferred: list[Mapping] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def host(self, name: str) -> HostRun:
        """Return what happened on a host so far."""
        return self.hosts.setdefault(name, HostRun())

    def note_success(self, host: str, module: str, result: Mapping) -> None:
        """Take in the result of one of the collection's modules."""
        if module == "host_state" and not result.get("current"):
            self.host(host).due = [str(reason) for reason in result.get("reasons") or ["undecided"]]
            if result.get("refused"):  # it fails in the last play, which a run that is stopped does not come to
                self.host(host).refused = True
                self.note_problem(host, result["refused"])
        if module in _LAST:
            self.host(host).finished = True
        if module in _CA:
            self._note_access(result)
        if module == "signed_certificates":
            for name, signed in signed_certificate.by_host(result).items():
                self.host(name).note_signed(signed)
        if not result.get("changed"):
            return
        entries = [entry for entry in result.get("requests") or [] if isinstance(entry, t.Mapping)]
        reasons = [
            *(result.get("reasons") or []),
            *(reason for each in entries for reason in each.get("reasons") or []),
        ]
        there = self.host(host)
        there.reasons += [reason for reason in reasons if reason not in there.reasons]
        lines = [str(line) for line in result.get("plan") or []]
        if module == "certificate_bundles":
            self._note_bundles(host, result)
            told = {line.split(": ")[0] for line in there.done}
            lines = [line for line in lines if line.split(": ")[0] not in told]
        elif module == "plain_relay":
            relayed = ", ".join(map(str, result.get("listen") or []))
            lines = [f"the plain port is served on for a while ({relayed})" if relayed else "the plain port is closed"]
        elif "cryptography-missing" in reasons:
            there.done.append("package for Python's cryptography")
        request = signed_certificate.server_request(result) if module == "certificate_requests" else None
        if request is not None:
            there.note_certificate(request)
        else:
            there.done += lines

    def _note_access(self, result: Mapping) -> None:
        for key, kept in (("unlisted", self.unlisted), ("revocations_deferred", self.deferred)):
            kept[:] = [one for one in result.get(key) or [] if isinstance(one, t.Mapping)]
        self.unknown = [str(name) for name in result.get("revoked_unknown") or []]

    def _note_bundles(self, host: str, result: Mapping) -> None:
        for bundle in result.get("bundles") or []:
            if host == "localhost" and set(bundle.get("reasons") or ()) - {"client-revoked"}:
                self.bundles[str(bundle["id"])] = str(bundle["directory"])

    def note_problem(self, host: str, result: Mapping, module: str = "") -> None:
        """Take in why a host failed or was not reached; the last word counts. ``module``: that of ours which failed."""
        self.change_failed = self.change_failed or module in _CHANGING
        output = _answers.instead(result)
        said = [str(result.get("msg") or "").partition("\nSee stdout")[0], output]
        found = " ".join((": ".join(filter(None, said)) or "no reason given").split())
        hint = " ".join(str(result.get("hint") or ("" if result.get("code") else connection_hints.hint(found))).split())
        found = found.partition(f". {LOG_MARK}")[0]
        longest = _LONGEST_OF_OURS if result.get("code") else _LONGEST_PROBLEM
        if len(found) > longest:  # what is to be done is never cut off
            found = f"{found[:longest]}..."
        self.host(host).problem = found if hint in found else f"{found}{'' if found.endswith('.') else '.'} {hint}"

    def end(self, failed: t.Container[str], unreachable: t.Container[str], all_hosts: t.Iterable[str]) -> None:
        """Take in what Ansible says of each host at the end."""
        hosts = list(all_hosts)
        stopped = any(host in unreachable or (host in failed and not self.host(host).refused) for host in hosts)
        for host in hosts:
            one = self.host(host)
            if host in unreachable:
                self.states[host] = "unreachable"
            elif host in failed or one.refused:
                self.states[host] = "failed"
            elif (
                stopped and not one.finished and (one.due or host == "localhost")
            ):  # the controller's bundles come last
                self.states[host] = "not-done"
            else:
                self.states[host] = "changed" if one.done or one.reasons else "unchanged"

    @property
    def outcome(self) -> str:
        """Return ``failed``, ``changed`` or ``nothing-to-do``."""
        found = set(self.states.values())
        if found & {"failed", "unreachable"}:
            return "failed"
        return "changed" if "changed" in found else "nothing-to-do"

    def in_state(self, state: str) -> list[str]:
        """Return the hosts in a state, sorted."""
        return sorted(host for host, found in self.states.items() if found == state)


def text(run: Run, *, has_file: t.Callable[[str], bool] = os.path.exists) -> list[str]:
    """Return the summary as lines: what became of which host, and what to do next."""
    told = [(state, host) for state in _ORDER[:-1] for host in run.in_state(state)]
    rows = [row for state, host in told[:MOST_HOSTS] for row in _host_rows(run, state, host)]
    lines = ["", headline(run), *_table.align(rows, max(map(len, _WORDS.values())))]
    if len(told) > MOST_HOSTS:
        lines.append(
            f"... and {len(told) - MOST_HOSTS} hosts more; DOCKER_TLS_SUMMARY_PATH names a file for all of them."
        )
    lines += [_table.clean(line) for line in summary_access.lines(run.unlisted, run.deferred, run.unknown)]
    following = next_steps(run, has_file=has_file)
    return [*lines, *(["Next:", *(f"  - {_table.clean(step)}" for step in following)] if following else []), ""]


def _host_rows(run: Run, state: str, host: str) -> t.Iterator[tuple[str, str, str]]:
    """Yield a row for each thing on a host that was changed, or one for what went wrong."""
    one = run.host(host)
    done = one.done or [", ".join(one.reasons)]
    if state == "changed":
        yield _WORDS[state], host, done[0]
        yield from (("", "", line) for line in done[1:])
        return
    if state == "not-done":
        label = "planned" if run.check_mode else "done"
        before = f"; {label} before: {'; '.join(one.done)}" if one.done else ""
        why = f"due ({', '.join(one.due)}), but " if one.due else ""
        yield _WORDS[state], host, f"{why}the run has stopped before it came to this host{before}"
        return
    problem = one.problem or "stopped by the failure of another host or of a task for all"
    yield _WORDS[state], host, f"{problem} (was to be: {'; '.join(done)})" if done[0] else problem


def headline(run: Run) -> str:
    """Return the summary in one line."""
    would = "would change" if run.check_mode else "changed"
    words = {
        "failed": "failed",
        "unreachable": "not reached",
        "not-done": "not done",
        "changed": would,
        "unchanged": "as it should be",
    }
    counts = [f"{len(run.in_state(state))} {words[state]}" for state in _ORDER if run.in_state(state)]
    return f"Docker TLS{', a plan' if run.check_mode else ''}: {', '.join(counts) or 'no host'}"


def next_steps(run: Run, *, has_file: t.Callable[[str], bool] = os.path.exists) -> list[str]:
    """Return what the user has to do, or may want to."""
    steps = []
    if run.in_state("failed"):
        kept = (
            ". A change of dockerd that its host could not prove was undone, what only the controller could not prove stays "
            "(portcullis.docker_tls.verify looks again)"
        )
        steps.append(
            "fix the errors on the failed hosts, then run again: completed steps are not repeated"
            + (kept if run.change_failed else "")
        )
    if run.in_state("unreachable"):
        steps.append(
            "run again when the hosts that were not reached are back; until then they keep their certificates, and whom they admit"
        )
    steps += summary_access.next_steps(run.unlisted, run.deferred)
    if run.check_mode:
        return [*steps, "run without --check to do it"] if run.in_state("changed") else steps
    for client, directory in sorted(run.bundles.items()):
        tries = has_file(f"{directory}/env.sh")
        steps.append(
            f"client {client}: {f'try . {directory}/env.sh && docker version; ' if tries else ''}where it is used elsewhere, copy {directory} there"
        )
    return steps


def document(run: Run) -> str:
    """Return the summary as a JSON document, with the outcome on a line of its own for scripts."""
    hosts = [
        {
            "host": host,
            "state": state,
            "reasons": run.host(host).reasons,
            "done": run.host(host).done,
            "due": run.host(host).due if state == "not-done" else [],
            "problem": run.host(host).problem if state in ("failed", "unreachable") else "",
        }
        for host, state in sorted(run.states.items())
    ]
    found = {"outcome": run.outcome, "check_mode": run.check_mode, "summary": headline(run), "hosts": hosts}
    found.update(
        unlisted_certificates=list(run.unlisted), revocations_deferred=list(run.deferred), revoked_unknown=run.unknown
    )
    return json.dumps({**found, "next": next_steps(run)}, indent=2) + "\n"
