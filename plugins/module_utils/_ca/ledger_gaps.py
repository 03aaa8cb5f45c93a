# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ledger that is older than the certificates on the hosts, noticed.

After an old backup or a snapshot of the CA host came back, hosts have certificates of this CA that its ledger does not
know. Reports of hosts are not trusted: they make a warning, and a certificate is recorded only after a check of its signature.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from . import ledger, store

_MOST_NAMED = 20
_UNIT = re.compile(r"(?:^|,)OU=([a-z0-9_-]+)-g([0-9]{1,4})(?:,|$)")


@dataclass(frozen=True)
class Installed:
    """A certificate that a host reports to have."""

    requester: str
    serial: str
    issuer: str
    not_before: str = ""
    authority_key_identifier: str = ""


def unknown(
    installed: t.Iterable[Installed], known: t.Container[str], stored: store.Stored
) -> tuple[tuple[Installed, ...], tuple[Installed, ...]]:
    """Return the certificates of our authorities that the ledger lacks, and those of generations that the CA itself lacks."""
    identifiers = {
        one.view.subject: one.view.subject_key_identifier for generations in stored.values() for one in generations
    }
    missing, lost = [], []
    for one in installed:
        if one.issuer in identifiers:
            # Two CAs whose groups are called alike have authorities of one name.
            keys = {identifiers[one.issuer], one.authority_key_identifier} - {""}
            if len(keys) < 2 and one.serial not in known:
                missing.append(one)
            continue
        match = _UNIT.search(one.issuer)
        if match and match[1] in stored and int(match[2]) > stored[match[1]][-1].generation:
            lost.append(one)
    return tuple(missing), tuple(lost)


def warnings(path: str, found: ledger.Scan, missing: t.Sequence[Installed], lost: t.Sequence[Installed]) -> list[str]:
    """Return the warnings for the user."""
    lines = []
    if missing:
        lines.append(
            f"ledger-behind: the ledger {path} ends at line {found.head.seq}{f' of {found.time}' if found.time else ''} and does not know "
            f"{len(missing)} certificate{'s' if len(missing) > 1 else ''} of this CA that hosts have: {_listed(missing)}. Either the CA "
            "directory is an older state (a backup or snapshot that was restored), or someone else signs with its keys. No serial "
            "will be repeated, they are random numbers of 159 bits. If it was a restore, record them: "
            "ansible-playbook portcullis.docker_tls.record_certificates. If it was not, replace the authorities"
        )
    if lost:
        lines.append(
            f"authority-behind: hosts have certificates of newer authorities than this CA has: {_listed(lost)}. The CA directory is an "
            "older state, and what they have is not replaced: restore a newer backup"
        )
    return lines


def _listed(found: t.Sequence[Installed]) -> str:
    named = [
        f"{one.requester or 'unnamed'} (serial {one.serial}{f', since {one.not_before}' if one.not_before else ''})"
        for one in found[:_MOST_NAMED]
    ]
    more = len(found) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
