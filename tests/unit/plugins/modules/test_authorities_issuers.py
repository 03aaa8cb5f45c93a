# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules authorities and authority_info where another issuer signs for some authorities, or for all."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import (
    authorities,
    authority_info,
    ledger_info,
    recorded_certificates,
)
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.ca.ca_directory import PASSPHRASE_TEXT
from support.ca.operations import few_rounds

ROOT = made.authority(unit="company-root", number=51)
CLIENT_CA = made.authority("client", unit="company-clients", number=52)


@pytest.fixture(autouse=True)
def _quick_keys() -> t.Iterator[None]:
    with few_rounds():
        yield


def issuer(
    authority: str = "server", kind: str = "openbao", anchor: made.Pair = ROOT, **more: t.Any
) -> dict[str, t.Any]:
    return {"authority": authority, "issuer": kind, "ca_content": anchor.pem, **more}


def ensure(
    path: pathlib.Path, *issuers: dict[str, t.Any], passphrase: str = PASSPHRASE_TEXT, **more: t.Any
) -> dict[str, t.Any]:
    found = run_module(authorities, {"path": str(path), "passphrase": passphrase, "issuers": list(issuers), **more})
    if not found["failed"]:
        told = run_module(authority_info, {"path": str(path), "issuers": list(issuers)})
        assert told["authorities"] == found["authorities"]
    return found


def test_no_authority_is_made_for_what_another_issuer_signs(tmp_path: pathlib.Path) -> None:
    found = ensure(tmp_path / "ca", issuer())
    assert [line.split(",")[0] for line in found["plan"]] == ["new authority clients-g1"]
    assert found["authorities"]["server"]["trusted_content"] == ROOT.pem
    assert found["authorities"]["server"]["external"] is True
    assert "external" not in found["authorities"]["clients"]
    assert ensure(tmp_path / "ca", issuer())["changed"] is False


def test_fleet_of_other_issuers_alone_needs_no_directory_and_no_passphrase(tmp_path: pathlib.Path) -> None:
    found = ensure(tmp_path / "ca", issuer(), issuer("clients", anchor=CLIENT_CA), passphrase="")
    assert (found["failed"], found["changed"]) == (False, False)
    assert {name: one["issuer"] for name, one in found["authorities"].items()} == {
        "server": "openbao",
        "clients": "openbao",
    }
    assert not (tmp_path / "ca").exists()


def test_group_that_moves_to_another_issuer_keeps_its_own_authority_until_that_is_given_up(
    tmp_path: pathlib.Path,
) -> None:
    before = ensure(tmp_path / "ca")["authorities"]["clients"]["trusted_content"]
    moved = ensure(tmp_path / "ca", issuer("clients", anchor=CLIENT_CA))
    assert [warning.partition(":")[0] for warning in moved["warnings"]] == ["local-ca-trusted"]
    assert moved["authorities"]["clients"]["trusted_content"] == before + CLIENT_CA.pem
    given_up = ensure(tmp_path / "ca", issuer("clients", anchor=CLIENT_CA, trust_local_ca=False))
    assert given_up["warnings"] == []
    assert given_up["authorities"]["clients"]["trusted_content"] == CLIENT_CA.pem
    assert ensure(tmp_path / "ca")["authorities"]["clients"]["trusted_content"] == before


def test_anchors_of_the_next_issuer_are_trusted_before_it_signs(tmp_path: pathlib.Path) -> None:
    before = ensure(tmp_path / "ca")["authorities"]["server"]["trusted_content"]
    found = ensure(tmp_path / "ca", issuer(kind="local"))["authorities"]["server"]
    assert found["trusted_content"] == before + ROOT.pem
    assert found["certificate_content"] == before


@pytest.mark.parametrize("anchor", ["", "nothing", made.leaf(ROOT).pem])
def test_unusable_anchors_are_refused_before_anything_is_made(tmp_path: pathlib.Path, anchor: str) -> None:
    found = ensure(tmp_path / "ca", {**issuer(), "ca_content": anchor})
    assert found["failed"] and found["code"].startswith(("anchor-", "certificate-"))
    assert not (tmp_path / "ca").exists()


def test_directory_that_has_only_a_ledger_needs_no_passphrase_and_becomes_a_ca_later(tmp_path: pathlib.Path) -> None:
    both = (issuer(), issuer("clients", anchor=CLIENT_CA))
    certificate = {
        "content": made.leaf(ROOT).pem,
        "authority": "server",
        "profile": "server",
        "issuer": "openbao",
        "request": "web1/server",
        "requester": "web1",
    }
    given = {"path": str(tmp_path / "ca"), "reason": "external", "certificates": [certificate]}
    recorded = run_module(recorded_certificates, given)
    assert (recorded["changed"], recorded["reasons"]) == (True, ["certificates-external"])
    assert recorded["recorded"][0]["issuer"] == "openbao"
    assert run_module(recorded_certificates, given)["changed"] is False
    (line,) = run_module(ledger_info, {"path": str(tmp_path / "ca"), "authority": "server"})["entries"]
    shown = {name: line[name] for name in ("event", "issuer", "issuer_subject", "requester")}
    assert shown == {
        "event": "external-issued",
        "issuer": "openbao",
        "issuer_subject": ROOT.view.subject,
        "requester": "web1",
    }
    found = ensure(tmp_path / "ca", *both, passphrase="")
    assert (found["failed"], found["changed"]) == (False, False)
    assert found["ansible_facts"]["docker_ca_ledger"]["seq"] == recorded["ledger"]["seq"] == 1
    assert ensure(tmp_path / "ca")["changed"] is True
    assert ensure(tmp_path / "ca", *both, passphrase="")["code"] == "passphrase-missing"


def test_certificate_of_another_issuer_is_recorded_with_its_authority_alone(tmp_path: pathlib.Path) -> None:
    given = {"path": str(tmp_path / "ca"), "reason": "external", "certificates": [{"content": made.leaf(ROOT).pem}]}
    found = run_module(recorded_certificates, given)
    assert (found["failed"], found["code"]) == (True, "option-invalid")
    assert "lacks authority, profile, issuer" in found["msg"]
    assert not (tmp_path / "ca").exists()
