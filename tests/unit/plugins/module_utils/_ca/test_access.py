# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which valid certificates should no longer be used, by the ledger and the inventory: every way in which an entry can change."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import access, layout, ledger, revocation, store
from support.ca.ca_directory import client_request, csr, ensure, request, sign
from support.ca.certificates import NOW

Client = access.Client


def here(name: str, group: str = "clients", *requests: str) -> Client:
    """A client with a bundle on the controller, or where ``requests`` say."""
    return Client(name, group, False, frozenset(requests or [f"localhost/{name}"]))


@pytest.fixture(name="ca", scope="module")
def made_ca(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """alice has bundles on the controller and on desk, bob and olga (of ops) on the controller."""
    path = tmp_path_factory.mktemp("access") / "ca"
    ensure(path, "clients", "ops")
    wanted = [
        ("localhost/alice", "alice", "clients", "localhost"),
        ("desk/root:alice", "alice", "clients", "desk"),
        ("localhost/bob", "bob", "clients", "localhost"),
        ("localhost/olga", "olga", "ops", "localhost"),
    ]
    for identifier, name, group, requester in wanted:
        one = client_request(name, id=identifier, authority=group, requester=requester, request_content=csr(2))
        sign(path, one)
    sign(path, request())
    sign(path, dataclasses.replace(client_request("check"), reasons=("temporary-client",), validity="10m"))
    return path


ALICE, BOB, OLGA = here("alice", "clients", "localhost/alice", "desk/root:alice"), here("bob"), here("olga", "ops")
USUAL = [ALICE, BOB, OLGA]

CHANGES: dict[str, tuple[list[Client], list[tuple[str, str, str, str]]]] = {
    "nothing": (USUAL, []),
    "group": (
        [ALICE, BOB, here("olga", "clients")],
        [("olga", "ops-g1", "localhost/olga", "group-changed")],
    ),
    "entry-deleted": ([ALICE, OLGA], [("bob", "clients-g1", "localhost/bob", "client-unlisted")]),
    "entry-renamed": ([ALICE, here("robert"), OLGA], [("bob", "clients-g1", "localhost/bob", "client-unlisted")]),
    "entry-in-other-letters": ([ALICE, here("Bob"), OLGA], [("bob", "clients-g1", "localhost/bob", "client-unlisted")]),
    "taken-from-a-machine": (
        [here("alice"), BOB, OLGA],
        [("alice", "clients-g1", "desk/root:alice", "bundle-unlisted")],
    ),
    "taken-from-the-controller": (
        [here("alice", "clients", "desk/root:alice"), BOB, OLGA],
        [("alice", "clients-g1", "localhost/alice", "bundle-unlisted")],
    ),
    "moved-to-another-user": (
        [here("alice", "clients", "localhost/alice", "desk/al:alice"), BOB, OLGA],
        [("alice", "clients-g1", "desk/root:alice", "bundle-unlisted")],
    ),
    "no-bundle-any-more": (
        [ALICE, Client("bob", "clients", False, frozenset()), OLGA],
        [("bob", "clients-g1", "localhost/bob", "bundle-unlisted")],
    ),
    "anywhere": ([Client("alice"), BOB, OLGA], []),
    "in-both-groups": ([*USUAL, Client("olga", "clients")], []),
    "nobody-listed": (
        [],
        [
            ("alice", "clients-g1", "localhost/alice", "client-unlisted"),
            ("alice", "clients-g1", "desk/root:alice", "client-unlisted"),
            ("bob", "clients-g1", "localhost/bob", "client-unlisted"),
            ("olga", "ops-g1", "localhost/olga", "client-unlisted"),
        ],
    ),
}


def compared(ca: pathlib.Path, clients: t.Sequence[Client], days: int = 0) -> access.Access:
    return revocation.pending(layout.ca_directory(str(ca)), clients, NOW + timedelta(days=days)).access


@pytest.mark.parametrize(("clients", "expected"), CHANGES.values(), ids=CHANGES)
def test_every_certificate_that_the_inventory_no_longer_wants_is_found(
    ca: pathlib.Path, clients: list[Client], expected: list[tuple[str, str, str, str]]
) -> None:
    found = compared(ca, clients)
    assert [(one.client, one.generation, one.request, one.reason) for one in found.unlisted] == expected
    assert found.revoked == ()
    assert compared(ca, clients, days=366) == access.Access()


def test_revoked_client_is_no_unlisted_one_wherever_its_certificates_are(ca: pathlib.Path) -> None:
    found = compared(ca, [BOB, OLGA, Client("alice", "clients", revoked=True)])
    assert [(one.request, one.reason, one.trusted) for one in found.revoked] == [
        ("localhost/alice", "client-revoked", True),
        ("desk/root:alice", "client-revoked", True),
    ]
    assert found.unlisted == ()


def entry(**changes: t.Any) -> dict[str, t.Any]:
    usual = {
        "event": "issued",
        "authority": "clients-g1",
        "profile": "client",
        "request": "localhost/carol",
        "requester": "localhost",
        "reasons": [],
        "subject": "CN=carol",
        "names": ["dirname:CN=carol"],
        "not_before": "2026-11-22T12:00:00Z",
        "not_after": "2027-11-22T12:00:00Z",
    }
    return {**usual, **changes}


def found_in(ca: pathlib.Path, *lines: dict[str, t.Any], clients: t.Sequence[Client] = ()) -> access.Access:
    return access.compare(lines, clients, store.read_authorities(layout.ca_directory(str(ca))), NOW)


TEMPORARY = {"reasons": ["temporary-client"]}
COUNTS: dict[str, tuple[dict[str, t.Any], int]] = {
    "client": ({}, 1),
    "both-profiles": ({"profile": "both"}, 1),
    "server": ({"profile": "server"}, 0),
    "retired-generation": ({"authority": "clients-g9"}, 0),
    "expired": ({"not_after": "2020-01-01T00:00:00Z"}, 0),
    "temporary": ({**TEMPORARY, "not_after": "2026-11-23T12:00:00Z"}, 0),
    "says-that-it-is-temporary": (TEMPORARY, 1),
}


@pytest.mark.parametrize(("changes", "count"), COUNTS.values(), ids=COUNTS)
def test_only_certificates_that_open_something_for_long_count(
    ca: pathlib.Path, changes: dict[str, t.Any], count: int
) -> None:
    assert len(found_in(ca, entry(**changes)).unlisted) == count


def test_renewals_of_one_bundle_are_one_line_until_the_last_end(ca: pathlib.Path) -> None:
    ends = ("2027-11-22T12:00:00Z", "2028-02-01T12:00:00Z", "2027-12-22T12:00:00Z")
    found = found_in(ca, *(entry(not_after=end) for end in ends)).unlisted
    assert [one.to_dict()["not_after"] for one in found] == ["2028-02-01T12:00:00Z"]


def test_certificate_that_was_recorded_belongs_to_the_bundle_of_its_host(ca: pathlib.Path) -> None:
    recorded = entry(event="leaf-recorded", request="")
    assert found_in(ca, recorded, clients=[here("carol")]).unlisted == ()
    elsewhere = found_in(ca, recorded, clients=[here("carol", "clients", "desk/root:carol")]).unlisted
    assert [(one.reason, one.can_be_ended) for one in elsewhere] == [("bundle-unlisted", False)]


def test_ledger_says_who_was_revoked_without_the_inventory(ca: pathlib.Path) -> None:
    line = {"event": "client-revoked", "authority": "clients-g1", "client": "carol", "names": ["dirname:CN=carol"]}
    later = entry(authority="ops-g1", request="localhost/carol")
    found = found_in(ca, entry(), line, later, clients=[here("carol", "ops")])
    assert [(one.generation, one.trusted) for one in found.revoked] == [("clients-g1", True)]
    assert found.unlisted == ()
    gone = found_in(ca, entry(authority="clients-g0"), {**line, "authority": "clients-g0"})
    assert [(one.generation, one.trusted) for one in gone.revoked] == [("clients-g0", False)]


def test_name_with_signs_is_compared_as_it_is_written(ca: pathlib.Path) -> None:
    odd = entry(subject="CN=a\\+b", names=["dirname:CN=a\\+b"])
    assert found_in(ca, odd, clients=[Client("a+b")]).unlisted == ()
    assert [one.client for one in found_in(ca, odd).unlisted] == ["a+b"]


def test_lines_of_servers_are_not_read(ca: pathlib.Path) -> None:
    found = access.entries(layout.ca_directory(str(ca)))
    every = list(ledger.entries(layout.ca_directory(str(ca))))
    assert {one["event"] for one in every} == {"authority-created", "issued"}
    assert [one for one in every if one not in found] == [one for one in every if one.get("profile") == "server"]
