# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which groups a revoked client sets in motion, and which it does not."""

from __future__ import annotations

import json
import pathlib
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import (
    access,
    layout,
    ledger,
    revocation,
    stages,
    store,
)
from support.ca.ca_directory import PASSPHRASE, call_context, client_request, csr, ensure, request, sign, spec, tree
from support.ca.certificates import NOW

DAY = timedelta(days=1)


@pytest.fixture(name="ca")
def made_ca(tmp_path: pathlib.Path) -> pathlib.Path:
    """A CA in which alice and bob are of the group clients, and olga of ops."""
    ensure(tmp_path / "ca", "clients", "ops")
    issue(tmp_path / "ca", "alice")
    issue(tmp_path / "ca", "bob")
    issue(tmp_path / "ca", "olga", authority="ops")
    return tmp_path / "ca"


def issue(path: pathlib.Path, name: str, **changes: t.Any) -> None:
    sign(path, client_request(name, request_content=csr(2), **changes), now=changes.pop("now", NOW))


def begin(
    path: pathlib.Path, *revoked: str, members: t.Sequence[str] = ("clients", "ops"), **changes: t.Any
) -> revocation.Outcome:
    predict, end_unlisted = changes.pop("predict", False), changes.pop("end_unlisted", False)
    listed = changes.pop("listed", [access.Client("a member", group) for group in members])
    clients = [*(access.Client(*one.split("/"), revoked=True) for one in revoked), *listed]
    return revocation.begin(
        layout.ca_directory(str(path)),
        revocation.RevocationRequest(tuple(clients), end_unlisted),
        spec("clients", common_name="Docker client CA"),
        PASSPHRASE,
        call_context(**changes),
        predict=predict,
    )


def retire(path: pathlib.Path, name: str) -> None:
    stages.change(layout.ca_directory(str(path)), spec(name), "retired", None, call_context(), predict=False)


def stages_of(outcome: revocation.Outcome, name: str) -> dict[str, str]:
    return {one.id: store.stage_of(one, outcome.stored[name]) for one in outcome.stored[name]}


def test_revoked_member_of_a_shared_group_makes_a_new_generation_sign(ca: pathlib.Path) -> None:
    outcome = begin(ca, "bob/clients")
    assert outcome.reasons == ("client-revoked",)
    assert outcome.revocations == (
        revocation.Revocation("clients", ("bob",), "clients-g2", ("clients-g1",), members=True),
    )
    assert outcome.distrusted == frozenset()
    assert stages_of(outcome, "clients") == {"clients-g1": "retiring", "clients-g2": "issuing"}
    assert stages_of(outcome, "ops") == {"ops-g1": "issuing"}
    last = list(ledger.entries(layout.ca_directory(str(ca))))[-1]
    assert (last["event"], last["reasons"]) == ("authority-created", ["client-revoked: bob"])


def test_second_run_goes_on_where_the_first_was_stopped(ca: pathlib.Path) -> None:
    first = begin(ca, "bob/clients")
    before = tree(ca)
    second = begin(ca, "bob/clients")
    assert (second.reasons, second.revocations) == ((), first.revocations)
    assert tree(ca) == before


