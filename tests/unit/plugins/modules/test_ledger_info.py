# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ledger_info: queries and the verdict about the chain; never a change."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import ledger_info
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
