# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Anchors of other issuers beside a CA of ours: what hosts and bundles trust, and what certificates have to lead to."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import anchors
from support.ca import certificates as made

OURS = made.authority(unit="server-g1")
ROOT, NEXT_ROOT = made.authority(unit="company-root-1", number=41), made.authority(unit="company-root-2", number=42)
EXPIRED = made.authority(unit="company-root-0", number=43, end=made.NOW - timedelta(days=1))
LOCAL: dict[str, t.Any] = {
    "id": "server-g1",
    "name": "server",
    "purpose": "server",
    "generation": 1,
    "adopted": False,
    "certificate_content": OURS.pem,
    "trusted_content": OURS.pem,
    "crl_content": "its list",
    "certificate": OURS.view.to_dict(),
    "generations": [{"id": "server-g1"}],
}


def result(issuer: str, *given: made.Pair, trust_local_ca: bool = True, local: bool = True) -> dict[str, t.Any]:
    one = anchors.Issuer("server", issuer, "".join(pair.pem for pair in given), trust_local_ca)
    return anchors.with_issuers({"server": LOCAL} if local else {}, [one], made.NOW)["server"]


def test_anchors_of_the_next_issuer_are_trusted_while_the_local_ca_signs() -> None:
    found = result("local", ROOT)
    assert found["trusted_content"] == OURS.pem + ROOT.pem
    assert found["crl_content"] == ""
    assert {**found, "trusted_content": OURS.pem, "crl_content": "its list"} == LOCAL


def test_external_issuer_decides_and_the_local_ca_is_trusted_until_it_is_given_up() -> None:
    found = result("openbao", ROOT, NEXT_ROOT)
    assert (found["external"], found["issuer"]) == (True, "openbao")
    assert found["certificate_content"] == ROOT.pem + NEXT_ROOT.pem
    assert found["trusted_content"] == OURS.pem + ROOT.pem + NEXT_ROOT.pem
    given_up = result("openbao", ROOT, trust_local_ca=False)
    assert given_up["trusted_content"] == ROOT.pem
    assert given_up["generations"] == []


@pytest.mark.parametrize(
    ("issuer", "trust_local_ca", "local_lists", "expected"),
    [
        pytest.param("openbao", False, "ours\n", "theirs\n", id="external"),
        pytest.param("openbao", True, "ours\n", "ours\ntheirs\n", id="external beside ours"),
        pytest.param("local", True, "ours\n", "ours\ntheirs\n", id="ours beside theirs"),
        pytest.param("openbao", True, "", "", id="ours has none"),
    ],
)
def test_revocation_lists_are_those_of_all_anchors_or_none(
    issuer: str, trust_local_ca: bool, local_lists: str, expected: str
) -> None:
    known = {"clients": {**LOCAL, "name": "clients", "crl_content": local_lists}}
    one = anchors.Issuer("clients", issuer, ROOT.pem, trust_local_ca, "theirs\n")
    assert anchors.with_issuers(known, [one], made.NOW)["clients"]["crl_content"] == expected


def test_fleet_without_a_local_ca_has_the_anchors_alone() -> None:
    found = result("acme", ROOT, local=False)
    assert found["trusted_content"] == found["certificate_content"] == ROOT.pem


def test_expired_and_repeated_anchors_are_left_out() -> None:
    assert result("openbao", EXPIRED, ROOT, ROOT, trust_local_ca=False)["trusted_content"] == ROOT.pem
    assert result("local", OURS)["trusted_content"] == OURS.pem


def test_access_group_beside_the_local_server_authority() -> None:
    found = anchors.with_issuers({"server": LOCAL}, [anchors.Issuer("ops", "openbao", ROOT.pem)], made.NOW)
    assert list(found) == ["server", "ops"]
    assert found["ops"]["purpose"] == "client"
    assert found["server"] == LOCAL


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param("", "anchor-missing", id="nothing"),
        pytest.param(EXPIRED.pem, "anchor-expired", id="expired"),
        pytest.param(made.leaf(ROOT).pem, "anchor-unsuitable", id="leaf"),
        pytest.param("-----BEGIN", "certificate-unreadable", id="no-certificate"),
    ],
)
def test_unusable_anchors_are_refused(given: str, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        anchors.with_issuers({}, [anchors.Issuer("server", "openbao", given)], made.NOW)
    assert caught.value.code == code
    assert "server" in caught.value.message
    assert caught.value.hint
