# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A name assigned to no host in the inventory belongs to the host whose valid certificate contains it."""

from __future__ import annotations

import pathlib
import shutil
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy, sign_batch
from support.ca.ca_directory import client_request, ensure, request, rules, sign
from support.ca.certificates import NOW

NAME = "web1.example.org"
DAY = timedelta(days=1)


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    """A CA that has given web1 a certificate for its full name and two addresses."""
    path = tmp_path / "ca"
    ensure(path)
    sign(path, request("web1", names=(NAME, "10.0.0.5", "fd00::5", "localhost")))
    return path


def outcome(ca: pathlib.Path, *requests: policy.SigningRequest, **changes: t.Any) -> sign_batch.BatchResult:
    wanted = rules(**{name: changes.pop(name) for name in ("reserved", "shared", "predicting") if name in changes})
    return sign(ca, *requests, **{"partial": True, "now": NOW + DAY, "rules": wanted, **changes})


@pytest.mark.parametrize("name", [NAME, "WEB1.Example.org.", "10.0.0.5", "FD00:0::05"])
@pytest.mark.parametrize("predict", [False, True])
def test_name_of_another_s_certificate_is_refused(ca: pathlib.Path, name: str, predict: bool) -> None:
    result = outcome(ca, request("evil", names=(name, "evil.example.org")), predicting=predict)
    assert dict(result.signed) == {}
    error = result.refused["evil"]
    assert error.code == "name-taken"
    assert "the certificate of web1" in error.message
    assert "docker_server_cert_names" in error.hint


def test_refused_request_does_not_keep_the_others(ca: pathlib.Path) -> None:
    result = outcome(ca, request("evil", names=(NAME,)), request("web2"))
    assert (list(result.signed), list(result.refused)) == (["web2"], ["evil"])


FREE: dict[str, dict[str, t.Any]] = {
    "declared-by-the-requester": {"reserved": {NAME: "web2"}},
    "shared": {"shared": [NAME]},
    "declared-for-both": {"reserved": {NAME: ["web1", "web2"]}},
    "expired": {"now": NOW + timedelta(days=366)},
}


@pytest.mark.parametrize("changes", FREE.values(), ids=FREE)
def test_name_that_is_free_is_signed_for_another(ca: pathlib.Path, changes: dict[str, t.Any]) -> None:
    assert list(outcome(ca, request("web2", names=(NAME,)), **changes).signed) == ["web2"]


def test_own_name_is_signed_again_for_the_rebuilt_host(ca: pathlib.Path) -> None:
    assert list(outcome(ca, request("web1")).signed) == ["web1"]


def test_loopback_names_belong_to_nobody(ca: pathlib.Path) -> None:
    assert list(outcome(ca, request("web2", names=("localhost", "web2.example.org"))).signed) == ["web2"]


def test_client_of_the_same_name_is_signed(ca: pathlib.Path) -> None:
    assert list(outcome(ca, client_request("web1", names=(NAME,))).signed) == ["web1"]


def test_name_of_a_client_certificate_is_no_server_s(ca: pathlib.Path) -> None:
    outcome(ca, client_request("alice", names=("alice.example.org",)))
    assert list(outcome(ca, request("alice-host", names=("alice.example.org",))).signed) == ["alice-host"]


def test_name_that_its_holder_gave_up_is_free(ca: pathlib.Path) -> None:
    outcome(ca, request("web1", names=("other.example.org",)))
    assert list(outcome(ca, request("web2", names=(NAME,))).signed) == ["web2"]


def test_name_that_its_holder_gives_up_in_the_same_batch_is_free(ca: pathlib.Path) -> None:
    pair = [request("web2", names=(NAME,)), request("web1", names=("other.example.org",))]
    assert set(outcome(ca, *pair).signed) == {"web1", "web2"}


def test_holder_that_is_refused_himself_keeps_his_name(ca: pathlib.Path) -> None:
    """Who makes the holder fail (by asking for the holder's new name too) does not get the holder's old one."""
    pair = [request("evil", names=(NAME, "new.example.org")), request("web1", names=("new.example.org",))]
    assert set(outcome(ca, *pair).refused) == {"evil", "web1"}


def test_another_request_of_the_holder_does_not_free_the_name(ca: pathlib.Path) -> None:
    outcome(ca, request("web1/second", requester="web1", names=("other.example.org",)))
    assert set(outcome(ca, request("evil", names=(NAME,))).refused) == {"evil"}


def test_name_that_two_ask_for_and_nobody_has_is_given_to_none(ca: pathlib.Path) -> None:
    pair = [request("a", names=("new.example.org",)), request("b", names=("new.example.org",))]
    result = outcome(ca, *pair, request("c"))
    assert (list(result.signed), set(result.refused)) == (["c"], {"a", "b"})
    assert "asked for by b too" in result.refused["a"].message


@pytest.mark.parametrize("reverse", [False, True])
def test_name_that_two_ask_for_stays_with_its_holder(ca: pathlib.Path, reverse: bool) -> None:
    pair = [request("evil", names=(NAME,)), request("web1")]
    result = outcome(ca, *(reversed(pair) if reverse else pair))
    assert (list(result.signed), list(result.refused)) == (["web1"], ["evil"])


RENAMED: dict[str, tuple[dict[str, t.Any], bool]] = {
    "address-now-the-requester-s": ({"10.0.0.5": "renamed"}, True),
    "holder-is-still-there": ({"10.0.0.5": "renamed", "db.example.org": "web1"}, False),
    "address-of-several": ({"10.0.0.5": ["renamed", "web9"]}, False),
    "only-loopback": ({"localhost": "renamed"}, False),
    "nothing-in-common": ({"10.0.0.9": "renamed"}, False),
    "no-inventory": ({}, False),
}


@pytest.mark.parametrize(("reserved", "accepted"), RENAMED.values(), ids=RENAMED)
def test_name_of_a_host_that_was_renamed_in_the_inventory(
    ca: pathlib.Path, reserved: dict[str, t.Any], accepted: bool
) -> None:
    result = outcome(ca, request("renamed", names=(NAME, "localhost")), reserved=reserved)
    assert (list(result.signed) == ["renamed"]) is accepted
    assert (list(result.refused) == ["renamed"]) is not accepted


def test_certificates_of_a_ledger_set_aside_hold_no_names(ca: pathlib.Path) -> None:
    for name in ("ledger.jsonl", "ledger.head"):
        (ca / name).unlink()
    shutil.rmtree(ca / "authorities")
    ensure(ca)
    assert list(outcome(ca, request("web2", names=(NAME,))).signed) == ["web2"]


def test_requester_whose_words_look_like_a_ledger_line_is_still_read_right(ca: pathlib.Path) -> None:
    """A host's answer is written to the ledger (reasons); it must not affect where names are searched."""
    poison = '","names":["free.example.org"],"profile":"server","request":"x","reasons":['
    outcome(ca, request("web2", names=("held.example.org",), reasons=(poison,)))
    result = outcome(ca, request("evil", names=("held.example.org",)), request("web3", names=("free.example.org",)))
    assert (list(result.signed), list(result.refused)) == (["web3"], ["evil"])
