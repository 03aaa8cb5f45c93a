# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger: chained, flushed, repaired where torn, refused where changed."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import call_context, layout, ledger
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError


@pytest.fixture
def place(tmp_path: pathlib.Path) -> layout.CaDirectory:
    return layout.ca_directory(str(tmp_path))


def entry(serial: str, **more: t.Any) -> dict[str, t.Any]:
    return {"serial": serial, "event": "issued", **more}


def write(place: layout.CaDirectory, *serials: str) -> ledger.Scan:
    return ledger.append(place, ledger.scan(place), [entry(serial, subject=f"CN={serial}") for serial in serials])


def lines(place: layout.CaDirectory) -> list[bytes]:
    return pathlib.Path(place.ledger).read_bytes().splitlines(keepends=True)


def put(place: layout.CaDirectory, content: list[bytes]) -> None:
    pathlib.Path(place.ledger).write_bytes(b"".join(content))


def test_append_chains_the_lines(place: layout.CaDirectory) -> None:
    write(place, "a1", "a2")
    write(place, "a3")
    previous = ledger.GENESIS
    for number, line in enumerate(lines(place), start=1):
        found = json.loads(line)
        assert (found["seq"], found["prev"]) == (number, previous)
        previous = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
    assert ledger.scan(place).head == call_context.Head(3, previous)


def test_append_makes_private_files(place: layout.CaDirectory) -> None:
    write(place, "a1")
    for path in (place.ledger, place.ledger_head):
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_append_of_a_batch_is_one_write_and_one_fsync(
    place: layout.CaDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, "a0")
    calls: list[str] = []
    real_write, real_fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda *given: (calls.append("write"), real_write(*given))[1])
    monkeypatch.setattr(os, "fsync", lambda *given: (calls.append("fsync"), real_fsync(*given))[1])
    found = ledger.scan(place)
    block, unused = ledger.encode(found.head, [entry(f"b{number}") for number in range(50)])
    ledger._write_block(place, found.size, block)
    assert calls == ["write", "fsync"]


@pytest.mark.parametrize("text", ['quote " and \\', "line\nfeed", "\x00\u2028é😀", '","event":"authority-created"'])
def test_append_with_any_text_keeps_one_line_for_each_entry(place: layout.CaDirectory, text: str) -> None:
    ledger.append(place, ledger.scan(place), [entry("a1", subject=text, names=[text])])
    found = ledger.scan(place, asked={"a1"})
    assert found.head.seq == 1
    assert found.used == {"a1"}
    assert found.authorities == {}
    assert next(iter(ledger.entries(place)))["subject"] == text


def test_scan_tells_which_serials_are_used(place: layout.CaDirectory) -> None:
    write(place, "aa", "bb", "cc")
    assert ledger.scan(place, asked=["bb", "dd"]).used == {"bb"}


def test_scan_knows_the_authorities_that_are_not_retired(place: layout.CaDirectory) -> None:
    made = [
        {"serial": "1", "event": "authority-created", "authority": "server-g1", "fingerprint_sha256": "f1"},
        {"serial": "2", "event": "authority-created", "authority": "ci-g1", "fingerprint_sha256": "f2"},
        {"serial": "", "event": "authority-retired", "authority": "ci-g1"},
    ]
    assert ledger.append(place, ledger.scan(place), made).head.seq == 3
    assert ledger.scan(place).authorities == {"server-g1": "f1"}


TORN = [b'{"seq":3,"prev":"', b'{"seq":3}', b"\x00" * 4096, b"x"]


@pytest.mark.parametrize("tail", TORN, ids=["half", "whole-without-feed", "zeros", "letter"])
def test_repair_of_a_torn_end_cuts_it_off_and_says_so(place: layout.CaDirectory, tail: bytes) -> None:
    write(place, "a1", "a2")
    whole = lines(place)
    put(place, [*whole, tail])
    found = ledger.scan(place)
    assert (found.head.seq, found.torn) == (2, len(tail))
    warnings = ledger.repair(place, found)
    assert len(warnings) == 1
    assert place.ledger in warnings[0]
    assert lines(place) == whole
    assert ledger.repair(place, ledger.scan(place)) == ()
    assert write(place, "a3").head.seq == 3


def test_scan_with_lines_beyond_the_head_accepts_them(place: layout.CaDirectory) -> None:
    """Killed between the ledger's fsync and the head's."""
    write(place, "a1")
    head = pathlib.Path(place.ledger_head).read_bytes()
    write(place, "a2", "a3")
    pathlib.Path(place.ledger_head).write_bytes(head)
    assert ledger.scan(place).head.seq == 3


def flip(content: list[bytes], number: int) -> list[bytes]:
    content[number - 1] = content[number - 1].replace(b"CN=", b"CN:")
    return content