def test_after_the_retirement_nothing_is_left_to_do(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients")
    retire(ca, "clients")
    before = tree(ca)
    assert begin(ca, "bob/clients").revocations == ()
    assert begin(ca).revocations == ()
    assert tree(ca) == before


def test_client_that_is_let_in_again_and_revoked_again_is_found_again(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients")
    retire(ca, "clients")
    issue(ca, "bob")
    outcome = begin(ca, "bob/clients")
    assert outcome.revocations[0].generations == ("clients-g2",)
    assert outcome.revocations[0].issuing == "clients-g3"


def test_lone_member_needs_no_time_of_both(ca: pathlib.Path) -> None:
    outcome = begin(ca, "olga/ops", members=["clients"])
    assert outcome.distrusted == {"ops-g1"}
    described = store.describe(outcome.stored, NOW, outcome.distrusted)["ops"]
    assert described["trusted_content"] == described["certificate_content"]
    assert described["id"] == "ops-g2"


def test_client_that_moved_to_another_group_is_shut_out_of_both(ca: pathlib.Path) -> None:
    issue(ca, "bob", authority="ops")
    outcome = begin(ca, "bob/ops")
    assert [(one.authority, one.generations) for one in outcome.revocations] == [
        ("clients", ("clients-g1",)),
        ("ops", ("ops-g1",)),
    ]


def test_generation_that_waits_is_taken(ca: pathlib.Path) -> None:
    stages.change(layout.ca_directory(str(ca)), spec("clients"), "accepted", PASSPHRASE, call_context(), predict=False)
    outcome = begin(ca, "bob/clients")
    assert stages_of(outcome, "clients") == {"clients-g1": "retiring", "clients-g2": "issuing"}


NOTHING: dict[str, tuple[str, ...]] = {
    "nobody-revoked": (),
    "client-never-was": ("mallory/clients",),
    "server-of-that-name": ("web1.example.org/clients",),
}


@pytest.mark.parametrize("revoked", NOTHING.values(), ids=NOTHING)
def test_nothing_to_revoke_changes_nothing(ca: pathlib.Path, revoked: tuple[str, ...]) -> None:
    sign(ca, request())
    before = tree(ca)
    outcome = begin(ca, *revoked)
    assert (outcome.revocations, outcome.reasons) == ((), ())
    assert tree(ca) == before


def test_expired_certificate_is_nobodys_way_in(ca: pathlib.Path) -> None:
    assert begin(ca, "bob/clients", now=NOW + 366 * DAY).revocations == ()


def test_short_lived_client_is_held_until_its_hours_are_over(ca: pathlib.Path) -> None:
    issue(ca, "ci", validity="8h")
    assert begin(ca, "ci/clients", now=NOW + timedelta(hours=9)).revocations == ()
    assert begin(ca, "ci/clients", now=NOW + timedelta(hours=7)).revocations[0].clients == ("ci",)


@pytest.mark.parametrize("name", ["Bob, of Ops", "bücher", "a+b=c"])
def test_name_with_signs_is_found(ca: pathlib.Path, name: str) -> None:
    issue(ca, "odd", common_name=name)
    assert begin(ca, f"{name}/clients").revocations[0].clients == (name,)


def test_generation_that_the_ledger_did_not_see_begin_is_suspected(ca: pathlib.Path) -> None:
    (ca / "ledger.jsonl").write_text("tampered\n")
    ensure(ca, "clients", "ops", restart_ledger=True)
    outcome = begin(ca, "bob/clients")
    assert outcome.revocations[0].generations == ("clients-g1",)
    retire(ca, "clients")
    assert begin(ca, "bob/clients").revocations == ()


def restart(path: pathlib.Path) -> None:
    """Restart the ledger of a CA whose chain somebody has broken, between lines that are still as they were."""
    lines = (path / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (path / "ledger.jsonl").write_bytes(b"".join([*lines[:2], b"{oops\n", *lines[2:]]))
    ensure(path, "clients", "ops", restart_ledger=True)


def test_valid_certificates_are_known_after_a_restart_of_the_ledger(ca: pathlib.Path) -> None:
    issue(ca, "short", validity="8h")
    before = list(ledger.entries(layout.ca_directory(str(ca))))
    restart(ca)
    listed = [access.Client("alice", "clients")]
    outcome = begin(ca, listed=listed, now=NOW + timedelta(hours=9))
    assert [(one.client, one.reason) for one in outcome.access.unlisted] == [
        ("bob", "client-unlisted"),
        ("olga", "client-unlisted"),
    ]
    now = list(ledger.entries(layout.ca_directory(str(ca))))
    assert (now[0]["event"], now[0]["taken_over"]) == ("ledger-restarted", 4)
    shown = [{**one, "seq": 0, "prev": ""} for one in before if one["event"] == "issued"]
    assert [{**one, "seq": 0, "prev": ""} for one in now[1:5]] == shown
    assert begin(ca, "bob/clients").unknown == ()


def test_begun_revocation_is_completed_after_a_restart_of_the_ledger(ca: pathlib.Path) -> None:
    first = begin(ca, "bob/clients")
    restart(ca)
    assert begin(ca).revocations == first.revocations


def test_revoked_serials_are_in_the_list_after_a_restart_of_the_ledger(ca: pathlib.Path) -> None:
    place = layout.ca_directory(str(ca))
    entry = next(one for one in ledger.entries(place) if one.get("request") == "bob")
    line = {"serial": entry["serial"], "event": ledger.REVOKED, "authority": "clients-g1", "client": "bob"}
    ledger.append(place, ledger.scan(place), [line])
    restart(ca)
    assert ledger.scan(place).revoked == {"clients-g1": {entry["serial"]}}


#: What somebody who could write the old ledger may have put there; none of it may stop later runs.
ODD: dict[str, dict[str, t.Any]] = {
    "no-authority": {"authority": None},
    "authority-of-no-form": {"authority": "../clients-g1"},
    "no-serial": {"serial": None},
    "serial-of-no-form": {"serial": "0x-1"},
    "no-end": {"not_after": None},
    "end-of-no-form": {"not_after": "soon"},
    "begin-of-no-form": {"not_before": "then"},
    "names-of-no-form": {"names": "alice"},
    "number-for-a-name": {"names": [1]},
    "claimants-of-no-form": {"event": "leaf-recorded", "profile": "both", "claimants": 1},
    "nested": {"request": {"profile": "server", "request": ""}},
    "another-event": {"event": "authority-created"},
    "revocation-without-names": {"event": "client-revoked", "names": None},
    "revoked-serial-of-no-form": {"event": "certificate-revoked", "serial": "zz"},
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_restarted_ledger_takes_over_no_line_that_later_runs_cannot_read(
    ca: pathlib.Path, change: dict[str, t.Any]
) -> None:
    place = layout.ca_directory(str(ca))
    lines = [{**one, **change} if one.get("request") == "bob" else one for one in ledger.entries(place)]
    (ca / "ledger.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in [[], 1, *lines]))
    ensure(ca, "clients", "ops", restart_ledger=True)
    assert [one.get("request") for one in ledger.entries(place)][1:3] == ["alice", "olga"]
    assert ledger.scan(place, names=["bob"]).revoked == {}
    assert [one.client for one in begin(ca, listed=[]).access.unlisted] == ["alice", "olga"]


def test_prediction_names_what_would_leave_and_changes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    outcome = begin(ca, "bob/clients", predict=True)
    assert tree(ca) == before
    assert outcome.reasons == ("client-revoked",)
    assert outcome.revocations == (revocation.Revocation("clients", ("bob",), "", ("clients-g1",), members=True),)


def test_without_a_ca_nothing_is_revoked(tmp_path: pathlib.Path) -> None:
    assert begin(tmp_path / "ca", "bob/clients").revocations == ()
    assert not (tmp_path / "ca").exists()


@pytest.mark.parametrize("event", ["leaf-recorded", "leaf-adopted"])
def test_certificate_that_was_found_on_a_host_is_one_to_revoke(ca: pathlib.Path, event: str) -> None:
    place = layout.ca_directory(str(ca))
    entries = [{**entry, "event": event} if entry["event"] == "issued" else entry for entry in ledger.entries(place)]
    found = revocation.holdings(entries, [access.Client("alice", "clients")], store.read_authorities(place), NOW)
    assert found == {"clients": {("alice", "clients-g1")}}


def test_after_a_restore_a_client_without_an_entry_is_taken_to_hold_one(ca: pathlib.Path) -> None:
    place, carol = layout.ca_directory(str(ca)), [access.Client("carol", "clients")]
    entries, stored = list(ledger.entries(place)), store.read_authorities(place)
    assert revocation.holdings(entries, carol, stored, NOW) == {}
    restored = [*entries, {"event": "ledger-restored", "serial": ""}]
    assert revocation.holdings(restored, carol, stored, NOW) == {"clients": {("carol", "clients-g1")}}


def events(path: pathlib.Path) -> list[tuple[str, str]]:
    """Return event and authority of the ledger's lines about authorities and revocations."""
    lines = ledger.entries(layout.ca_directory(str(path)))
    return [(line["event"], line["authority"]) for line in lines if line["event"] != "issued"]


def test_revocation_is_in_the_ledger_before_the_new_generation(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients")
    assert events(ca)[-3:] == [
        ("client-revoked", "clients-g1"),
        ("certificate-revoked", "clients-g1"),
        ("authority-created", "clients-g2"),
    ]
    line = next(each for each in ledger.entries(layout.ca_directory(str(ca))) if each["event"] == "client-revoked")
    assert (line["client"], line["names"], line["user"]) == ("bob", ["dirname:CN=bob"], "tester")


def test_revocation_that_was_begun_is_finished_although_its_entry_is_gone(ca: pathlib.Path) -> None:
    first = begin(ca, "bob/clients")
    before = tree(ca)
    assert begin(ca).revocations == first.revocations
    assert tree(ca) == before
    retire(ca, "clients")
    assert begin(ca).revocations == ()


def test_client_that_is_let_in_again_keeps_its_new_certificate(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients")
    issue(ca, "bob")
    outcome = begin(ca, listed=[access.Client("bob"), access.Client("alice"), access.Client("olga", "ops")])
    assert outcome.revocations[0].generations == ("clients-g1",)
    retire(ca, "clients")
    assert begin(ca, listed=[access.Client("bob")]).revocations == ()


MOVED = [access.Client("alice"), access.Client("bob"), access.Client("olga", "clients")]


def test_unlisted_certificate_is_named_and_stays(ca: pathlib.Path) -> None:
    before = tree(ca)
    outcome = begin(ca, listed=MOVED)
    assert [(one.client, one.generation, one.reason) for one in outcome.access.unlisted] == [
        ("olga", "ops-g1", "group-changed")
    ]
    assert (outcome.revocations, tree(ca)) == ((), before)


def test_unlisted_certificate_is_ended_where_that_is_wanted(ca: pathlib.Path) -> None:
    foretold = begin(ca, listed=MOVED, end_unlisted=True, predict=True)
    outcome = begin(ca, listed=MOVED, end_unlisted=True)
    assert outcome.revocations == (revocation.Revocation("ops", ("olga",), "ops-g2", ("ops-g1",), members=False),)
    assert foretold.revocations[0].generations == ("ops-g1",)
    assert outcome.access.unlisted == ()
    assert stages_of(outcome, "clients") == {"clients-g1": "issuing"}
    retire(ca, "ops")
    assert begin(ca, listed=MOVED, end_unlisted=True).revocations == ()


@pytest.mark.parametrize("event", ["leaf-recorded", "leaf-adopted"])
def test_certificate_that_was_not_issued_here_is_not_ended_by_accident(ca: pathlib.Path, event: str) -> None:
    place = layout.ca_directory(str(ca))
    found = ledger.scan(place)
    issued = next(entry for entry in ledger.entries(place) if entry["event"] == "issued")
    foreign = {**issued, "event": event, "subject": "CN=zed", "names": ["dirname:CN=zed"], "request": ""}
    for name in ("seq", "prev"):
        del foreign[name]
    ledger.append(place, found, [foreign])
    outcome = begin(ca, listed=[*MOVED, access.Client("olga", "ops")], end_unlisted=True)
    assert [(one.client, one.source) for one in outcome.access.unlisted] == [("zed", event.partition("-")[2])]
    assert outcome.revocations == ()
    assert begin(ca, "zed/clients").revocations[0].clients == ("zed",)


def test_revoked_client_that_the_ledger_never_heard_of_is_named(ca: pathlib.Path) -> None:
    assert begin(ca, "bbo/clients", "bob/clients").access.unknown == ("bbo",)


def test_killed_after_the_revocations_line_goes_on(ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: t.Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(revocation, "_renew", killed)
        with pytest.raises(KeyboardInterrupt):
            begin(ca, "bob/clients")
    assert begin(ca).revocations[0].issuing == "clients-g2"
    assert [event for event, unused in events(ca)].count("client-revoked") == 1
