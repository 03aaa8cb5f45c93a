# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to the ledger, asked of ledgers that the CA core wrote."""

from __future__ import annotations

import json
import pathlib
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import access, ledger_query, revocation
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.layout import CaDirectory, ca_directory
from support.ca.ca_directory import PASSPHRASE, call_context, client_request, ensure, request, sign, spec
from support.ca.certificates import NOW

DAY = timedelta(days=1)


@pytest.fixture
def place(tmp_path: pathlib.Path) -> CaDirectory:
    """A CA that issued for web1 and web2, for alice for a week, and a year later minus a month for web1 again."""
    path = tmp_path / "ca"
    ensure(path)
    sign(path, request("web1"), request("web2"))
    sign(path, client_request("alice", validity="7d", requester="localhost"))
    sign(path, request("web1", reasons=("expires-soon",)), now=NOW + 335 * DAY)
    return ca_directory(str(path))


def ask(place: CaDirectory, *, after: timedelta = DAY, **query: Any) -> dict[str, Any]:
    return ledger_query.find(lambda: ledger_query.read(place), ledger_query.Query(**query), NOW + after)


def shown(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(entry["event"], entry.get("requester")) for entry in found["entries"]]


def test_find_returns_everything_newest_first(place: CaDirectory) -> None:
    found = ask(place)
    assert [entry["seq"] for entry in found["entries"]] == [6, 5, 4, 3, 2, 1]
    assert (found["count"], found["begins"]) == (6, "2026-11-22T13:00:00Z")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"requester": "web1"}, [6, 3]),
        ({"requester": "web"}, []),
        ({"name": "web1.example.org"}, [6, 3]),
        ({"name": "WEB2.example.org"}, [4]),
        ({"name": "127.0.0.1"}, [6, 4, 3]),
        ({"name": "alice"}, [5]),
        ({"authority": "server"}, [6, 4, 3, 1]),
        ({"authority": "server-g1"}, [6, 4, 3, 1]),
        ({"authority": "serve"}, []),
        ({"profile": "client"}, [5]),
        ({"profile": "server", "requester": "localhost"}, []),
        ({"limit": 2}, [6, 5]),
        ({"profile": "server", "limit": 1}, [6]),
    ],
)
def test_find_filters(place: CaDirectory, query: dict[str, Any], expected: list[int]) -> None:
    assert [entry["seq"] for entry in ask(place, **query)["entries"]] == expected


def test_find_counts_beyond_its_limit(place: CaDirectory) -> None:
    assert ask(place, profile="server", limit=1)["count"] == 3


def test_find_takes_a_serial_with_colons(place: CaDirectory) -> None:
    serial = ask(place, name="alice")["entries"][0]["serial"]
    colons = ":".join(serial[place : place + 2] for place in range(0, len(serial), 2)).upper()
    assert [entry["seq"] for entry in ask(place, serial=colons)["entries"]] == [5]


def test_find_tells_why_and_how_long(place: CaDirectory) -> None:
    newest = ask(place, requester="web1")["entries"][0]
    assert (newest["reasons"], newest["superseded"], newest["days_left"]) == (["expires-soon"], False, 699.0)


@pytest.mark.parametrize(
    ("after", "within", "expected"),
    [
        (DAY, 30 * DAY, [5]),
        (8 * DAY, 30 * DAY, []),
        (340 * DAY, 30 * DAY, [4]),
        (370 * DAY, 30 * DAY, []),
        (680 * DAY, 30 * DAY, [6]),
    ],
    ids=["the-week", "the-week-is-over", "the-year-not-the-renewed", "all-over", "the-renewed"],
)
def test_find_expiring_leaves_out_what_is_over_and_what_was_renewed(
    place: CaDirectory, after: timedelta, within: timedelta, expected: list[int]
) -> None:
    found = ask(place, after=after, expiring_within=within)
    assert [entry["seq"] for entry in found["entries"]] == expected


def test_find_valid_keeps_what_was_renewed(place: CaDirectory) -> None:
    found = ask(place, after=340 * DAY, valid=True, fields=("seq", "superseded"))
    assert found["entries"][:3] == [
        {"seq": 6, "superseded": False},
        {"seq": 4, "superseded": False},
        {"seq": 3, "superseded": True},
    ]


def test_verify_of_a_whole_ledger_is_intact(place: CaDirectory) -> None:
    found = ledger_query.verify(place)
    assert (found["state"], found["lines"], found["line"], len(found["digest"])) == ("intact", 6, None, 64)


def rewrite(place: CaDirectory, change: Any) -> None:
    path = pathlib.Path(place.ledger)
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))


def altered(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b"web1", b"evil")


def broken(lines: list[bytes]) -> None:
    lines[2] = b"rubbish\n"


@pytest.mark.parametrize(
    ("change", "line", "readable"),
    [
        (altered, 4, 6),
        (broken, 3, 2),
        (lambda lines: lines.pop(2), 3, 5),
        (lambda lines: lines.insert(2, lines[1]), 3, 7),
        (lambda lines: lines.pop(), 5, 5),
        (lambda lines: lines.__setitem__(5, lines[5].replace(b"web1", b"evil")), 6, 6),
        (list.clear, 0, 0),
    ],
    ids=["altered", "no-json", "removed", "put-in", "cut-off", "last-altered", "emptied"],
)
def test_verify_of_a_ledger_that_was_tampered_with_names_the_line(
    place: CaDirectory, change: Any, line: int, readable: int
) -> None:
    rewrite(place, change)
    found = ledger_query.verify(place)
    assert (found["state"], found["line"]) == ("tampered", line)
    assert place.ledger in found["problem"]
    assert ask(place)["count"] == readable


def test_verify_of_a_torn_ledger_says_so_and_the_rest_is_readable(place: CaDirectory) -> None:
    with pathlib.Path(place.ledger).open("ab") as stream:
        stream.write(b'{"seq":7,"prev"')
    found = ledger_query.verify(place)
    assert (found["state"], found["lines"], found["line"]) == ("torn", 6, 7)
    assert "15 bytes" in found["problem"]
    assert ask(place)["count"] == 6


def test_verify_without_its_head_is_tampered(place: CaDirectory) -> None:
    pathlib.Path(place.ledger_head).unlink()
    assert ledger_query.verify(place)["state"] == "tampered"


def test_verify_where_there_is_no_ca_is_missing(tmp_path: pathlib.Path) -> None:
    nowhere = ca_directory(str(tmp_path / "nothing"))
    assert ledger_query.verify(nowhere)["state"] == "missing"
    assert ask(nowhere) == {"count": 0, "entries": [], "begins": None}


def test_find_is_not_upset_by_lines_of_strange_shape(place: CaDirectory) -> None:
    with pathlib.Path(place.ledger).open("ab") as stream:
        stream.write(json.dumps({"seq": 7, "not_after": 5, "names": []}).encode() + b"\n[1]\n")
    found = ask(place, name="", valid=False)
    assert (found["count"], found["entries"][0]["days_left"]) == (7, None)


def test_find_leaves_a_revoked_certificate_out_of_what_has_to_be_renewed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ca"
    ensure(path)
    sign(path, *(client_request(name, validity="7d") for name in ("alice", "bob")))
    place = ca_directory(str(path))
    wish = revocation.RevocationRequest((access.Client("bob", revoked=True),), by_list=frozenset({"clients"}))
    revocation.begin(place, wish, spec("clients"), PASSPHRASE, call_context(), predict=False)
    found = ask(place, expiring_within=30 * DAY)["entries"]
    assert [entry["subject"] for entry in found] == ["CN=alice"]
