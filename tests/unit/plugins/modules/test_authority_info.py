# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module authority_info: the same shape as authorities, without the passphrase."""

from __future__ import annotations

import pathlib

from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now
from ansible_collections.portcullis.docker_tls.plugins.modules import authority_info
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import access_lists
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import external_issuers
from support.ansible.modules import run_module
from support.ca.ca_directory import client_request, ensure, sign, tree
from support.contracts import records


def test_authority_info_shows_what_is_there_and_writes_nothing(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca", "clients", "ci")
    (tmp_path / "ca" / "lock").unlink()
    before = tree(tmp_path)
    result = run_module(authority_info, {"path": str(tmp_path / "ca")})
    assert not result["changed"]
    assert list(result["authorities"]) == ["server", "ci", "clients"]
    assert result["authorities"]["server"]["certificate"]["subject"] == "CN=Docker CA,OU=server-g1"
    assert result["ansible_facts"]["docker_ca_authorities"] == result["authorities"]
    assert tree(tmp_path) == before
    assert not (tmp_path / "ca" / "lock").exists()


def test_authority_info_without_a_ca_is_empty(tmp_path: pathlib.Path) -> None:
    result = run_module(authority_info, {"path": str(tmp_path / "ca")}, check=True)
    assert (result["failed"], result["authorities"]) == (False, {})


def test_authority_info_of_a_readable_key_warns(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca")
    (tmp_path / "ca/authorities/server-g1/key.pem").chmod(0o644)
    result = run_module(authority_info, {"path": str(tmp_path / "ca")})
    assert "server-g1/key.pem" in str(result["warnings"])


def test_authority_info_of_a_damaged_ca_says_so(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca")
    (tmp_path / "ca/authorities/server-g1/certificate.pem").write_text("x")
    result = run_module(authority_info, {"path": str(tmp_path / "ca")})
    assert (result["failed"], result["code"]) == (True, "certificate-unreadable")


CLIENTS = [{"name": "bob", "state": "revoked"}, {"name": "alice", "requests": ["localhost/alice"]}]


def test_authority_info_compares_the_clients_with_the_ledger_and_writes_nothing(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca", now=utc_now())
    for name in ("bob", "carol", "alice"):
        sign(tmp_path / "ca", client_request(name, id=f"localhost/{name}", requester="localhost"), now=utc_now())
    before = tree(tmp_path)
    result = run_module(authority_info, {"path": str(tmp_path / "ca"), "clients": CLIENTS})
    assert result["compared"] is True
    assert [(one["client"], one["reason"], one["trusted"]) for one in result["revoked"]] == [
        ("bob", "client-revoked", True)
    ]
    assert result["revoked"][0]["refused_by"] == []
    assert [(one["client"], one["reason"]) for one in result["unlisted"]] == [("carol", "client-unlisted")]
    in_a_play = records.returned(
        "authority_info", access_lists.with_hosts(result, {"docker_hosts": ["web1"]}, {"web1": {}})
    )
    assert [one["hosts"] for one in in_a_play["unlisted"]] == [["web1"]]
    assert [(one["clients"], one["generations"]) for one in result["revocations_deferred"]] == [
        (["bob"], ["clients-g1"])
    ]
    assert tree(tmp_path) == before


def test_authority_info_in_a_play_has_the_reason_why_the_lists_of_an_issuer_were_not_read(
    tmp_path: pathlib.Path,
) -> None:
    ensure(tmp_path / "ca", "ops", "clients")
    result = run_module(authority_info, {"path": str(tmp_path / "ca")})
    problem = {"msg": "the issuer did not answer", "hint": "Start it.", "code": "issuer-unreachable"}
    in_a_play = records.returned("authority_info", external_issuers.completed(result, {"ops": problem}))
    ops = in_a_play["authorities"]["ops"]
    assert (ops["crl_problem"], ops["crl_content"]) == (problem, "")
    assert "crl_problem" not in in_a_play["authorities"]["clients"]
    assert in_a_play["ansible_facts"]["docker_ca_authorities"] == in_a_play["authorities"]


def test_authority_info_names_revoked_clients_that_the_ledger_does_not_have(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca", now=utc_now())
    result = run_module(authority_info, {"path": str(tmp_path / "ca"), "clients": CLIENTS})
    assert (result["compared"], result["revoked_unknown"]) == (True, ["bob"])


def test_authority_info_of_a_damaged_ledger_says_that_nothing_was_compared(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca")
    (tmp_path / "ca/ledger.jsonl").write_text("x\n")
    result = run_module(authority_info, {"path": str(tmp_path / "ca"), "clients": CLIENTS})
    assert (result["failed"], result["compared"], result["revoked"]) == (False, False, [])
    assert "the access of clients cannot be compared with the ledger" in str(result["warnings"])
