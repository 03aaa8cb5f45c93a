# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocation lists at the CA: always there, complete by the ledger, and enough for groups whose hosts check them."""

from __future__ import annotations

import pathlib
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import (
    access,
    certificate_files,
    layout,
    ledger,
    revocation,
    stages,
    store,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import revocation_list
from support.ca.ca_directory import PASSPHRASE, call_context, client_request, csr, ensure, sign, spec, tree
from support.ca.certificates import NOW, openssl_verify

LATER = NOW + timedelta(hours=1)
CLIENTS = frozenset({"clients"})


@pytest.fixture(name="ca")
def made_ca(tmp_path: pathlib.Path) -> pathlib.Path:
    """A CA in which alice and bob are of the group clients, and olga of ops."""
    path = tmp_path / "ca"
    ensure(path, "clients", "ops")
    for name, group in (("alice", "clients"), ("bob", "clients"), ("olga", "ops")):
        issue(path, name, group)
    return path


def issue(path: pathlib.Path, name: str, group: str = "clients", now: t.Any = NOW) -> str:
    result = sign(path, client_request(name, authority=group, request_content=csr(2)), now=now)
    view = result.signed[client_request(name).id].view
    assert view is not None
    return view.serial


def begin(
    path: pathlib.Path, *revoked: str, by_list: t.Collection[str] = CLIENTS, **changes: t.Any
) -> revocation.Outcome:
    clients = [
        *(access.Client(*one.split("/"), revoked=True) for one in revoked),
        access.Client("alice", requests=changes.pop("requests", {}).get("alice")),
        access.Client("olga", "ops"),
    ]
    clients += [access.Client(name) for name in changes.pop("listed", ())]
    return revocation.begin(
        layout.ca_directory(str(path)),
        revocation.RevocationRequest(tuple(clients), changes.pop("end_unlisted", False), frozenset(by_list)),
        spec("clients", common_name="Docker client CA"),
        PASSPHRASE,
        call_context(now=changes.pop("now", LATER)),
        predict=changes.pop("predict", False),
        deferred=changes.pop("deferred", False),
    )


def lists_of(path: pathlib.Path, name: str = "clients-g1") -> revocation_list.RevocationList:
    authority = path / "authorities" / name
    anchor = (authority / "certificate.pem").read_text()
    (found,) = revocation_list.check_lists((authority / "crl.pem").read_text(), anchor, LATER)
    return found


def revoked_in(path: pathlib.Path, name: str = "clients-g1") -> set[str]:
    return {f"{serial:x}" for serial in lists_of(path, name).serials}


def lines_of(path: pathlib.Path, event: str) -> list[dict[str, t.Any]]:
    return [line for line in ledger.entries(layout.ca_directory(str(path))) if line["event"] == event]


def test_every_client_authority_has_an_empty_list_from_the_beginning(ca: pathlib.Path) -> None:
    assert revoked_in(ca) == revoked_in(ca, "ops-g1") == set()
    assert not (ca / "authorities/server-g1/crl.pem").exists()
    assert (ca / "authorities/clients-g1/crl.pem").stat().st_mode & 0o777 == 0o600
    before = tree(ca)
    assert ensure(ca, "clients", "ops", now=LATER).reasons == ()
    assert tree(ca) == before


def test_revoked_client_is_in_the_list_and_no_generation_is_made(ca: pathlib.Path) -> None:
    serial, second = issue(ca, "mallory"), issue(ca, "mallory")
    outcome = begin(ca, "mallory/clients")
    assert (outcome.reasons, outcome.revocations) == (("client-revoked",), ())
    assert {one.serial for one in outcome.listed} == {serial, second}
    assert revoked_in(ca) == {serial.lstrip("0"), second.lstrip("0")}
    assert [one.id for one in outcome.stored["clients"]] == ["clients-g1"]
    assert revoked_in(ca, "ops-g1") == set()
    line = lines_of(ca, "certificate-revoked")[0]
    assert (line["serial"] in {serial, second}, line["authority"], line["client"]) == (True, "clients-g1", "mallory")
    assert line["user"] == "tester"


def test_second_run_changes_nothing(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients")
    before = tree(ca)
    again = begin(ca, "bob/clients")
    assert (again.reasons, again.revocations, again.listed) == ((), (), ())
    assert ensure(ca, "clients", "ops", now=LATER).reasons == ()
    assert tree(ca) == before


def test_prediction_says_the_same_and_changes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    predicted = begin(ca, "bob/clients", predict=True)
    assert tree(ca) == before
    done = begin(ca, "bob/clients")
    assert (predicted.reasons, predicted.listed, predicted.revocations) == (done.reasons, done.listed, done.revocations)


def test_client_that_gets_a_certificate_again_is_not_in_the_list_with_that(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients")
    serial = issue(ca, "bob", now=LATER)
    outcome = begin(ca, listed=("bob",))
    assert (outcome.listed, outcome.revocations) == ((), ())
    assert serial.lstrip("0") not in revoked_in(ca)
    assert [(one.client, one.reason, one.listed) for one in outcome.access.revoked] == [("bob", "client-revoked", True)]
    assert lines_of(ca, "client-revoked") == []


def test_number_increases_with_every_list_also_within_a_second(ca: pathlib.Path) -> None:
    first = lists_of(ca).number
    issue(ca, "carol")
    begin(ca, "bob/clients", now=NOW)
    second = lists_of(ca).number
    begin(ca, "carol/clients", now=NOW)
    assert first < second < lists_of(ca).number


def test_group_of_a_mixed_fleet_gets_both(ca: pathlib.Path) -> None:
    outcome = begin(ca, "bob/clients", by_list=())
    assert [one.generations for one in outcome.revocations] == [("clients-g1",)]
    assert len(revoked_in(ca)) == 1
    assert revoked_in(ca, "clients-g2") == set()
    (described,) = (each for name, each in store.describe(outcome.stored, LATER).items() if name == "clients")
    anchors, lists = described["trusted_content"], described["crl_content"]
    assert [len(one.serials) for one in revocation_list.check_lists(lists, anchors, LATER)] == [0, 1]


def test_host_that_checks_no_lists_later_brings_a_new_generation(ca: pathlib.Path) -> None:
    assert begin(ca, "bob/clients").revocations == ()
    outcome = begin(ca, "bob/clients", by_list=())
    assert [one.clients for one in outcome.revocations] == [("bob",)]
    assert outcome.listed == ()


def test_limited_run_revokes_by_list_and_defers_the_rest(ca: pathlib.Path) -> None:
    outcome = begin(ca, "bob/clients", "olga/ops", deferred=True)
    assert [one.authority for one in outcome.revocations] == ["ops"]
    assert outcome.reasons == ("client-revoked",)
    assert {one.client for one in outcome.listed} == {"bob"}
    assert (len(revoked_in(ca)), len(revoked_in(ca, "ops-g1"))) == (1, 0)
    assert len(outcome.stored["ops"]) == 1
    assert begin(ca, "bob/clients", "olga/ops", deferred=True).reasons == ()


def test_unlisted_certificates_are_ended_by_list_too(ca: pathlib.Path) -> None:
    outcome = begin(ca, end_unlisted=True)
    assert {one.client for one in outcome.listed} == {"bob"}
    assert outcome.revocations == ()


def test_certificate_that_is_listed_stays_when_another_of_its_client_is_ended(ca: pathlib.Path) -> None:
    """The same client has a bundle on a machine that the inventory no longer has."""
    before = client_request("alice").id
    lost = client_request("alice", id="laptop/alice", request_content=csr(2))
    serial = sign(ca, lost, now=NOW).signed["laptop/alice"].view.serial
    outcome = begin(ca, end_unlisted=True, listed=("bob",), requests={"alice": frozenset({before})})
    assert [(one.client, one.serial, one.group) for one in outcome.listed] == [("alice", serial, "clients")]
    assert revoked_in(ca) == {serial.lstrip("0")}


def test_run_that_only_reads_names_whom_no_list_refuses_yet(ca: pathlib.Path) -> None:
    issue(ca, "carol")
    begin(ca, "carol/clients")
    clients = [access.Client(name, revoked=True) for name in ("bob", "carol")]

    def found(by_list: t.Collection[str]) -> list[tuple[str, ...]]:
        place = layout.ca_directory(str(ca))
        return [one.clients for one in revocation.pending(place, clients, LATER, by_list).revocations]

    assert found(CLIENTS) == [("bob",)]
    begin(ca, "bob/clients", "carol/clients")
    assert found(CLIENTS) == []
    assert found(()) == [("bob", "carol")]


def test_lists_are_not_enough_where_another_authority_can_have_none(
    ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that admits both groups would refuse all clients of the other one, so it gets no lists at all."""
    has_list = certificate_files.has_list
    monkeypatch.setattr(certificate_files, "has_list", lambda one: one.name != "ops" and has_list(one))
    outcome = begin(ca, "bob/clients")
    assert [one.authority for one in outcome.revocations] == ["clients"]


def damaged(path: pathlib.Path, how: str) -> None:
    target = path / "authorities/clients-g1/crl.pem"
    if how == "missing":
        target.unlink()
    elif how == "foreign":
        target.write_bytes((path / "authorities/ops-g1/crl.pem").read_bytes())
    elif how == "unreadable":
        target.write_text("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    else:
        target.write_bytes(how.encode())


@pytest.mark.parametrize("how", ["missing", "foreign", "unreadable", "no list\n", ""])
def test_list_that_cannot_be_used_is_signed_again_with_all_that_is_revoked(ca: pathlib.Path, how: str) -> None:
    begin(ca, "bob/clients")
    wanted, number = revoked_in(ca), lists_of(ca).number
    damaged(ca, how)
    assert ensure(ca, "clients", "ops", now=LATER, predict=True).reasons == ("revocation-list-signed",)
    assert ensure(ca, "clients", "ops", now=LATER + timedelta(seconds=2)).reasons == ("revocation-list-signed",)
    assert revoked_in(ca) == wanted
    assert lists_of(ca).number > number
    assert ensure(ca, "clients", "ops", now=LATER + timedelta(seconds=2)).reasons == ()


def test_list_that_lacks_what_the_ledger_revokes_is_completed(ca: pathlib.Path) -> None:
    """A run was killed between the ledger and the list, or the file was restored."""
    empty = (ca / "authorities/clients-g1/crl.pem").read_bytes()
    begin(ca, "bob/clients")
    wanted = revoked_in(ca)
    (ca / "authorities/clients-g1/crl.pem").write_bytes(empty)
    assert ensure(ca, "clients", "ops", now=LATER).reasons == ("revocation-list-signed",)
    assert revoked_in(ca) == wanted


def test_revoked_serial_stays_in_the_list_though_the_ledger_lost_it(ca: pathlib.Path) -> None:
    """As after the restoration of an older ledger: what the authority has signed once holds."""
    ledger_before = [(ca / name).read_bytes() for name in ("ledger.jsonl", "ledger.head")]
    begin(ca, "bob/clients")
    wanted = revoked_in(ca)
    for name, data in zip(("ledger.jsonl", "ledger.head"), ledger_before):
        (ca / name).write_bytes(data)
    issue(ca, "carol", now=LATER)
    begin(ca, "carol/clients")
    assert wanted < revoked_in(ca)


def test_retired_generation_has_no_list_and_the_others_are_whole(ca: pathlib.Path) -> None:
    outcome = begin(ca, "bob/clients", by_list=())
    assert outcome.revocations
    stages.change(
        layout.ca_directory(str(ca)), spec("clients"), "retired", None, call_context(now=LATER), predict=False
    )
    stored = store.read_authorities(layout.ca_directory(str(ca)))
    assert [one.id for one in stored["clients"]] == ["clients-g2"]
    assert certificate_files.due(stored, ledger.scan(layout.ca_directory(str(ca))), LATER) == []
    assert ensure(ca, "clients", "ops", now=LATER).reasons == ()


def test_group_whose_ledger_was_restarted_gets_a_new_generation(ca: pathlib.Path) -> None:
    """It is not known what its authority had signed before."""
    (ca / "ledger.jsonl").unlink()
    ensure(ca, "clients", "ops", restart_ledger=True, now=LATER)
    outcome = begin(ca, "bob/clients")
    assert [one.authority for one in outcome.revocations] == ["clients"]


def test_lists_of_anchors_are_given_together_or_not_at_all(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients", by_list=())
    stored = store.read_authorities(layout.ca_directory(str(ca)))
    assert store.trusted_lists(stored["clients"], LATER).count("BEGIN X509 CRL") == 2
    (ca / "authorities/clients-g1/crl.pem").unlink()
    stored = store.read_authorities(layout.ca_directory(str(ca)))
    assert store.trusted_lists(stored["clients"], LATER) == ""
    assert store.describe(stored, LATER)["server"]["crl_content"] == ""


def refused_by(path: pathlib.Path, now: t.Any = LATER) -> dict[str, tuple[str, ...]]:
    seen = revocation.pending(layout.ca_directory(str(path)), [access.Client("bob", revoked=True)], now, CLIENTS).access
    return {one.client: one.refused_by for one in seen.revoked}


def verified(path: pathlib.Path, *hosts: str, predict: bool = False, client: str = "bob") -> list[dict[str, t.Any]]:
    one = revocation.Verified(client, "clients-g1", hosts)
    return revocation.record_verified(layout.ca_directory(str(path)), [one], call_context(now=LATER), predict=predict)


def test_hosts_that_were_verified_to_refuse_a_client_are_in_the_ledger_once(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients")
    assert refused_by(ca) == {"bob": ()}
    before = tree(ca)
    assert [one["hosts"] for one in verified(ca, "web2", "web1", predict=True)] == [["web1", "web2"]]
    assert tree(ca) == before
    (line,) = verified(ca, "web2", "web1")
    assert (line["event"], line["client"], line["user"]) == ("revocation-verified", "bob", "tester")
    assert verified(ca, "web1") == [] and verified(ca) == []
    assert [one["hosts"] for one in verified(ca, "web1", "web3")] == [["web3"]]
    assert refused_by(ca) == {"bob": ("web1", "web2", "web3")}
    assert [one["hosts"] for one in lines_of(ca, "revocation-verified")] == [["web1", "web2"], ["web3"]]
    assert begin(ca, "bob/clients").reasons == ()


def test_client_that_is_revoked_again_has_to_be_verified_again(ca: pathlib.Path) -> None:
    """It had got another certificate of the same authority, which the hosts that were verified before know nothing of."""
    begin(ca, "bob/clients")
    verified(ca, "web1", "web2")
    issue(ca, "bob", now=LATER)
    begin(ca, "bob/clients")
    assert refused_by(ca) == {"bob": ()}
    verified(ca, "web2")
    assert refused_by(ca) == {"bob": ("web2",)}


def test_verification_of_one_client_says_nothing_of_another(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients", "alice/clients")
    verified(ca, "web1", client="alice")
    assert refused_by(ca)["bob"] == ()


def test_hosts_are_known_also_where_the_authority_is_retired(ca: pathlib.Path) -> None:
    begin(ca, "bob/clients", by_list=())
    verified(ca, "web1")
    where = layout.ca_directory(str(ca))
    retired = access.compare(access.entries(where), [access.Client("bob", revoked=True)], {}, LATER)
    assert [(one.trusted, one.refused_by, len(one.serials)) for one in retired.revoked] == [(False, ("web1",), 1)]


def imitation(path: pathlib.Path, **changes: t.Any) -> t.Any:
    asked = client_request("probe", **{"request_content": csr(3), "revoked": True, "validity": "10m", **changes})
    return sign(path, asked, now=LATER).signed.get("probe")


def test_certificate_with_the_serial_that_was_revoked_last_is_refused_by_the_list(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Verified by OpenSSL. The certificate of the client itself is with the client, so another one with the same serial stands for it."""
    revoked = [issue(ca, name) for name in ("mallory", "eve")]
    begin(ca, "mallory/clients")
    begin(ca, "mallory/clients", "eve/clients")
    kept = {path.name: path.read_bytes() for path in (ca / "issued").iterdir()}
    made = imitation(ca)
    assert made.view.serial == revoked[-1]
    assert {path.name: path.read_bytes() for path in (ca / "issued").iterdir()} == kept
    (line,) = lines_of(ca, "revoked-serial-signed")
    assert (line["serial"], line["authority"], line["subject"]) == (revoked[-1], "clients-g1", "CN=probe")
    authority = ca / "authorities/clients-g1"
    leaf, lists = tmp_path / "leaf.pem", authority / "crl.pem"
    leaf.write_text(made.certificate_content)
    assert openssl_verify(authority / "certificate.pem", leaf, "-attime", str(int(LATER.timestamp())))
    options = ("-attime", str(int(LATER.timestamp())), "-crl_check", "-CRLfile", str(lists))
    assert not openssl_verify(authority / "certificate.pem", leaf, *options)
    assert begin(ca, "mallory/clients", "eve/clients").reasons == ()


def test_nothing_stands_for_a_revoked_certificate_where_there_is_none(ca: pathlib.Path) -> None:
    issue(ca, "mallory")
    begin(ca, "mallory/clients")
    before = tree(ca)
    assert imitation(ca, authority="ops") is None
    assert tree(ca) == before


def test_revoked_serial_of_a_former_generation_is_signed_by_that(ca: pathlib.Path) -> None:
    serial = issue(ca, "mallory")
    begin(ca, "mallory/clients")
    for state in ("accepted", "issuing"):
        stages.change(
            layout.ca_directory(str(ca)), spec("clients"), state, PASSPHRASE, call_context(now=LATER), predict=False
        )
    made = imitation(ca)
    assert (made.view.serial, made.approved.authority.id) == (serial, "clients-g1")


@pytest.mark.parametrize(
    "changes", [{"validity": "25h"}, {"profile": "server", "authority": "server", "names": ("web1",)}], ids=str
)
def test_revoked_serial_is_signed_for_a_verification_only(ca: pathlib.Path, changes: dict[str, t.Any]) -> None:
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        sign(ca, client_request("probe", revoked=True, **{"validity": "10m", **changes}), now=LATER)
    assert caught.value.code == "validity-too-long"
    assert "serial number of a revoked certificate" in caught.value.message
    assert tree(ca) == before
