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


def lines(access: Access, not_inspected: t.Collection[str] = ()) -> list[str]:
    """Return a line for each revocation that was not begun or is not known to be complete, and for each unlisted valid certificate.

    ``not_inspected``: Docker hosts of which this run does not know whom they admit.
    """
    found = [
        f"NOT REVOKED: {_names(one, 'clients')} can connect with certificates of {_names(one, 'generations')} on "
        f"{access_text.named(one.get('hosts') or []) or 'no host'}"
        for one in access.deferred
    ]
    found += _ways(access)
    if access.unknown:
        found.append(
            f"NOT REVOKED: the ledger has no certificate of {', '.join(access.unknown)}; check how the name is written"
        )
    found += [
        f"NOT CHECKED: {one.get('client')} is revoked and holds a certificate of {one.get('generation')} until {str(one.get('not_after'))[:10]}; "
        f"{access_text.named(hosts)} may still admit it, because this run did not inspect {'it' if len(hosts) == 1 else 'them'}"
        for one, hosts in _possibly_admitted(access, not_inspected)
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


def _ways(access: Access) -> list[str]:
    """Return how each revocation of this run is done on which hosts."""
    lines = []
    for one in access.revocations:
        proxies = [str(host) for host in one.get("proxies") or []]
        others = [str(host) for host in one.get("hosts") or [] if host not in proxies]
        ways = [f"{access_text.named(others)}: new authority, restart of dockerd"] if others else []
        ways += (
            [f"{access_text.named(proxies)}: revocation list, new authority, reload of the proxy"] if proxies else []
        )
        if proxies:
            what = f"{_names(one, 'generations')} is retired, and the other clients of {one.get('authority')} get new certificates"
            lines.append(f"Revocation of {_names(one, 'clients')} ({what}): {'; '.join(ways)}")
    by_clients: dict[tuple[str, str], list[str]] = {}
    for (host, generation), clients in access.by_host().items():
        by_clients.setdefault((", ".join(clients), generation), []).append(host)
    for (names, generation), hosts in by_clients.items():
        lines.append(
            f"Revocation of {names} (the other clients of {generation} keep their certificates): {access_text.named(hosts)}: "
            "revocation list, reload of the proxy"
        )
    return lines


def _possibly_admitted(access: Access, not_inspected: t.Collection[str]) -> list[tuple[Mapping, list[str]]]:
    """Return the certificates of revoked clients with the hosts that may have been away when the client was revoked.

    Of a generation that the CA still trusts the revocation is not complete anywhere, which other lines and a failure report, unless the
    revocation list of the generation has the certificate.
    """
    away = set(not_inspected)
    leaving = {str(each) for one in access.revocations for each in one.get("generations") or []}
    found = []
    for one in access.revoked:
        hosts = [host for host in one.get("hosts") or [] if host in away]
        by_list = one.get("listed") and str(one.get("generation")) not in leaving
        if hosts and (by_list or not one.get("trusted")):
            found.append((one, hosts))
    return found[:MOST_CERTIFICATES]


def next_steps(access: Access, not_inspected: t.Collection[str] = ()) -> list[str]:
    """Return by what this access ends, each way once."""
    steps = [
        f"shut {_names(one, 'clients')} out: run portcullis.docker_tls.site for the whole inventory, without --limit and --tags"
        for one in access.deferred
    ]
    for one, hosts in _possibly_admitted(access, not_inspected):
        who, s = ("that host", "s") if len(hosts) == 1 else ("these hosts", "")
        effect = (
            f"get{s} the revocation list with the certificates of {one.get('client')}"
            if one.get("trusted")
            else f"drop{s} the authority of {one.get('client')}"
        )
        steps.append(f"run portcullis.docker_tls.site for {access_text.named(hosts)} too: {who} {effect} then")
    for one in access.unlisted[:MOST_CERTIFICATES]:
        if one.get("source") != "adopted":
            steps.append(
                f"end the access of {one.get('client')} by {one.get('generation')}: {access_text.how_to_end(one)}"
            )
    return list(dict.fromkeys(steps))


def _names(one: Mapping, key: str) -> str:
    return ", ".join(map(str, one.get(key) or []))
