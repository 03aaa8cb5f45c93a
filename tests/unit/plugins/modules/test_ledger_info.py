# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ledger_info: queries and the verdict about the chain; never a change."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import ledger_info, recorded_certificates
from support.ansible.modules import run_module
from support.ca.ca_directory import client_request, ensure, request, sign, tree


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    ensure(tmp_path / "ca")
    sign(tmp_path / "ca", request("web1"), client_request("alice"))
    return tmp_path / "ca"


def test_ledger_info_tells_what_was_issued_for_whom_and_why(path: pathlib.Path) -> None:
    before = tree(path)
    result = run_module(ledger_info, {"path": str(path), "requester": "web1"})
    assert (result["changed"], result["ledger"]["state"], result["ledger"]["lines"], result["count"]) == (
        False,
        "intact",
        4,
        1,
    )
    (entry,) = result["entries"]
    assert (entry["authority"], entry["profile"], entry["reasons"]) == ("server-g1", "server", ["certificate-missing"])
    assert tree(path) == before


def test_ledger_info_returns_which_hosts_refuse_a_revoked_client(path: pathlib.Path) -> None:
    verified = {"client": "alice", "authority": "clients-g1", "hosts": ["web1", "web2"]}
    assert run_module(recorded_certificates, {"path": str(path), "revocations": [verified]})["changed"]
    entry = run_module(ledger_info, {"path": str(path)})["entries"][0]
    assert (entry["event"], entry["client"], entry["hosts"]) == ("revocation-verified", "alice", ["web1", "web2"])


def test_ledger_info_returns_only_the_fields_that_were_asked_for(path: pathlib.Path) -> None:
    result = run_module(ledger_info, {"path": str(path), "fields": ["requester", "event"], "limit": 1})
    assert (result["count"], result["entries"]) == (4, [{"requester": "alice", "event": "issued"}])


def test_ledger_info_of_a_ledger_that_was_tampered_with_names_the_line_and_does_not_fail(path: pathlib.Path) -> None:
    ledger = path / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"web1"', b'"evil"'))
    result = run_module(ledger_info, {"path": str(path)})
    assert (result["failed"], result["ledger"]["state"], result["ledger"]["line"]) == (False, "tampered", 4)
    assert "ledger.jsonl" in str(result["warnings"])


def test_ledger_info_without_a_ca_is_missing_without_a_warning(tmp_path: pathlib.Path) -> None:
    result = run_module(ledger_info, {"path": str(tmp_path)}, check=True)
    assert (result["ledger"]["state"], result["entries"], bool(result.get("warnings"))) == ("missing", [], False)


def test_ledger_info_of_a_bad_duration_names_the_option(path: pathlib.Path) -> None:
    result = run_module(ledger_info, {"path": str(path), "expiring_within": "soon"})
    assert (result["failed"], result["code"]) == (True, "duration-invalid")
    assert "expiring_within" in result["msg"]


def test_ledger_that_continues_the_expected_head_is_intact(path: pathlib.Path) -> None:
    noted = run_module(ledger_info, {"path": str(path)})["ledger"]["head"]
    assert noted.startswith("4:")
    sign(path, request("web2"))
    later = run_module(ledger_info, {"path": str(path), "expected_head": noted})["ledger"]
    assert (later["state"], later["lines"], later["head"] != noted) == ("intact", 5, True)


def test_ledger_whose_whole_chain_was_written_anew_is_noticed_by_the_expected_head(
    path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Root on the CA host can do this; without a head that was noted elsewhere nothing shows it."""
    noted = run_module(ledger_info, {"path": str(path)})["ledger"]["head"]
    ensure(tmp_path / "other")
    sign(tmp_path / "other", request("web1"), client_request("mallory"))
    for name in ("ledger.jsonl", "ledger.head"):
        (path / name).write_bytes((tmp_path / "other" / name).read_bytes())
    assert run_module(ledger_info, {"path": str(path)})["ledger"]["state"] == "intact"
    found = run_module(ledger_info, {"path": str(path), "expected_head": noted})
    assert (found["ledger"]["state"], found["ledger"]["line"]) == ("tampered", 4)
    assert "expected head" in str(found["warnings"])


@pytest.mark.parametrize("gone", [False, True], ids=["older-backup", "removed"])
def test_ledger_that_is_shorter_than_the_expected_head_is_noticed(path: pathlib.Path, gone: bool) -> None:
    kept = {name: (path / name).read_bytes() for name in ("ledger.jsonl", "ledger.head")}
    sign(path, request("web2"))
    noted = run_module(ledger_info, {"path": str(path)})["ledger"]["head"]
    for name, data in kept.items():
        (path / name).unlink() if gone else (path / name).write_bytes(data)
    found = run_module(ledger_info, {"path": str(path), "expected_head": noted.upper()})
    assert found["ledger"]["state"] == "tampered"


@pytest.mark.parametrize("text", ["4", "4:abc", "x:" + "0" * 64, "4:" + "g" * 64, "-1:" + "0" * 64, "4:" + "0" * 65])
def test_expected_head_that_is_none_is_refused(path: pathlib.Path, text: str) -> None:
    result = run_module(ledger_info, {"path": str(path), "expected_head": text})
    assert (result["failed"], result["code"]) == (True, "head-invalid")
    assert "expected_head" in result["msg"] and result["hint"]
