# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The append-only, hash-chained record of every certificate issued.

One JSON object a line. Every line begins with ``{"seq":<n>,"prev":"<sha256 of the line before>","serial":"<hex>",``,
so the whole chain is checked by hashing lines and comparing their beginnings, without parsing JSON (measured:
100,000 lines, 70 MB, in 0.2 s; parsing them would take 1 s). ``ledger.head`` keeps the number and the digest of the
last line, written after it: a changed last line and lines cut off the end are noticed too.

A crash leaves at most a last line without a line feed (torn: cut off again, nothing of it was released) or lines
beyond the head (written, flushed and perhaps not released: kept).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .. import _files
from .._errors import TlsError
from .._time import isoformat
from .call_context import ACCEPT_ONCE, Head
from .layout import FILE_MODE, CaDirectory

GENESIS = "0" * 64
_READ_BUFFER = 1 << 20
# Events about authorities are authority-created, -adopted, -recorded, -signing and -retired; the event stands right behind the serial.
_AUTHORITY_EVENT = b'"event":"authority-'
# ledger-restored, -recorded (the missing entries are in it again) and -restarted.
_LEDGER_EVENT = b'"event":"ledger-re'
_EVENT_WITHIN = 100
# A clock that is set right goes back by seconds; certificates begin five minutes back anyhow.
_CLOCK_TOLERANCE = timedelta(minutes=10)
# One revoked certificate; its serial is the line's own, its authority is parsed.
REVOKED = "certificate-revoked"
_REVOKED_EVENT = b'"event":"certificate-revoked"'
# The fields of an issued server certificate are in this order, see ``batch``; quotes inside of values are escaped by JSON.
_SERVER, _AFTER_REQUESTER, _NAMES = b'"profile":"server","request":', b',"reasons":[', b'"names":['
_REQUESTER = b',"requester":'
# leaf-adopted and leaf-recorded: certificates that others have issued, or an older state of this CA; behind seq, prev and the serial.
_LEAF_EVENT, _LEAF_WITHIN = b'"event":"leaf-', 400
_to_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True)
class Scan:
    """The result of reading the whole ledger.

    ``size`` is the bytes of whole lines, ``torn`` those after the last line feed, ``used`` the serials asked about that
    it holds already, ``authorities`` the certificate fingerprint of every authority by id (retired ones left out),
    ``retired`` the ids of those, ``issuing`` the ids that were made to sign after they had only been trusted.
    ``holders`` the entries of server certificates with a name that was asked about: of each request the last one only, and those that
    were recorded (of the ``claimants`` or the ``requester``) until one of these was issued another.
    ``revoked`` the serials of revoked certificates by the id of their authority, ``last_revoked`` the last of each, in the order of the ledger.
    ``time`` that of the last entry, ``restored`` whether it came from a backup and lacks the certificates issued since.
    """

    head: Head
    size: int
    torn: int
    used: frozenset[str]
    authorities: t.Mapping[str, str]
    retired: frozenset[str] = frozenset()
    issuing: frozenset[str] = frozenset()
    holders: tuple[t.Mapping[str, t.Any], ...] = ()
    time: str = ""
    restored: bool = False
    revoked: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    last_revoked: t.Mapping[str, str] = field(default_factory=dict)


EMPTY = Scan(Head(0, GENESIS), 0, 0, frozenset(), {})


def _tampered(what: str) -> TlsError:
    return TlsError(
        f"{what}. Nothing is issued",
        hint="Restore the CA directory (ledger.jsonl and ledger.head together) from its backup. If you know what "
        f"happened and accept it, {ACCEPT_ONCE}; it keeps the old ledger beside the new one.",
        code="ledger-tampered",
    )


