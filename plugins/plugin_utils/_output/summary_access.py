# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a run's summary about access that the inventory does not give, or takes away. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t

from ...module_utils import _access_text

Mapping = t.Mapping[str, t.Any]

#: How many certificates the text names; the JSON has all of them.
MOST_CERTIFICATES = 10


def lines(unlisted: t.Sequence[Mapping], deferred: t.Sequence[Mapping], unknown: t.Sequence[str] = ()) -> list[str]:
    """Return a line for each revocation that was not begun, and for each valid certificate that the inventory does not list.

    ``unknown`` are revoked clients that the ledger has no certificate of.
    """
    found = [
        f"NOT REVOKED: {_names(one, 'clients')} can get in with certificates of {_names(one, 'generations')} on "
        f"{_access_text.named(one.get('hosts') or []) or 'no host'}"
        for one in deferred
    ]
    if unknown:
        found.append(
            f"NOT REVOKED: the ledger has no certificate of {', '.join(unknown)}; check how the name is written"
        )
    if unlisted:
        found.append("Client certificates that the inventory does not list, and that are valid:")
        found += [
            f"  {_access_text.what(one)}: {_access_text.opens(one, one.get('hosts') or [])}; {_access_text.why(one)}"
            for one in unlisted[:MOST_CERTIFICATES]
        ]
    if len(unlisted) > MOST_CERTIFICATES:
        found.append(
            f"  and {len(unlisted) - MOST_CERTIFICATES} more; DOCKER_TLS_SUMMARY_PATH names a file for all of them."
        )
    return found


def next_steps(unlisted: t.Sequence[Mapping], deferred: t.Sequence[Mapping]) -> list[str]:
    """Return by what this access ends, each way once."""
    steps = [
        f"shut {_names(one, 'clients')} out: run site.yml for the whole inventory, without --limit and --tags"
        for one in deferred
    ]
    for one in unlisted[:MOST_CERTIFICATES]:
        if one.get("source") != "adopted":
            steps.append(
                f"end the access of {one.get('client')} by {one.get('generation')}: {_access_text.how_to_end(one)}"
            )
    return list(dict.fromkeys(steps))


def _names(one: Mapping, key: str) -> str:
    return ", ".join(map(str, one.get(key) or []))
