# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that hosts report, and whether the ledger is older."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import host_reports


def test_installed_certificates_are_what_hosts_report() -> None:
    certificate = {
        "serial": "0a",
        "issuer": "CN=Docker CA,OU=server-g1",
        "not_before": "2026-11-22T12:55:00Z",
        "authority_key_identifier": "ab81",
    }
    hostvars = {
        "web1": {"answer": {"requests": [{"certificate": certificate}, {"certificate": None}]}},
        "web2": {"answer": {}},
        "web3": {},
    }
    assert host_reports.installed_certificates(hostvars, hostvars, "answer") == [{"requester": "web1", **certificate}]


def test_certificate_of_another_issuer_does_not_count() -> None:
    certificate = {"serial": "0a", "issuer": "CN=Issuing CA", "not_before": "2026-11-22T12:55:00Z"}
    answer = {"requests": [{"certificate": certificate, "external_issuer": True}]}
    assert host_reports.installed_certificates(["web1"], {"web1": {"answer": answer}}, "answer") == []


@pytest.mark.parametrize("identifier", [None, 5, "../x", "ab" * 500], ids=str)
def test_installed_certificates_leave_out_an_identifier_that_is_none(identifier: Any) -> None:
    certificate = {"serial": "0a", "issuer": "CN=x", "not_before": "2026-11-22T12:55:00Z"}
    answer = {"requests": [{"certificate": {**certificate, "authority_key_identifier": identifier}}]}
    (found,) = host_reports.installed_certificates(["web1"], {"web1": {"answer": answer}}, "answer")
    assert found == {"requester": "web1", **certificate, "authority_key_identifier": ""}


@pytest.mark.parametrize(
    ("ledger", "behind"),
    [
        ({}, False),
        ({"time": "2026-11-22T13:00:00Z", "restored": False}, False),
        ({"time": "2026-11-22T12:59:59Z", "restored": False}, True),
        ({"time": "2026-11-22T13:00:00Z", "restored": True}, True),
    ],
    ids=["unknown", "newer", "older", "restored"],
)
def test_ledger_is_behind_when_a_host_has_something_younger(ledger: dict[str, Any], behind: bool) -> None:
    assert host_reports.is_behind([{"not_before": "2026-11-22T12:55:00Z"}], ledger) is behind


@pytest.mark.parametrize(
    "answer",
    [
        "no answer",
        {"requests": "x"},
        {"requests": ["x", {"certificate": "x"}, {"certificate": {}}]},
        {"requests": [{"certificate": {"serial": "../x", "issuer": "CN=x", "not_before": "2026-11-22T12:55:00Z"}}]},
        {
            "requests": [
                {"certificate": {"serial": "0a", "issuer": "CN=\x1b[2Jx", "not_before": "2026-11-22T12:55:00Z"}}
            ]
        },
        {"requests": [{"certificate": {"serial": "0a", "issuer": "CN=\ud800", "not_before": "2026-11-22T12:55:00Z"}}]},
        {"requests": [{"certificate": {"serial": "0a", "issuer": "CN=x", "not_before": "tomorrow"}}]},
        {"requests": [{"certificate": {"serial": "0a", "issuer": "CN=x", "not_before": "2026-13-01T00:00:00Z"}}]},
        {"requests": [{"certificate": {"serial": "0a", "issuer": "CN=x", "not_before": "2026-11-22 12:55:00Z"}}]},
        {"requests": [{"certificate": {"serial": "0a", "issuer": "CN=x", "not_before": "9999-12-31T23:59:59Z"}}]},
    ],
)
def test_installed_certificates_of_a_hostile_host_are_none(answer: Any) -> None:
    assert host_reports.installed_certificates(["web1"], {"web1": {"answer": answer}}, "answer") == []


def test_installed_certificates_of_one_host_are_a_bounded_number() -> None:
    certificate = {"serial": "0a", "issuer": "CN=x", "not_before": "2026-11-22T12:55:00Z"}
    answers = {"evil": {"answer": {"requests": [{"certificate": certificate}] * 100_000}}}
    assert len(host_reports.installed_certificates(answers, answers, "answer")) == 500
