# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries of the ledger: its integrity, the issued certificates with requester and reason, those that end soon.

Reads without the lock, so that a question never waits for a run that signs: the ledger only ever grows at its end, and
its head is written after its lines.
"""

from __future__ import annotations

import collections
import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._errors import TlsError
from .._time import from_isoformat
from . import ledger
from .layout import CaDirectory
from .ledger_head import Head

Entry = t.Mapping[str, t.Any]
_LINE = re.compile(r"\bline (\d+)\b")
#: The suffix of an authority's id: a generation of ours, or the mark of another issuer.
_GENERATION = re.compile(r"-(?:g[0-9]+|external)\Z")


@dataclass(frozen=True)
class Query:
    """Which entries are wanted; an empty value does not filter."""

    requester: str = ""
    name: str = ""
    authority: str = ""
    profile: str = ""
    serial: str = ""
    expiring_within: timedelta | None = None
    valid: bool = False
    limit: int = 0
    fields: tuple[str, ...] = ()


def verify(place: CaDirectory, noted: Head | None = None) -> dict[str, t.Any]:
    """Return whether the ledger is ``intact``, ``torn``, ``tampered`` (with the line) or ``missing``.

    ``noted`` is a head that it had once: a ledger that does not continue it is ``tampered``.

    Raises TlsError ``file-unreadable`` or ``ledger-unreadable`` where this user may not read it.
    """
    found = {"path": place.ledger, "state": "intact", "problem": "", "line": None, "lines": 0, "digest": "", "head": ""}
    try:
        seen = ledger.scan(place, noted=noted)
    except TlsError as error:
        if error.code != "ledger-tampered":
            raise
        number = _LINE.search(error.message)
        return {**found, "state": "tampered", "problem": error.message, "line": int(number[1]) if number else None}
    found = {**found, "lines": seen.head.seq, "digest": seen.head.digest if seen.head.seq else ""}
    found["head"] = str(seen.head) if seen.head.seq else ""
    if seen.torn:
        problem = (
            f"the last {seen.torn} bytes of {place.ledger} are not a whole line: a run that issues certificates was "
            "interrupted, or is at it right now"
        )
        return {**found, "state": "torn", "problem": problem, "line": seen.head.seq + 1}
    return found if seen.head.seq else {**found, "state": "missing", "problem": f"there is no ledger in {place.path}"}


def read(place: CaDirectory) -> t.Iterator[Entry]:
    """Yield the entries, oldest first, up to the first line that is none (of a ledger that was tampered with)."""
    try:
        for entry in ledger.entries(place):
            if not isinstance(entry, dict):
                return
            yield entry
    except ValueError:
        return


def find(entries: t.Callable[[], t.Iterable[Entry]], query: Query, now: datetime) -> dict[str, t.Any]:
    """Return ``count`` (how many match), ``entries`` (newest first, at most ``limit``) and ``begins`` (the first time).

    ``entries`` gives the ledger from its beginning each time that it is called. Each entry found also has its
    ``days_left`` and whether it is ``superseded``: the same request was answered again later, or its certificate was revoked.
    """
    revoked: set[tuple[t.Any, t.Any]] = set()
    latest: dict[tuple[str, str], t.Any] = {}
    begins = None
    for entry in entries():
        begins = begins or entry.get("time")
        if _request(entry):
            latest[_request(entry)] = entry.get("seq")
        if entry.get("event") == ledger.REVOKED:
            revoked.add((entry.get("authority"), entry.get("serial")))
    count = 0
    kept: collections.deque[dict[str, t.Any]] = collections.deque(maxlen=query.limit or None)
    for entry in entries():
        renewed = latest.get(_request(entry), entry.get("seq")) != entry.get("seq")
        superseded = renewed or (entry.get("authority"), entry.get("serial")) in revoked
        if _matches(entry, query, now, superseded):
            count += 1
            kept.append(_shown(entry, query, now, superseded))
    return {"count": count, "entries": list(kept)[::-1], "begins": begins}


def _request(entry: Entry) -> t.Any:
    """Return the key that a renewal shares with the renewed certificate, None for other certificates than those of hosts and clients."""
    request = entry.get("request")
    return (entry.get("profile"), request) if request else None


def _matches(entry: Entry, query: Query, now: datetime, superseded: bool) -> bool:
    plain = (
        (query.requester, (entry.get("requester"),)),
        (query.profile, (entry.get("profile"),)),
        (query.serial.lower().replace(":", ""), (entry.get("serial"),)),
        (query.authority, (entry.get("authority"), _GENERATION.sub("", str(entry.get("authority"))))),
        (query.name.lower(), _names(entry)),
    )
    if any(wanted and wanted not in found for wanted, found in plain):
        return False
    if not query.valid and query.expiring_within is None:
        return True
    end = _end(entry)
    if end is None or end <= now:
        return False
    return query.expiring_within is None or (end - now <= query.expiring_within and not superseded)


def _names(entry: Entry) -> list[str]:
    """Return the names of a certificate, with its common name."""
    common = [part[3:] for part in str(entry.get("subject", "")).split(",") if part.startswith("CN=")]
    return [name.lower() for name in (*entry.get("names", ()), *common)]


def _end(entry: Entry) -> datetime | None:
    try:
        return from_isoformat(entry["not_after"])
    except (KeyError, TypeError, ValueError):
        return None


def _shown(entry: Entry, query: Query, now: datetime, superseded: bool) -> dict[str, t.Any]:
    end = _end(entry)
    days = None if end is None else ((end - now) // timedelta(seconds=864)) / 100
    whole = {**entry, "days_left": days, "superseded": superseded}
    return {name: whole.get(name) for name in query.fields} if query.fields else whole
