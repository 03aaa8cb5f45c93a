# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other issuers have answered, beside what the CA has signed: each request has one fate, and no issuer decides about another's."""

from __future__ import annotations

import typing as t

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import external_issuers
from support.ca import certificates as made

SIGNED = {
    "changed": True,
    "certificates": {"web1/server": {"authority": "server-g1"}},
    "rejected": {},
    "diff": {"prepared": "a\n"},
}
FAILED = {"failed": True, "msg": "the settings are wrong", "hint": "Correct them.", "code": "issuer-settings-invalid"}


def test_both_kinds_of_certificates_are_in_one_result() -> None:
    issued = {
        "changed": True,
        "certificates": {"web2/server": {"authority": "Issuing CA (openbao)"}},
        "rejected": {"web3/server": {"msg": "no", "hint": "", "code": "issuer-refused"}},
        "warnings": ["life-shortened: a"],
        "pending": [],
        "diff": {"prepared": "b\n"},
    }
    found = external_issuers.with_issued(SIGNED, issued, ["web2/server", "web3/server"])
    assert list(found["certificates"]) == ["web1/server", "web2/server"]
    assert list(found["rejected"]) == ["web3/server"]
    assert found["warnings"] == ["life-shortened: a"]
    assert found["diff"] == {"prepared": "a\nb\n"}


def test_call_that_fails_as_a_whole_rejects_its_own_requests_only() -> None:
    found = external_issuers.with_issued(SIGNED, FAILED, ["web2/server"])
    assert list(found["certificates"]) == ["web1/server"]
    assert "failed" not in found
    assert found["rejected"]["web2/server"] == {
        "msg": "no certificate is issued for web2/server: the settings are wrong",
        "hint": "Correct them.",
        "code": "issuer-settings-invalid",
    }


def test_nothing_due_at_the_ca_and_something_issued_is_a_change() -> None:
    found = external_issuers.with_issued({"changed": False}, {"changed": True, "certificates": {"a": {}}}, ["a"])
    assert found["changed"] is True


def test_request_that_still_awaits_an_answer_in_the_end_is_rejected() -> None:
    found = external_issuers.answered({"certificates": {}, "rejected": {}, "pending": [{"id": "web1/server"}]})
    assert found["pending"] == []
    assert found["rejected"]["web1/server"]["code"] == "answer-missing"
    assert "docker_issuer_answers" in found["rejected"]["web1/server"]["hint"]


def test_options_that_are_wrong_are_a_failure_with_a_hint_and_without_the_secret() -> None:
    issuers: list[t.Any] = [
        {
            "authority": "server",
            "issuer": "openbao",
            "ca_content": made.authority().pem,
            "openbao": {"url": "http://bao.example.org", "role": "dockerd", "token": "a-secret-token"},
        }
    ]
    found = external_issuers.issue({"requests": [], "issuers": issuers}, check_mode=False, diff=False)
    assert (found["failed"], found["code"]) == (True, "issuer-url-invalid")
    assert "a-secret-token" not in str(found)


ISSUED = {
    "certificates": {"web1/server": {"certificate_content": "PEM", "issuer": "openbao"}},
    "rejected": {"web2/server": {}},
}
REQUESTS = [
    {"id": f"{host}/server", "authority": "server", "profile": "server", "requester": host, "reasons": ["expired"]}
    for host in ("web1", "web2")
]


def test_what_was_issued_is_recorded_and_what_was_not_is_not() -> None:
    found = external_issuers.record({"requests": REQUESTS}, ISSUED, {"path": "/etc/docker/ca"})
    assert found == {
        "path": "/etc/docker/ca",
        "reason": "external",
        "certificates": [
            {
                "content": "PEM",
                "issuer": "openbao",
                "request": "web1/server",
                "authority": "server",
                "profile": "server",
                "requester": "web1",
                "reasons": ["expired"],
            }
        ],
    }
    assert external_issuers.record({"requests": REQUESTS}, {"certificates": {}}, {}) is None


def test_ledger_that_cannot_be_written_is_a_warning_and_the_certificates_stay() -> None:
    failed = {"failed": True, "msg": "cannot write the ledger.", "hint": "Check the free space."}
    found = external_issuers.with_record(ISSUED, failed)
    assert found["certificates"] == ISSUED["certificates"]
    (warning,) = found["warnings"]
    assert warning.startswith("ledger-unrecorded: ")
    assert "cannot write the ledger. Check the free space." in warning


def test_end_of_the_ledger_after_the_record_is_that_of_the_result() -> None:
    recorded = external_issuers.with_record(ISSUED, {"ledger": {"seq": 7}})
    assert external_issuers.with_issued({"ledger": {"seq": 6}}, recorded, [])["ledger"] == {"seq": 7}
