# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary at the end of a run: hosts, access, next steps, and the same as JSON."""

from __future__ import annotations

import json
import os
import shlex
import typing as t
from datetime import datetime

from ...module_utils import _text_table
from ...module_utils._fleet import advice
from ...module_utils._time import isoformat
from . import run_output
from .run import Access, HostRun, Run

Mapping = t.Mapping[str, t.Any]

#: How many certificates the text names; the JSON has all of them.
MOST_CERTIFICATES = 10
#: What completes a revocation.
WHOLE = "run portcullis.docker_tls.site for the whole inventory, without --limit and --tags"


class Unverified(t.NamedTuple):
    """A revoked client that ``hosts`` may still admit by its certificates of a generation; ``until`` is the end of these, "" if not known."""

    client: str
    generation: str
    until: str
    hosts: list[str]


def access_lines(access: Access, unknown: t.Collection[str] = ()) -> list[str]:
    """Return a line for each revocation that was not begun or is not known to be complete, and for each unlisted valid certificate.

    ``unknown``: Docker hosts of which this run does not know whom they admit.
    """
    found = [
        f"NOT REVOKED: {_names(one, 'clients')} can connect with certificates of {_names(one, 'generations')} on "
        f"{advice.named(one.get('hosts') or []) or 'no host'}"
        for one in access.deferred
    ]
    found += _ways(access, unknown)
    if access.unknown:
        found.append(
            f"NOT REVOKED: the ledger has no certificate of {', '.join(access.unknown)}; check how the name is written"
        )
    found += [
        f"NOT VERIFIED: {one.client} is revoked, and {advice.named(one.hosts)} may still admit it by {one.generation}"
        + (f" (until {one.until})" if one.until else "")
        for one in unverified(access, unknown)[:MOST_CERTIFICATES]
    ]
    if access.unlisted:
        found.append("Client certificates that the inventory does not list, and that are valid:")
        found += [
            f"  {advice.what(one)}: {advice.opens(one, one.get('hosts') or [])}; {advice.why(one)}"
            for one in access.unlisted[:MOST_CERTIFICATES]
        ]
    if len(access.unlisted) > MOST_CERTIFICATES:
        found.append(
            f"  and {len(access.unlisted) - MOST_CERTIFICATES} more; DOCKER_TLS_SUMMARY_PATH names a file for all of them."
        )
    return found


def _ways(access: Access, unknown: t.Collection[str]) -> list[str]:
    """Return the way of each revocation of this run, by host."""
    lines = []
    for one in access.revocations:
        proxies = [str(host) for host in one.get("proxies") or [] if host not in unknown]
        others = [str(host) for host in one.get("hosts") or [] if host not in (*(one.get("proxies") or []), *unknown)]
        ways = [f"{advice.named(others)}: new authority, restart of dockerd"] if others else []
        ways += [f"{advice.named(proxies)}: revocation list, new authority, reload of the proxy"] if proxies else []
        if proxies:
            what = f"{_names(one, 'generations')} is retired, and the other clients of {one.get('authority')} get new certificates"
            lines.append(f"Revocation of {_names(one, 'clients')} ({what}): {'; '.join(ways)}")
    by_clients: dict[tuple[str, str], list[str]] = {}
    for (host, generation), clients in access.by_host().items():
        if host not in unknown:
            by_clients.setdefault((", ".join(clients), generation), []).append(host)
    for (names, generation), hosts in by_clients.items():
        lines.append(
            f"Revocation of {names} (the other clients of {generation} keep their certificates): {advice.named(hosts)}: "
            "revocation list, reload of the proxy"
        )
    return lines