def _read_head(place: CaDirectory) -> Head | None:
    raw = _files.read_bytes_or_none(place.ledger_head)
    if raw is None:
        return None
    try:
        found = json.loads(raw.decode("ascii"))
        return Head(int(found["seq"]), str(found["digest"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _tampered(f"{place.ledger_head} was not written by this collection") from error


def _write_head(place: CaDirectory, head: Head) -> None:
    data = json.dumps({"seq": head.seq, "digest": head.digest}) + "\n"
    _files.write_atomic(place.ledger_head, data.encode("ascii"), FILE_MODE)


def scan(
    place: CaDirectory, *, asked: t.Collection[str] = (), names: t.Iterable[str] = (), noted: Head | None = None
) -> Scan:
    """Read the ledger once, check its chain, find which of the serials ``asked`` it contains, and the owners of ``names``.

    ``noted`` is a head that this ledger had once, kept on another machine: anyone who may write here can make a new chain, but none with that line.

    Raises TlsError ``ledger-tampered`` naming the line, also where the ledger is cut off or gone although its head
    record is there. A torn end is not an error (see ``repair``).
    """
    recorded = _read_head(place)
    try:
        stream = open(place.ledger, "rb", buffering=_READ_BUFFER)  # noqa: SIM115
    except FileNotFoundError:
        known = noted if recorded is None else recorded
        if known is not None and known.seq:
            raise _tampered(f"the ledger {place.ledger} is gone; it had {known.seq} lines") from None
        return EMPTY
    except OSError as error:
        raise TlsError(
            f"cannot read {place.ledger}: {error.strerror}", hint="Check its owner.", code="ledger-unreadable"
        ) from error
    with stream:
        if recorded is None:
            raise _tampered(f"{place.ledger_head} is gone, so the end of the ledger cannot be checked")
        return _scan_lines(place, stream, recorded, frozenset(asked), _Holders(names), noted)


class _Holders:
    """The last server certificate of each request, and those that were recorded, where they carry a name that was asked about.

    Lines are searched, not parsed (100,000 lines: 0.1 s more); only those that carry such a name are, and the few recorded ones.
    """

    def __init__(self, names: t.Iterable[str]) -> None:
        self._asked = frozenset(names)
        self._names = frozenset(json.dumps(name).encode("ascii") for name in self._asked)
        self._lines: dict[bytes, bytes] = {}
        self._recorded: list[t.Mapping[str, t.Any]] = []

    def note(self, line: bytes) -> None:
        """Check a line of the ledger, in its order."""
        if not self._names:
            return
        if line.find(_LEAF_EVENT, 0, _LEAF_WITHIN) >= 0:
            self._note_recorded(json.loads(line))
            return
        begin = line.find(_SERVER)
        if begin < 0:
            return
        request = line[begin : line.find(_AFTER_REQUESTER, begin)]
        if self._recorded:
            requester = json.loads(request[request.rfind(_REQUESTER) + len(_REQUESTER) :])
            self._recorded = [entry for entry in self._recorded if requester not in owners(entry)]
        start = line.find(_NAMES, begin) + len(_NAMES)
        if self._names.isdisjoint(line[start : line.find(b"]", start)].split(b",")):
            self._lines.pop(request, None)
        else:
            self._lines[request] = line

    def _note_recorded(self, entry: t.Mapping[str, t.Any]) -> None:
        if entry.get("profile") in ("server", "both") and owners(entry) and not self._asked.isdisjoint(entry["names"]):
            self._recorded.append(entry)

    def entries(self) -> tuple[t.Mapping[str, t.Any], ...]:
        """Return the entries in the ledger's words."""
        return (*(json.loads(line) for line in self._lines.values()), *self._recorded)


def owners(entry: t.Mapping[str, t.Any]) -> frozenset[str]:
    """Return the owners of the certificate of an entry: the requester; of a recorded one all hosts that have it."""
    found = entry.get("claimants") or [entry.get("requester") or entry.get("request") or ""]
    return frozenset(map(str, filter(None, found)))


def _scan_lines(
    place: CaDirectory, stream: t.BinaryIO, recorded: Head, asked: frozenset[str], holders: _Holders, noted: Head | None
) -> Scan:
    seq, size, torn = 0, 0, 0
    digest = GENESIS
    used = set()
    known = _Authorities({}, set(), set())
    revoked: dict[str, set[str]] = {}
    last_revoked: dict[str, str] = {}
    last, restored = b"", False
    for line in stream:
        if not line.endswith(b"\n"):
            torn = len(line)
            break
        start = b'{"seq":%d,"prev":"%s","serial":"' % (seq + 1, digest.encode("ascii"))
        if not line.startswith(start):
            where = (
                f"line {seq + 1} does not follow from line {seq}" if seq else "line 1 is not the beginning of a ledger"
            )
            raise _tampered(f"{place.ledger} was changed: {where}, so a line there was altered, removed or put in")
        if asked:
            serial = line[len(start) : line.find(b'"', len(start))].decode("ascii", "replace")
            if serial in asked:
                used.add(serial)
        if line.find(_AUTHORITY_EVENT, len(start), len(start) + _EVENT_WITHIN) >= 0:
            _note_authority(known, json.loads(line))
        elif line.find(_LEDGER_EVENT, len(start), len(start) + _EVENT_WITHIN) >= 0:
            restored = json.loads(line)["event"] == "ledger-restored"
        elif line.find(_REVOKED_EVENT, len(start), len(start) + _EVENT_WITHIN) >= 0:
            entry = json.loads(line)
            revoked.setdefault(entry["authority"], set()).add(entry["serial"])
            last_revoked.pop(entry["authority"], None)  # to the end of the order
            last_revoked[entry["authority"]] = entry["serial"]
        last = line
        holders.note(line)
        digest = hashlib.sha256(line[:-1]).hexdigest()
        seq += 1
        size += len(line)
        if seq == recorded.seq and digest != recorded.digest:
            raise _tampered(f"{place.ledger} was changed: line {seq} is not the one that was recorded as its last")
        if noted is not None and seq == noted.seq and digest != noted.digest:
            raise _tampered(f"{place.ledger} was rewritten: line {seq} is not the one of the expected head {noted}")
    if seq < recorded.seq:
        raise _tampered(f"{place.ledger} was cut off: it ends at line {seq} and had {recorded.seq} lines")
    if noted is not None and seq < noted.seq:
        raise _tampered(
            f"{place.ledger} was cut off or is an older one: it ends at line {seq}, before the expected head {noted}"
        )
    return Scan(
        Head(seq, digest),
        size,
        torn,
        frozenset(used),
        known.living,
        frozenset(known.retired),
        frozenset(known.issuing),
        holders.entries(),
        _time_of(last),
        restored,
        {name: frozenset(serials) for name, serials in revoked.items()},
        last_revoked,
    )


def _time_of(line: bytes) -> str:
    try:
        return str(json.loads(line).get("time", ""))
    except (ValueError, AttributeError):
        return ""


def check_clock(place: CaDirectory, found: Scan, now: datetime, where: str = "") -> None:
    """Refuse to write with a clock that is behind the ledger's last line: begin and end of new certificates would be wrong.

    In: ``where`` names the ledger in the message, by default its path. Raises TlsError ``clock-behind``.
    """
    if found.time <= isoformat(now + _CLOCK_TOLERANCE):
        return
    raise TlsError(
        f"the clock of the CA host is behind: it is {isoformat(now)} here, and the last line of {where or place.ledger} is of "
        f"{found.time}. Nothing is issued and nothing was changed",
        hint="Set the clock of the CA host, then run again. If the clock is right and was ahead when that line was written, "
        f"{ACCEPT_ONCE}; it keeps the old ledger beside the new one.",
        code="clock-behind",
    )


@dataclass(frozen=True)
class _Authorities:
    """The state of the authorities after the lines so far, by id."""

    living: dict[str, str]
    retired: set[str]
    issuing: set[str]


def _note_authority(known: _Authorities, entry: t.Mapping[str, t.Any]) -> None:
    name = entry["authority"]
    if entry["event"] == "authority-retired":
        known.living.pop(name, None)
        known.retired.add(name)
        return
    known.living[name] = entry["fingerprint_sha256"]
    if entry["event"] == "authority-issuing":
        known.issuing.add(name)


def repair(place: CaDirectory, found: Scan) -> tuple[str, ...]:
    """Cut a torn last line off, on disk too; return the warning for the user. Only under the lock."""
    _files.remove_half_written(place.ledger_head)
    if not found.torn:
        return ()
    descriptor = os.open(place.ledger, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, found.size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return (
        f"the last line of {place.ledger} was torn by an interrupted run; its {found.torn} bytes were removed "
        "(no certificate of it had been released)",
    )


def encode(head: Head, entries: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[bytes, Head]:
    """Return the lines of ``entries`` that follow ``head`` as one block, and the head after them.

    Every entry has a ``serial`` ("" where it is about no certificate) and an ``event``, and neither ``seq`` nor ``prev``.
    """
    lines = []
    seq, digest = head.seq, head.digest
    for entry in entries:
        seq += 1
        first = {"seq": seq, "prev": digest, "serial": entry["serial"], "event": entry["event"]}
        encoded = _to_json({**first, **entry}).encode("ascii")
        digest = hashlib.sha256(encoded).hexdigest()
        lines.append(encoded + b"\n")
    return b"".join(lines), Head(seq, digest)


def append(place: CaDirectory, found: Scan, entries: t.Iterable[t.Mapping[str, t.Any]]) -> Scan:
    """Write ``entries`` in one write and one fsync, record the new head, and return the ledger's new state.

    Only under the lock, after ``repair``. On any error the file is truncated to its former length.
    Raises TlsError ``ledger-unwritable``.
    """
    block, head = encode(found.head, entries)
    try:
        if found.head.seq == 0 and _read_head(place) is None:
            _write_head(place, found.head)
        _write_block(place, found.size, block)
    except OSError as error:
        raise TlsError(
            f"cannot write the ledger {place.ledger}: {error.strerror}. Nothing was issued",
            hint="Check the free space and the mode of that file system, then run again.",
            code="ledger-unwritable",
        ) from error
    _write_head(place, head)
    return replace(found, head=head, size=found.size + len(block), torn=0)


def _write_block(place: CaDirectory, size: int, block: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(place.ledger, flags, FILE_MODE)
    try:
        if os.fstat(descriptor).st_size != size:
            raise OSError(errno.EBUSY, "another program writes it without the lock")
        try:
            if os.write(descriptor, block) != len(block):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except BaseException:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
            raise
    finally:
        os.close(descriptor)
    if size == 0:
        _files.fsync_directory(place.path)


def entries(place: CaDirectory, wanted: t.Callable[[bytes], bool] = lambda line: True) -> t.Iterator[dict[str, t.Any]]:
    """Yield the entries in their order, without a torn end; for reports. The chain is ``scan``'s business.

    ``wanted`` is asked about each line before it is parsed, which costs ten times as much as a search in it.
    """
    try:
        stream = open(place.ledger, "rb", buffering=_READ_BUFFER)  # noqa: SIM115
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            if line.endswith(b"\n") and wanted(line):
                yield json.loads(line)


def set_aside(place: CaDirectory, stamp: str) -> dict[str, str]:
    """Move the ledger and its head to ``*.<stamp>`` and return the new ledger's entry about the old one.

    Only under the lock and on the user's explicit word: a new chain begins after it.
    """
    while any(os.path.lexists(f"{path}.{stamp}") for path in (place.ledger, place.ledger_head)):
        stamp += "_"
    digest = hashlib.sha256()
    with open(place.ledger, "rb") if os.path.exists(place.ledger) else open(os.devnull, "rb") as stream:
        for block in iter(lambda: stream.read(_READ_BUFFER), b""):
            digest.update(block)
    for path in (place.ledger, place.ledger_head):
        if os.path.lexists(path):
            os.rename(path, f"{path}.{stamp}")
    _files.fsync_directory(place.path)
    return {"old_ledger": f"{os.path.basename(place.ledger)}.{stamp}", "old_ledger_sha256": digest.hexdigest()}
