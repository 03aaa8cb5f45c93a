# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin temporary_client, with the connection and the modules played by the test."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import (
    temporary_client,
)
from support.ansible.actions import action

SIGNED = {
    "changed": True,
    "certificates": {
        "clients": {"certificate_content": "C", "authority_content": "A", "certificate": None},
        "ci": {"certificate_content": "D", "authority_content": "B", "certificate": None},
    },
    "authorities": {"server": {"trusted_content": "S"}},
}


def temporary(
    answer: dict[str, t.Any] | None = None, *, check: bool = False, **options: t.Any
) -> tuple[t.Any, dict[str, t.Any]]:
    arguments = {"path": "/ca", "passphrase": "p", "name": "check", **options}
    found = action(temporary_client, arguments, [answer or SIGNED], check=check)
    return found, found.run(task_vars={"inventory_hostname": "web1"})


def test_temporary_client_returns_key_and_certificates_and_hides_them() -> None:
    found, result = temporary(groups=["ci", "clients", "ci"])
    assert (result["certificate_content"], result["ca_content"]) == ("D", "S")
    assert result["key_content"].startswith("-----BEGIN PRIVATE KEY-----")
    assert set(result["clients"]) == {"ci", "clients"}
    assert {one["key_content"] for one in result["clients"].values()} == {result["key_content"]}
    assert result["_ansible_no_log"] is True
    ((module, arguments, *unused),) = found.called
    assert module == "portcullis.docker_tls.signed_certificates"
    assert "PRIVATE KEY" not in str(arguments)
    assert [one["id"] for one in arguments["requests"]] == ["ci", "clients"]
    first = arguments["requests"][0]
    assert (first["profile"], first["authority"], first["validity"], first["requester"]) == (
        "client",
        "ci",
        "10m",
        "web1",
    )


def test_temporary_client_of_a_generation_is_signed_by_it() -> None:
    made = {"certificate_content": "G", "authority_content": "A", "certificate": None}
    answer = {**SIGNED, "certificates": {**SIGNED["certificates"], "generation/clients-g1": made}}
    found, result = temporary(answer, generations=["clients-g1", "clients-g1"])
    requests = found.called[0][1]["requests"]
    assert [(one["id"], one["authority"], one.get("generation", 0)) for one in requests] == [
        ("clients", "clients", 0),
        ("generation/clients-g1", "clients", 1),
    ]
    assert set(result["generations"]) == {"clients-g1"}
    assert result["generations"]["clients-g1"]["certificate_content"] == "G"
    assert result["generations"]["clients-g1"]["key_content"] == result["key_content"]


def test_temporary_client_with_a_revoked_serial_is_made_where_something_was_revoked() -> None:
    made = {"certificate_content": "R", "authority_content": "A", "certificate": None}
    answer = {**SIGNED, "certificates": {**SIGNED["certificates"], "revoked/ci": made}}
    found, result = temporary(answer, revoked=["ci", "ops"])
    requests = [(one["id"], one["authority"]) for one in found.called[0][1]["requests"] if one.get("revoked")]
    assert requests == [("revoked/ci", "ci"), ("revoked/ops", "ops")]
    assert result["revoked"] == {"ci": {**made, "key_content": result["key_content"]}}
    assert set(result["clients"]) == {"clients"}


def test_temporary_client_in_check_mode_makes_nothing() -> None:
    found, result = temporary(check=True)
    assert (result["key_content"], result["changed"]) == ("", True)
    assert found.called[0][1]["requests"][0]["request_content"] == ""


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"validity": "59s"}, "1m to 24h"),
        ({"validity": "25h"}, "1m to 24h"),
        ({"validity": "soon"}, "soon"),
        ({"name": "x" * 65}, "64"),
        ({"name": ""}, "empty"),
        ({"generations": ["clients"]}, "not an id of a generation"),
    ],
)
def test_temporary_client_with_bad_options_fails_before_anything_is_sent(options: dict[str, t.Any], text: str) -> None:
    found, result = temporary(**options)
    assert result["failed"]
    assert text in result["msg"]
    assert found.called == []


def test_temporary_client_passes_a_failure_on() -> None:
    failure = {"failed": True, "changed": False, "msg": "x", "code": "authority-unknown"}
    assert temporary(failure)[1] == failure


@pytest.mark.parametrize("certificates", [{}, {"other": {}}], ids=str)
def test_temporary_client_that_the_ca_host_did_not_sign_is_its_failure(certificates: dict[str, t.Any]) -> None:
    _found, result = temporary({**SIGNED, "certificates": certificates})
    assert (result["failed"], result["code"]) == (True, "answer-unusable")
    assert "it has no certificate for clients" in result["msg"]


@pytest.mark.parametrize("kind", ["files", "tasks"])
def test_temporary_client_of_a_group_whose_issuer_makes_none_within_a_run_is_refused(kind: str) -> None:
    issuers = {"clients": {"issuer": kind, "ca_content": "PEM", "only_docker_clients": True}}
    found = action(temporary_client, {"path": "/ca", "passphrase": "p", "name": "deploy"}, [SIGNED])
    result = found.run(task_vars={"inventory_hostname": "web1", "docker_client_cert_issuers": issuers})
    assert (result["failed"], result["code"]) == (True, "issuer-unsuitable")
    assert f"the issuer {kind} of the access group clients makes no certificate within a run" in result["msg"]
    assert found.called == []
