# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module issued_certificates: answers checked, requests refused alone, and credentials that appear nowhere."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, reader, signing
from ansible_collections.portcullis.docker_tls.plugins.modules import issued_certificates
from support.ansible.modules import run_module
from support.ca import certificates as made

ROOT = made.authority(unit="company-root", number=61)
KEY = made.private_key()


def request(name: str = "web1", profile: str = "server", **changes: t.Any) -> dict[str, t.Any]:
    server = profile == "server"
    common_name = f"{name}.example.test" if server else name
    wanted = (common_name,) if server else (names.client_identity(name),)
    return {
        "id": f"{name}/{profile}",
        "authority": "server" if server else "ops",
        "profile": profile,
        "request_content": signing.build_request(KEY, names.SubjectNames(common_name, wanted)).decode(),
        "common_name": common_name,
        "names": list(wanted) if server else [],
        "validity": "90d",
        "requester": name,
        **changes,
    }


def issuer(authority: str = "server", kind: str = "tasks", **changes: t.Any) -> dict[str, t.Any]:
    return {"authority": authority, "issuer": kind, "ca_content": ROOT.pem, **changes}


def run(*requests: dict[str, t.Any], check: bool = False, diff: bool = False, **options: t.Any) -> dict[str, t.Any]:
    given = {"requests": list(requests), "issuers": [issuer(), issuer("ops")], **options}
    return run_module(issued_certificates, given, check=check, diff=diff)


def leaf(name: str = "web1", profile: str = "server", **changes: t.Any) -> str:
    common_name = f"{name}.example.test" if profile == "server" else name
    given = {"subject_names": [common_name]} if profile == "server" else {}
    return made.leaf(ROOT, profile, common_name=common_name, **{"key": KEY, **given, **changes}).pem


def test_request_without_an_answer_is_pending_with_the_controllers_words() -> None:
    found = run(request(reported_names=["web1.elsewhere.test"]))
    assert found["changed"] is False
    (pending,) = found["pending"]
    assert pending["host"] == "web1"
    assert pending["names"] == ["web1.example.test"]
    assert pending["validity_seconds"] == 90 * 86400


def test_answers_are_checked_and_shaped_as_those_of_the_ca() -> None:
    answers = {
        "web1/server": {"certificate_content": leaf()},
        "alice/client": {"certificate_content": leaf("alice", "client")},
    }
    found = run(request(), request("alice", "client"), answers=answers, diff=True)
    assert found["changed"] is True
    assert found["rejected"] == {}
    assert found["pending"] == []
    server = found["certificates"]["web1/server"]
    assert server["certificate_content"] == leaf_text(answers, "web1/server")
    assert server["authority_content"] == ROOT.pem
    assert (server["authority"], server["issuer"], server["left_out"]) == ("Docker CA (tasks)", "tasks", [])
    assert server["certificate"]["extended_key_usages"] == ["serverAuth"]
    assert "certificate for web1/server: CN web1.example.test" in found["diff"]["prepared"]


def test_reported_name_that_is_not_the_hosts_own_is_left_out_with_a_warning() -> None:
    answers = {"web1/server": {"certificate_content": leaf()}}
    found = run(request(reported_names=["vault.example.test"]), answers=answers)
    assert found["certificates"]["web1/server"]["left_out"] == ["vault.example.test"]
    assert "vault.example.test" in " ".join(found["warnings"])


def leaf_text(answers: dict[str, t.Any], name: str) -> str:
    (certificate,) = reader.load_certificates(answers[name]["certificate_content"], "the answer")
    return reader.certificate_pem(certificate)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(leaf(profile="client"), "not a pure server certificate: it has clientAuth", id="usage"),
        pytest.param(
            leaf(subject_names=["web1.example.test", "web2.example.test"]), "also has the names web2", id="name-more"
        ),
        pytest.param(leaf(subject_names=["web2.example.test"]), "lacks the names web1.example.test", id="name-missing"),
        pytest.param(leaf(key=made.private_key(number=1)), "another key than the request's", id="key"),
        pytest.param(leaf(end=made.NOW), "it ends already", id="expired"),
        pytest.param(ROOT.pem, "certificate of a CA", id="ca"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot be read", id="damaged"),
        pytest.param("nothing", "holds no certificate", id="no-certificate"),
        pytest.param("x" * 300_000, "not a text of certificates", id="too-long"),
    ],
)
def test_wrong_answer_is_the_refusal_of_its_request_alone(answer: str, says: str) -> None:
    answers = {"web1/server": {"certificate_content": answer}, "web2/server": {"certificate_content": leaf("web2")}}
    found = run(request(), request("web2"), answers=answers)
    assert list(found["certificates"]) == ["web2/server"]
    refused = found["rejected"]["web1/server"]
    assert says in refused["msg"]
    assert refused["msg"].startswith("no certificate is issued for web1/server: ")
    assert refused["hint"]


def test_client_with_another_common_name_is_refused() -> None:
    found = run(request("alice", "client"), answers={"alice/client": {"certificate_content": leaf("bob", "client")}})
    assert "its common name is 'bob' instead of 'alice'" in found["rejected"]["alice/client"]["msg"]


def test_reason_of_the_users_tasks_is_the_refusal() -> None:
    answers = {"web1/server": {"msg": "the ticket is not approved", "hint": "Ask the PKI team.", "code": "ticket-open"}}
    found = run(request(), answers=answers)
    assert found["rejected"]["web1/server"] == {
        "msg": "no certificate is issued for web1/server: the ticket is not approved",
        "hint": "Ask the PKI team.",
        "code": "ticket-open",
    }


