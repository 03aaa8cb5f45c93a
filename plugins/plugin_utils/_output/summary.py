# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a run: its changes by host, with reasons, and the next steps; as text and as JSON."""

from __future__ import annotations

import json
import os
import shlex
import typing as t
from datetime import datetime

from ...module_utils import _text_table
from ...module_utils._fleet import access_text
from ...module_utils._time import isoformat
from . import reasons, summary_access
from .run import HostRun, Run

#: Version of the document's form: fields are added without a new one.
SCHEMA = 1
# How many hosts the text names, failed ones first; the JSON has all of them.
MOST_HOSTS = 40
_WORDS = {
    "failed": "FAILED",
    "unreachable": "UNREACHABLE",
    "not-done": "NOT DONE",
    "not-checked": "NOT CHECKED",
    "changed": "changed",
}
_COUNTED = {
    "failed": "failed",
    "unreachable": "not reached",
    "not-done": "not done",
    "not-checked": "not checked",
    "changed": "changed",
    "unchanged": "as it should be",
}
_LEFT_OUT = "--tags, --skip-tags or --start-at-task"


def text(run: Run, *, has_file: t.Callable[[str], bool] = os.path.exists) -> list[str]:
    """Return the summary as lines: what became of which host, and what to do next."""
    listed = [(state, host) for state in _WORDS for host in run.in_state(state)]
    rows = [row for state, host in listed[:MOST_HOSTS] for row in _host_rows(run, state, host)]
    lines = ["", headline(run), *_text_table.align(rows, max(len(_word(run, state)) for state in _WORDS))]
    if len(listed) > MOST_HOSTS:
        lines.append(
            f"... and {len(listed) - MOST_HOSTS} hosts more; DOCKER_TLS_SUMMARY_PATH names a file for all of them."
        )
    if run.outside:
        lines.append(_outside(run))
    if run.bundles_outside:
        lines.append(
            "Not in this run: bundles of clients on the controller; none is made or renewed without localhost in --limit."
        )
    lines += [_text_table.clean(line) for line in summary_access.lines(run.access, _unknown(run))]
    if run.ledger and not run.check_mode and run.in_state("changed"):
        lines.append(_text_table.clean(f"Ledger: {run.ledger}"))
    lines += [_text_table.clean(f"WARNING: {one}") for one in run.warnings]
    following = next_steps(run, has_file=has_file)
    return [*lines, *(["Next:", *(f"  - {_text_table.clean(step)}" for step in following)] if following else []), ""]


def _word(run: Run, state: str) -> str:
    return "would change" if run.check_mode and state == "changed" else _WORDS[state]


def _outside(run: Run) -> str:
    named = access_text.named(run.outside)
    what = "Not in this run:" if run.limited or not run.stopped else "The run stopped before it came to"
    return _text_table.clean(f"{what} {len(run.outside)} of {run.docker_hosts} Docker hosts ({named}).")


def _left_out(run: Run) -> list[str]:
    """Return the hosts that --limit or --tags have excluded."""
    return [*run.outside, *run.in_state("not-checked"), *([] if run.stopped else run.in_state("not-done"))]


def _unknown(run: Run) -> list[str]:
    """Return the hosts of which this run does not know whom they admit."""
    states = ("unreachable", "failed", "not-checked", "not-done")
    return [*run.outside, *(host for state in states for host in run.in_state(state))]


def _host_rows(run: Run, state: str, host: str) -> t.Iterator[tuple[str, str, str]]:
    """Yield a row for each thing on a host that was changed, or one for what went wrong."""
    one, label = run.host(host), _word(run, state)
    if state == "changed":
        done = _done(one) or [reasons.words(one.reasons)]
        yield label, host, done[0]
        yield from (("", "", line) for line in done[1:])
    elif state == "not-done":
        yield label, host, f"{_why_not_done(run, one)}{_before(run, one)}"
    elif state == "not-checked":
        left_out = ", ".join(run.missing[host])
        why = "the run has stopped before it came to this host" if run.stopped else f"left out by {_LEFT_OUT}"
        yield label, host, f"this run has not inspected {left_out}: {why}"
    else:
        problem = one.problem or "stopped by the failure of another host or of a task for all"
        yield label, host, f"{problem}{_before(run, one)}"


def _done(one: HostRun) -> list[str]:
    return [reasons.worded(line) for line in one.done]