def unverified(access: Access, unknown: t.Collection[str]) -> list[Unverified]:
    """Return the revoked clients that one of the hosts ``unknown`` may still admit, each once for a generation.

    Those are revoked in this run, or in an earlier one, since which no run has verified the host, this one included. What is not begun, other lines and a
    failure report.
    """
    away = set(unknown)
    found: dict[tuple[str, str], Unverified] = {}
    deferred = {str(each) for one in access.deferred for each in one.get("generations") or []}

    def note(client: t.Any, generation: t.Any, until: str, hosts: t.Iterable[t.Any]) -> None:
        verified = access.verified.get((str(client), str(generation)), ())
        uncertain = [str(host) for host in hosts if host in away and host not in verified]
        if not uncertain or generation in deferred:
            return
        one = found.setdefault((str(client), str(generation)), Unverified(str(client), str(generation), until, []))
        one.hosts.extend(host for host in uncertain if host not in one.hosts)

    leaving = {str(each) for one in access.revocations for each in one.get("generations") or []}
    for one in access.revoked:
        if one.get("generation") in leaving or (one.get("trusted") and not one.get("listed")):
            continue
        refusing = one.get("refused_by") or ()
        hosts = (host for host in one.get("hosts") or [] if host not in refusing)
        note(one.get("client"), one.get("generation"), str(one.get("not_after"))[:10], hosts)
    for one in access.revocations:
        for client in one.get("clients") or []:
            note(client, ", ".join(map(str, one.get("generations") or [])), "", one.get("hosts") or [])
    for one in access.listed:
        note(one.get("client"), one.get("authority"), "", one.get("hosts") or [])
    return list(found.values())


def access_steps(access: Access, left_out: t.Collection[str] = ()) -> list[str]:
    """Return the ways to end this access, each once. ``left_out``: the hosts that --limit and --tags have excluded."""
    effects = [f"shuts {_names(one, 'clients')} out" for one in access.deferred]
    uncertain = unverified(access, left_out)
    if uncertain:
        hosts = list(dict.fromkeys(host for one in uncertain for host in one.hosts))
        clients = list(dict.fromkeys(one.client for one in uncertain))
        who = "refuses" if len(hosts) == 1 else "refuse"
        effects.append(f"verifies that {advice.named(hosts)} {who} {advice.named(clients)}")
    steps = []
    if effects:
        steps.append(f"{WHOLE}: this {', and '.join(dict.fromkeys(effects))}")
    if access.unknown:
        names = ", ".join(access.unknown)
        steps.append(
            f"compare the name {names} with the certificates in the ledger (portcullis.docker_tls.ledger_info), and correct or remove its entry"
        )
    for one in access.unlisted[:MOST_CERTIFICATES]:
        if one.get("source") != "adopted":
            steps.append(f"end the access of {one.get('client')} by {one.get('generation')}: {advice.how_to_end(one)}")
    return list(dict.fromkeys(steps))


def _names(one: Mapping, key: str) -> str:
    return ", ".join(map(str, one.get(key) or []))


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
    lines += [_text_table.clean(line) for line in access_lines(run.access, _unknown(run))]
    if run.ledger and not run.check_mode and run.in_state("changed"):
        lines.append(_text_table.clean(f"Ledger: {run.ledger}"))
    lines += [_text_table.clean(f"WARNING: {one}") for one in run.warnings]
    following = next_steps(run, has_file=has_file)
    return [*lines, *(["Next:", *(f"  - {_text_table.clean(step)}" for step in following)] if following else []), ""]


def _word(run: Run, state: str) -> str:
    return "would change" if run.check_mode and state == "changed" else _WORDS[state]


def _outside(run: Run) -> str:
    named = advice.named(run.outside)
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
        done = _done(one) or [run_output.words(one.reasons)]
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
    return [run_output.worded(line) for line in one.done]


def _why_not_done(run: Run, one: HostRun) -> str:
    if run.stopped:
        why = "the run has stopped before it came to this host"
    else:
        why = f"this run has left that out ({_LEFT_OUT})"
    return f"due ({run_output.words(one.due)}), but {why}" if one.due else why


def _before(run: Run, one: HostRun) -> str:
    """Return the changes of a host before the run stopped or the host failed, "" for none."""
    done = _done(one) if run.check_mode else one.done_so_far(run_output.worded)
    lines = done or ([run_output.words(one.reasons)] if one.reasons else [])
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
    access = access_steps(run.access, _left_out(run))
    covered = any(step.startswith(WHOLE) for step in access)
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
        revocations_not_verified=[one._asdict() for one in unverified(run.access, _unknown(run))],
        revoked_unknown=run.access.unknown,
        ledger=run.ledger,
        warnings=run.warnings,
    )
    return json.dumps({**found, "next": next_steps(run)}, indent=2) + "\n"