def test_name_of_another_host_is_refused_before_anybody_is_asked() -> None:
    found = run(request(), reserved_names={"web1.example.test": "web9"})
    assert found["rejected"]["web1/server"]["code"] == "name-taken"
    assert found["pending"] == []


def test_csr_with_other_names_is_refused_where_the_engine_would_take_them() -> None:
    other = signing.build_request(KEY, names.SubjectNames("web1", ("web1.example.test", "web2.example.test"))).decode()
    found = run(request(request_content=other))
    assert found["rejected"]["web1/server"]["code"] == "request-names-differ"
    assert "also has web2.example.test" in found["rejected"]["web1/server"]["msg"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param({"issuers": [issuer(), issuer()]}, "issuer-settings-invalid", id="two-for-one"),
        pytest.param({"issuers": [issuer(kind="openbao")]}, "issuer-settings-invalid", id="openbao-without-settings"),
        pytest.param({"issuers": [issuer(ca_content=leaf())]}, "anchor-unsuitable", id="leaf-as-anchor"),
        pytest.param({"answers": {"web1/server": "text"}}, "answer-invalid", id="answer"),
        pytest.param(
            {
                "issuers": [
                    issuer(
                        kind="openbao",
                        openbao={"url": "http://bao.example.org", "role": "x", "token": "token-of-the-test"},
                    )
                ]
            },
            "issuer-url-invalid",
            id="plain-http",
        ),
        pytest.param(
            {"issuers": [issuer(kind="openbao", openbao={"url": "https://bao.example.org", "role": "x"})]},
            "issuer-settings-invalid",
            id="no-credentials",
        ),
    ],
)
def test_wrong_options_fail_the_call(options: dict[str, t.Any], code: str) -> None:
    found = run(request(), **options)
    assert found["failed"]
    assert (found["code"], bool(found["hint"])) == (code, True)


def test_acme_is_refused_for_clients_and_an_authority_without_issuer_has_none() -> None:
    found = run(request("alice", "client"), request(), issuers=[issuer("ops", "acme")])
    assert {name: one["code"] for name, one in found["rejected"].items()} == {
        "alice/client": "issuer-unsuitable",
        "web1/server": "issuer-unknown",
    }


def test_check_mode_asks_nobody_and_returns_certificates_without_contents() -> None:
    settings = {"url": "https://127.0.0.1:1", "role": "x", "token": "token-of-the-test"}
    found = run(request(request_content=""), issuers=[issuer(kind="openbao", openbao=settings)], check=True, diff=True)
    assert found["changed"] is True
    one = found["certificates"]["web1/server"]
    assert (one["certificate_content"], one["certificate"], one["names"]) == ("", None, ["web1.example.test"])
    assert found["diff"]["prepared"] == "certificate for web1/server: web1.example.test\n"


def test_certificate_by_hand_is_asked_for_in_a_file_and_taken_from_one(tmp_path: pathlib.Path) -> None:
    """The CA is ``openssl x509``, as somebody with a ticket would call it; the request stays the same until it is answered."""
    issuers = [issuer(kind="files", files={"directory": str(tmp_path / "exchange")})]
    waiting = run(request(), issuers=issuers)
    assert waiting["changed"] is False
    assert waiting["rejected"]["web1/server"]["code"] == "certificate-awaited"
    asked = tmp_path / "exchange/web1-server.csr"
    assert str(asked) in waiting["rejected"]["web1/server"]["msg"]
    (tmp_path / "ca.pem").write_text(ROOT.pem)
    (tmp_path / "ca.key").write_bytes(ROOT.key_pem)
    (tmp_path / "server.cnf").write_text("extendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n")
    command = [
        "openssl",
        "x509",
        "-req",
        "-in",
        str(asked),
        "-CA",
        str(tmp_path / "ca.pem"),
        "-CAkey",
        str(tmp_path / "ca.key"),
    ]
    more = ["-days", "90", "-copy_extensions", "copy", "-extfile", str(tmp_path / "server.cnf")]
    subprocess.run([*command, *more, "-out", str(asked.with_suffix(".pem"))], check=True, capture_output=True)
    found = run(request(), issuers=issuers)
    assert found["rejected"] == {}
    assert found["certificates"]["web1/server"]["certificate"]["names"] == ["web1.example.test"]


def test_directory_of_others_keeps_its_mode_and_a_pipe_in_it_does_not_stop_the_run(tmp_path: pathlib.Path) -> None:
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o2770)
    issuers = [issuer(kind="files", files={"directory": str(exchange)})]
    assert run(request(), issuers=issuers)["rejected"]["web1/server"]["code"] == "certificate-awaited"
    assert exchange.stat().st_mode & 0o7777 == 0o2770
    os.mkfifo(exchange / "web1-server.pem")
    assert run(request(), issuers=issuers)["rejected"]["web1/server"]["code"] == "file-unreadable"


def test_certificate_by_hand_for_an_older_key_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "web1-server.pem").write_text(leaf(key=made.private_key(number=1)))
    found = run(request(), issuers=[issuer(kind="files", files={"directory": str(tmp_path)})])
    assert (
        "web1-server.pem is for another key, so it belongs to an older request"
        in found["rejected"]["web1/server"]["msg"]
    )
    damaged = run(request(), issuers=[issuer(kind="files", files={"directory": "certificates"})])
    assert (damaged["code"], damaged["failed"]) == ("issuer-settings-invalid", True)


def test_check_mode_leaves_no_request(tmp_path: pathlib.Path) -> None:
    found = run(request(), issuers=[issuer(kind="files", files={"directory": str(tmp_path / "x")})], check=True)
    assert found["changed"] is True
    assert not (tmp_path / "x").exists()
