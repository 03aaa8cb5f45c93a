# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new ledger takes over from the one that it replaces.

Certificates that the old one lists stay valid, and revocations stay in force: a ledger without them would hide a client that still has access.
The old ledger may have been changed by someone, so each line counts by itself, and only where it has the form that later runs read.
"""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime

from . import access, ledger, store

_LONGEST_LINE = 1 << 20
_SERIAL = re.compile(r"[0-9a-f]{1,40}\Z")
_OF_THE_CHAIN = ("seq", "prev")
_TEXTS = ("authority", "client", "event", "serial", "subject", "time")


def entries_to_keep(path: str, now: datetime) -> list[dict[str, t.Any]]:
    """Return the entries about valid client certificates and about revocations in the ledger ``path``, in their order, without their place in its chain."""
    try:
        stream = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        return []
    with stream:
        found = [_kept(line, now) for line in iter(lambda: stream.readline(_LONGEST_LINE), b"")]
    return [entry for entry in found if entry]


def _kept(line: bytes, now: datetime) -> dict[str, t.Any] | None:
    try:
        entry = json.loads(line)
        if not isinstance(entry, dict) or not _is_plain(entry) or not _is_wanted(entry, now):
            return None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    return {name: value for name, value in entry.items() if name not in _OF_THE_CHAIN}


def _is_plain(entry: access.Entry) -> bool:
    """Return whether an entry only has texts, numbers and lists of texts, as all of ours."""
    texts = all(isinstance(entry.get(name, ""), str) for name in _TEXTS)
    return texts and all(
        value is None
        or isinstance(value, (str, int))
        or (isinstance(value, list) and all(isinstance(one, str) for one in value))
        for value in entry.values()
    )


def _is_wanted(entry: access.Entry, now: datetime) -> bool:
    if store.split_identifier(entry["authority"]) is None:
        return False
    if entry.get("event") == access.REVOKED:
        return bool(access.revoked_pairs([entry])) and isinstance(entry["names"], list) and "serial" in entry
    if not _SERIAL.match(entry["serial"]):
        return False
    if entry.get("event") == ledger.REVOKED:
        return True
    lists = all(isinstance(entry.get(name, []), list) for name in ("claimants", "names", "reasons"))
    if not lists or not access.is_client_certificate(entry) or access.end_of(entry) <= now:
        return False
    access.is_temporary(entry)  # raises ValueError for a time that is none
    return "names" in entry