def _why_not_done(run: Run, one: HostRun) -> str:
    if run.stopped:
        why = "the run has stopped before it came to this host"
    else:
        why = f"this run has left that out ({_LEFT_OUT})"
    return f"due ({reasons.words(one.due)}), but {why}" if one.due else why


def _before(run: Run, one: HostRun) -> str:
    """Return the changes of a host before the run stopped or the host failed, "" for none."""
    done = _done(one) if run.check_mode else one.done_so_far(reasons.worded)
    lines = done or ([reasons.words(one.reasons)] if one.reasons else [])
    return f" ({'planned' if run.check_mode else 'done before'}: {'; '.join(lines)})" if lines else ""


def headline(run: Run) -> str:
    """Return the summary in one line."""
    words = {**_COUNTED, **({"changed": "would change"} if run.check_mode else {})}
    counts = [f"{count} {word}" for state, word in words.items() for count in [len(run.in_state(state))] if count]
    return f"Docker TLS{', a plan' if run.check_mode else ''}: {', '.join(counts) or 'no host'}"


def next_steps(run: Run, *, has_file: t.Callable[[str], bool] = os.path.exists) -> list[str]:
    """Return the next steps for the user, required or optional."""
    steps = []
    if run.in_state("failed"):
        kept = (
            ". A change that its host could not verify was rolled back. A change that only the controller could not verify stays, and every run "
            "verifies it again"
        )
        steps.append(
            "fix the errors on the failed hosts, then run again: completed steps are not repeated"
            + (kept if run.change_failed else "")
        )
    if run.in_state("unreachable"):
        steps.append(
            "run again when the hosts that were not reached are back; until then they keep their certificates and admitted groups"
        )
    access = summary_access.next_steps(run.access, _left_out(run))
    covered = any(step.startswith(summary_access.WHOLE) for step in access)
    if not covered and (run.in_state("not-checked") or (run.in_state("not-done") and not run.stopped)):
        steps.append(f"run again without {_LEFT_OUT}, for the hosts that this run has left out")
    steps += access
    if run.check_mode:
        return [*steps, "run without --check to do it"] if run.in_state("changed") else steps
    for client, directory in sorted(run.bundles.items()):
        environment = f"{directory}/env.sh"
        tried = f"try . {shlex.quote(environment)} && docker version; " if has_file(environment) else ""
        steps.append(f"client {client}: {tried}where it is used elsewhere, {_carried(directory, has_file)}")
    return steps


def _carried(directory: str, has_file: t.Callable[[str], bool]) -> str:
    """Return how a bundle gets to another place. The docker command's own directory holds logins at registries as well."""
    if os.path.basename(directory.rstrip("/")) != ".docker":
        return f"copy {shlex.quote(directory)} there"
    logins = f"config.json in {shlex.quote(directory)} has this account's logins at registries"
    has_archive = has_file(os.path.join(directory, "contexts-export"))
    archive = (
        f"{'' if has_archive else 'add context_archive to its bundles, run again and '}import its context_archive there"
    )
    return f"{archive}, or copy ca.pem, cert.pem and key.pem; {logins}"


def document(run: Run, now: datetime) -> str:
    """Return the summary as a JSON document of the time ``now``, with the outcome on a line of its own for scripts."""
    hosts = [
        {
            "host": host,
            "state": state,
            "reasons": run.host(host).reasons,
            "done": run.host(host).done if run.check_mode or state == "changed" else run.host(host).done_so_far(),
            "due": run.host(host).due if state == "not-done" else [],
            "code": run.host(host).code if state in ("failed", "unreachable") else "",
            "problem": run.host(host).problem if state in ("failed", "unreachable") else "",
        }
        for host, state in sorted(run.states.items())
    ]
    found: dict[str, t.Any] = {"schema": SCHEMA, "generated": isoformat(now), "outcome": run.outcome}
    found.update(
        check_mode=run.check_mode,
        summary=headline(run),
        hosts=hosts,
        not_in_this_run=run.outside,
        bundles_not_in_this_run=run.bundles_outside,
        unlisted_certificates=list(run.access.unlisted),
        revocations_deferred=list(run.access.deferred),
        revocations_not_verified=[one._asdict() for one in summary_access.unverified(run.access, _unknown(run))],
        revoked_unknown=run.access.unknown,
        ledger=run.ledger,
        warnings=run.warnings,
    )
    return json.dumps({**found, "next": next_steps(run)}, indent=2) + "\n"
