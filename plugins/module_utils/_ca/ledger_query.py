# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from a ledger: queries, the entries that a new one takes over from a damaged one, and certificates that it does not know. |.

Reads without the lock, so that a question never waits for a run that signs: the ledger only ever grows at its end, and
its head is written after its lines.

Certificates that the old one lists stay valid, and revocations stay in force: a ledger without them would hide a client that still has access.
The old ledger may have been changed by someone, so each line counts by itself, and only where it has the form that later runs read.

A ledger that is older than the certificates: after an old backup or a snapshot of the CA host came back, hosts have certificates of this CA that its
ledger does not know. Reports of hosts are not trusted: they make a warning, and a certificate is recorded only after a check of its signature.

Certificates of an authority that this CA has never had: a CA that moved without its directory (the group docker_ca was added, the controller is
another one) would make new authorities, and every daemon would change over to them: all clients of the old ones shut out in one run. The same with the
clients' bundles: the hosts still admit those of the old authority only, as they do after the restore of an old backup. So a
certificate that replaces one of an unknown authority is signed only where the user has permitted it.
"""

from __future__ import annotations

import collections
import json
import re
import shlex
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._errors import TlsError
from .._time import from_isoformat
from . import access, ledger, store
from .call_context import Head
from .layout import CaDirectory
from .policy import Approved, Replaced

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


_MOST_NAMED = 20
_UNIT = re.compile(r"(?:^|,)OU=([a-z0-9_-]+)-g([0-9]{1,4})(?:,|$)")
_RESTORE = (
    "set it aside on the CA host, also where a run has just made a new CA in it (mv {path} {path}.aside), then put the right directory in its place, or "
    "restore the newest backup with portcullis.docker_tls.restore_ca"
)
_OF_SERVER = (
    f"If the CA directory is lost, an older state, or has moved (the group docker_ca was added, another controller), {_RESTORE}. "
    "To keep the clients of another authority working, adopt that authority or rotate. To change over at once, with new bundles for all clients, set "
    "docker_server_cert_foreign_authority: replace."
)
_OF_NEWER = (
    "The CA directory is an older state than what has that certificate, or another CA. Nothing is signed for it, so that it keeps working. "
    f"{_RESTORE[0].upper()}{_RESTORE[1:]}: a newer backup than the last one. Where there is none, set docker_server_cert_foreign_authority: replace "
    "for all hosts: they and their clients then change back to this CA's older authorities."
)
_OF_CLIENT = (
    f"The bundle stays as it is. If the CA directory is lost, the wrong one or an older state, {_RESTORE}. To replace this bundle on purpose, move its "
    "directory away; to replace all, set docker_server_cert_foreign_authority: replace for all hosts."
)


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
        if _is_newer(one.issuer, stored):
            lost.append(one)
    return tuple(missing), tuple(lost)


def _is_newer(issuer: str, stored: store.Stored) -> bool:
    """Return whether the issuer is called like a newer generation of an authority of this CA."""
    match = _UNIT.search(issuer)
    generations = stored.get(match[1]) if match else None
    return bool(match and generations and int(match[2]) > generations[-1].generation)


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
            "older state (restore a newer backup) or another CA. What they have is replaced only with docker_server_cert_foreign_authority: replace"
        )
    return lines


def _listed(found: t.Sequence[Installed]) -> str:
    named = [
        f"{one.requester or 'unnamed'} (serial {one.serial}{f', since {one.not_before}' if one.not_before else ''})"
        for one in found[:_MOST_NAMED]
    ]
    more = len(found) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def serials(approved: t.Iterable[Approved]) -> set[str]:
    """Return the serials of the certificates that would be replaced: the ledger shows which of them are of this CA."""
    return {one.request.replaces.serial for one in approved if one.request.replaces is not None}


def refusals(
    approved: t.Iterable[Approved], found: ledger.Scan, stored: store.Stored, path: str
) -> dict[str, TlsError]:
    """Return, by request id, why a request of ``approved`` must not replace what its host has.

    ``authority-behind`` where the issuer is called like a newer generation of an authority of this CA, else ``authority-foreign``.

    In: ``found``, a reading of the ledger that asked about ``serials``; ``path``, the CA directory for the message.
    """
    known = [one for generations in stored.values() for one in generations]
    return {
        one.request.id: _foreign(one, one.request.replaces, stored, path)
        for one in approved
        if one.request.replaces is not None
        and one.request.replaces.serial not in found.used
        and not any(_is_issuer(each, one.request.replaces) for each in known)
    }


def _is_issuer(stored: store.StoredAuthority, replaced: Replaced) -> bool:
    identifier = stored.view.subject_key_identifier
    if identifier and replaced.authority_key_identifier:
        return identifier == replaced.authority_key_identifier
    return stored.view.subject == replaced.issuer


def _foreign(one: Approved, replaced: Replaced, stored: store.Stored, path: str) -> TlsError:
    newer = _is_newer(replaced.issuer, stored)
    hint = _OF_NEWER if newer else _OF_CLIENT if one.request.profile == "client" else _OF_SERVER
    old = f"sha256 {replaced.authority_fingerprint_sha256}" if replaced.authority_fingerprint_sha256 else "not at hand"
    new = one.authority
    ours = f"{new.id}, sha256 {new.view.fingerprint_sha256}" if new is not None else "yet to be made"
    return TlsError(
        f"it would replace a certificate of the authority {replaced.issuer} (its certificate: {old}, key identifier "
        f"{replaced.authority_key_identifier or 'none'}), which the CA in {path} does not know; its own is {ours}",
        hint=hint.format(path=shlex.quote(path)),
        code="authority-behind" if newer else "authority-foreign",
    )