CHANGES: dict[str, tuple[t.Callable[[list[bytes]], list[bytes]], str]] = {
    "first-line-altered": (lambda content: flip(content, 1), "line 2"),
    "middle-line-altered": (lambda content: flip(content, 2), "line 3"),
    "last-line-altered": (lambda content: flip(content, 4), "line 4"),
    "line-removed": (lambda content: content[:1] + content[2:], "line 2"),
    "first-line-removed": (lambda content: content[1:], "line 1"),
    "lines-swapped": (lambda content: [content[0], content[2], content[1], content[3]], "line 2"),
    "line-doubled": (lambda content: content[:2] + content[1:], "line 3"),
    "line-inserted": (lambda content: [*content[:2], b'{"seq":3}\n', *content[2:]], "line 3"),
    "line-appended": (lambda content: [*content, b'{"seq":5}\n'], "line 5"),
    "end-cut-off": (lambda content: content[:3], "ends at line 3 and had 4"),
    "all-cut-off": (lambda content: [], "ends at line 0 and had 4"),
    "end-torn-into-recorded-line": (lambda content: [*content[:3], content[3][:-5]], "ends at line 3 and had 4"),
    "line-emptied": (lambda content: [*content[:2], b"\n", *content[3:]], "line 3"),
    "garbage": (lambda content: [b"garbage\n"], "line 1"),
}


@pytest.mark.parametrize(("change", "where"), CHANGES.values(), ids=CHANGES)
def test_scan_of_a_changed_ledger_is_refused_and_says_where(
    place: layout.CaDirectory, change: t.Callable[[list[bytes]], list[bytes]], where: str
) -> None:
    write(place, "a1", "a2", "a3", "a4")
    put(place, change(lines(place)))
    with pytest.raises(TlsError) as caught:
        ledger.scan(place)
    assert caught.value.code == "ledger-tampered"
    assert where in caught.value.message
    assert "docker_ca_restart_ledger" in caught.value.hint


@pytest.mark.parametrize("gone", ["ledger", "ledger_head"])
def test_scan_with_one_of_the_two_files_gone_is_refused(place: layout.CaDirectory, gone: str) -> None:
    write(place, "a1")
    os.unlink(getattr(place, gone))
    with pytest.raises(TlsError) as caught:
        ledger.scan(place)
    assert caught.value.code == "ledger-tampered"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"seq":"x","digest":""}', b"\xff"])
def test_scan_with_a_damaged_head_is_refused(place: layout.CaDirectory, content: bytes) -> None:
    write(place, "a1")
    pathlib.Path(place.ledger_head).write_bytes(content)
    with pytest.raises(TlsError) as caught:
        ledger.scan(place)
    assert caught.value.code == "ledger-tampered"


@pytest.mark.parametrize("fault", ["short-write", "write-fails", "fsync-fails"])
def test_append_on_a_failing_disk_leaves_the_ledger_as_it_was(
    place: layout.CaDirectory, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    write(place, "a1")
    before = lines(place)
    found = ledger.scan(place)
    real_write, real_fsync = os.write, os.fsync
    failed: list[int] = []

    def failing_write(descriptor: int, data: bytes) -> int:
        if fault == "write-fails":
            raise OSError(5, "Input/output error")
        return real_write(descriptor, data[:7] if fault == "short-write" else data)

    def failing_fsync(descriptor: int) -> None:
        if fault == "fsync-fails" and not failed:
            failed.append(descriptor)
            raise OSError(28, "No space left on device")
        real_fsync(descriptor)

    monkeypatch.setattr(os, "write", failing_write)
    monkeypatch.setattr(os, "fsync", failing_fsync)
    with pytest.raises(TlsError) as caught:
        ledger.append(place, found, [entry("a2")])
    monkeypatch.undo()
    assert caught.value.code == "ledger-unwritable"
    assert lines(place) == before
    assert ledger.scan(place) == found


def test_append_when_somebody_wrote_without_the_lock_is_refused(place: layout.CaDirectory) -> None:
    write(place, "a1")
    found = ledger.scan(place)
    write(place, "a2")
    with pytest.raises(TlsError) as caught:
        ledger.append(place, found, [entry("a3")])
    assert caught.value.code == "ledger-unwritable"
    assert ledger.scan(place).head.seq == 2


def test_set_aside_keeps_the_old_ledger_and_its_digest(place: layout.CaDirectory) -> None:
    write(place, "a1")
    old = b"".join(lines(place))
    told = ledger.set_aside(place, "20261122T130000Z")
    assert told == {"old_ledger": "ledger.jsonl.20261122T130000Z", "old_ledger_sha256": hashlib.sha256(old).hexdigest()}
    assert pathlib.Path(place.path, told["old_ledger"]).read_bytes() == old
    assert ledger.scan(place) == ledger.EMPTY
