# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a run's summary about access that the inventory does not give, or takes away."""

from __future__ import annotations

import typing as t

from ...module_utils._fleet import access_text
from .run import Access

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


def lines(access: Access, unknown: t.Collection[str] = ()) -> list[str]:
    """Return a line for each revocation that was not begun or is not known to be complete, and for each unlisted valid certificate.

    ``unknown``: Docker hosts of which this run does not know whom they admit.
    """
    found = [
        f"NOT REVOKED: {_names(one, 'clients')} can connect with certificates of {_names(one, 'generations')} on "
        f"{access_text.named(one.get('hosts') or []) or 'no host'}"
        for one in access.deferred
    ]
    found += _ways(access, unknown)
    if access.unknown:
        found.append(
            f"NOT REVOKED: the ledger has no certificate of {', '.join(access.unknown)}; check how the name is written"
        )
    found += [
        f"NOT VERIFIED: {one.client} is revoked, and {access_text.named(one.hosts)} may still admit it by {one.generation}"
        + (f" (until {one.until})" if one.until else "")
        for one in unverified(access, unknown)[:MOST_CERTIFICATES]
    ]
    if access.unlisted:
        found.append("Client certificates that the inventory does not list, and that are valid:")
        found += [
            f"  {access_text.what(one)}: {access_text.opens(one, one.get('hosts') or [])}; {access_text.why(one)}"
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
        ways = [f"{access_text.named(others)}: new authority, restart of dockerd"] if others else []
        ways += (
            [f"{access_text.named(proxies)}: revocation list, new authority, reload of the proxy"] if proxies else []
        )
        if proxies:
            what = f"{_names(one, 'generations')} is retired, and the other clients of {one.get('authority')} get new certificates"
            lines.append(f"Revocation of {_names(one, 'clients')} ({what}): {'; '.join(ways)}")
    by_clients: dict[tuple[str, str], list[str]] = {}
    for (host, generation), clients in access.by_host().items():
        if host not in unknown:
            by_clients.setdefault((", ".join(clients), generation), []).append(host)
    for (names, generation), hosts in by_clients.items():
        lines.append(
            f"Revocation of {names} (the other clients of {generation} keep their certificates): {access_text.named(hosts)}: "
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


def next_steps(access: Access, left_out: t.Collection[str] = ()) -> list[str]:
    """Return the ways to end this access, each once. ``left_out``: the hosts that --limit and --tags have excluded."""
    effects = [f"shuts {_names(one, 'clients')} out" for one in access.deferred]
    uncertain = unverified(access, left_out)
    if uncertain:
        hosts = list(dict.fromkeys(host for one in uncertain for host in one.hosts))
        clients = list(dict.fromkeys(one.client for one in uncertain))
        who = "refuses" if len(hosts) == 1 else "refuse"
        effects.append(f"verifies that {access_text.named(hosts)} {who} {access_text.named(clients)}")
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
            steps.append(
                f"end the access of {one.get('client')} by {one.get('generation')}: {access_text.how_to_end(one)}"
            )
    return list(dict.fromkeys(steps))


def _names(one: Mapping, key: str) -> str:
    return ", ".join(map(str, one.get(key) or []))
