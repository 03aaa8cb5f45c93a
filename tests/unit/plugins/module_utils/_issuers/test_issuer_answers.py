# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of an issuer that is broken, confused or hostile: what can be used of them is used, everything else is refused with its reason."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import answer, batch, openbao
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from support.ca import certificates as made
from support.ca import half_an_engine
from support.ca.half_an_engine import Reply
from support.ca.host_requests import request

ROOT = made.named_authority([("CN", "Company root")], path_length=None, number=61)
ISSUING = made.intermediate(ROOT, "Company issuing CA", 62)
OTHER_ROOT = made.authority(unit="other-root", number=63)
RULES = policy.make_rules(reserved={}, shared=[], backdate="0s")
SECRET = "a-secret-token"
NAME = "web1.example.test"


def order() -> answer.Order:
    (found,) = answer.approve([request("web1")], {}, RULES, made.NOW).orders
    return found


def accepted(text: str) -> answer.Accepted:
    anchors = answer.load_anchors(ROOT.pem, "the anchors")
    return answer.accept(order(), text, anchors, made.NOW, issuer="the issuer openbao", usage_hint="Set the flags.")


def leaf(issuer: made.Pair = ISSUING, **changes: t.Any) -> made.Pair:
    given = {"common_name": NAME, "subject_names": [NAME], "key": made.private_key(number=1), **changes}
    return made.leaf(issuer, **given)


STRAYS = [made.intermediate(OTHER_ROOT, f"Stray CA {number}", number).pem for number in range(64, 70)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param([leaf().pem, ISSUING.pem], id="in order"),
        pytest.param([ROOT.pem, ISSUING.pem, leaf().pem], id="root first"),
        pytest.param([ISSUING.pem, leaf().pem, ROOT.pem], id="leaf in the middle"),
        pytest.param([leaf().pem, *STRAYS, ISSUING.pem, OTHER_ROOT.pem], id="certificates that lead elsewhere"),
        pytest.param([leaf().pem, leaf().pem, ISSUING.pem, ISSUING.pem], id="everything twice"),
        pytest.param(["subject=CN = web1\r\n", leaf().pem, "-- 0 s:CN\n\x00\u2028", ISSUING.pem], id="text between"),
        pytest.param([leaf().pem.replace("\n", "\r\n"), ISSUING.pem.rstrip()], id="line ends of Windows"),
    ],
)
def test_leaf_and_the_shortest_chain_are_taken_whatever_is_around_them(text: list[str]) -> None:
    found = accepted("".join(text))
    taken = reader.load_certificates(found.certificate_content, "what is installed")
    subjects = [reader.name_text(one.subject) for one in taken]
    assert subjects[0].startswith(f"CN={NAME}")
    assert subjects[1:] == ["CN=Company issuing CA"]
    assert found.authority_content.split() == ROOT.pem.split()


REFUSED: dict[str, tuple[t.Any, str]] = {
    "nothing": ("", "certificate"),
    "a page": ("<html>502 Bad Gateway</html>", "certificate"),
    "no text": (["-----BEGIN CERTIFICATE-----"], "is not a text of certificates"),
    "too long": ("A" * 300_000, "is not a text of certificates"),
    "too many": (leaf().pem * 11, "the answer has 11 certificates"),
    "cut off": (leaf().pem[:-40], "certificate"),
    "damaged": (leaf().pem.replace("MII", "AAA", 1), "certificate"),
    "surrogates": ("\ud800" + leaf().pem[:80] + "\ud800" + leaf().pem[80:], "certificate"),
    "for another key": (leaf(key=made.private_key(number=71)).pem + ISSUING.pem, "for another key than the request's"),
    "the issuing CA alone": (ISSUING.pem, "for another key than the request's"),
    "without its chain": (leaf().pem, "does not lead to CN=Company root"),
    "of another root": (leaf(OTHER_ROOT).pem + OTHER_ROOT.pem, "does not lead to CN=Company root"),
    "for tomorrow": (leaf(begin=made.NOW + timedelta(days=1)).pem + ISSUING.pem, "valid only from 2026-11-23"),
    "of yesterday": (leaf(end=made.NOW - timedelta(days=1)).pem + ISSUING.pem, "it ends already 2026-11-21"),
    "one name more": (leaf(subject_names=[NAME, "other.example.test"]).pem + ISSUING.pem, "also has the names other."),
    "a wildcard": (leaf(subject_names=["*.example.test"]).pem + ISSUING.pem, f"it lacks the names {NAME}"),
    "a client's": (made.leaf(ISSUING, "client", common_name=NAME).pem + ISSUING.pem, "not a pure server certificate"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_everything_else_is_refused_with_its_reason(case: str) -> None:
    text, says = REFUSED[case]
    with pytest.raises(TlsError) as caught:
        accepted(text)
    assert says in caught.value.message, caught.value.message
    assert caught.value.hint and caught.value.code in ("issued-certificate-wrong", "certificate-unreadable")
    anchors = answer.load_anchors(ROOT.pem, "the anchors")
    answer.concerns_all(order(), text, anchors)  # returns, whatever it was given


def issue(
    engine: half_an_engine.Engine, requests: t.Sequence[policy.SigningRequest], **changes: t.Any
) -> batch.Outcome:
    given = {
        **{name: option.get("default", "") for name, option in openbao.OPTIONS.items()},
        **{"url": engine.url, "role": "dockerd", "token": SECRET, "concurrency": 1, **changes},
    }
    settings = openbao.settings_from(given, "the issuer of the test", lambda seconds: None)
    anchors = tuple(answer.load_anchors(engine.authority.pem, "the anchors"))
    source = batch.Source("server", "openbao", anchors, settings)
    return batch.issue(batch.Batch(requests, {}, {"server": source}, RULES), made.NOW)


def test_certificates_of_a_batch_that_were_swapped_are_refused_and_the_others_kept() -> None:
    class Confused(half_an_engine.Engine):
        """Answers web2 with the certificate of web3, and web3 with that of web2."""

        def certificate(self, body: dict[str, t.Any]) -> bytes:
            other = {"web2.example.test": "web3", "web3.example.test": "web2"}.get(body["common_name"])
            if other is not None:
                one = requests[other]
                body = {
                    **body,
                    "csr": one.request_content,
                    "common_name": one.common_name,
                    "alt_names": one.common_name,
                }
            return super().certificate(body)

    requests = {f"web{number}": request(f"web{number}", 71 + number) for number in range(1, 5)}
    with half_an_engine.started(OTHER_ROOT) as engine:
        engine.__class__ = Confused
        found = issue(engine, list(requests.values()))
    assert sorted(found.accepted) == ["web1/server", "web4/server"]
    assert sorted(found.refused) == ["web2/server", "web3/server"]
    for error in found.refused.values():
        assert error.code == "issued-certificate-wrong"
        assert "it is for another key than the request's" in error.message


ANSWERS: dict[str, tuple[Reply, str, str]] = {
    "page": ((200, {"Content-Type": "text/html"}, b"<html>Sign in</html>"), "issuer-failed", "without a certificate"),
    "nested": ((200, {}, b"[" * 200_000), "issuer-failed", "without a certificate"),
    "list": ((200, {}, b"[1, 2]"), "issuer-failed", "without a certificate"),
    "number": ((200, {}, b'{"data": {"certificate": 7}}'), "issuer-failed", "without a certificate"),
    "chain": (
        (200, {}, b'{"data": {"certificate": "x", "ca_chain": {"a": 1}}}'),
        "certificate-unreadable",
        "certificate",
    ),
    "long": ((200, {}, b'{"data": "' + b"a" * 1_100_000 + b'"}'), "issuer-failed", "more than 1048576 bytes"),
    "long error": ((500, {}, b"a" * 1_100_000), "issuer-failed", "more than 1048576 bytes"),
    "not ready": ((503, {}, b"<html>"), "issuer-sealed", "is not ready"),
    "busy": ((429, {"Retry-After": "\xb2"}, b""), "issuer-failed", "with 429"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_engine_that_answers_something_else_is_the_reason_of_the_whole_batch(case: str) -> None:
    reply, code, says = ANSWERS[case]
    with half_an_engine.started(OTHER_ROOT, lambda number: reply) as engine:
        found = issue(engine, [request("web1"), request("web2")])
    assert sorted(found.refused) == ["web1/server", "web2/server"]
    assert {error.code for error in found.refused.values()} == {code}
    assert all(says in error.message and error.hint for error in found.refused.values()), found.refused
    assert SECRET not in str(batch.rejected(found))


def test_redirect_to_another_server_is_not_followed_and_that_gets_no_token() -> None:
    with half_an_engine.started(OTHER_ROOT) as other:
        for status in (301, 302, 303, 307, 308):
            elsewhere: Reply = (status, {"Location": f"{other.url}/v1/pki/sign/dockerd"}, b"")
            with half_an_engine.started(OTHER_ROOT, lambda number, reply=elsewhere: reply) as engine:  # type: ignore[misc]
                found = issue(engine, [request("web1")])
            error = found.refused["web1/server"]
            assert (error.code, "redirects to" in error.message) == ("issuer-failed", True)
            assert "credentials do not follow" in error.message
        assert other.asked == []


def test_token_of_a_login_that_the_engine_sends_back_is_in_no_message() -> None:
    def reply(number: int) -> Reply | None:
        errors = {"errors": [f"token a-token-of-a-login of role-secret expired, {SECRET}"]}
        return (403, {}, json.dumps(errors).encode()) if number else None

    with half_an_engine.started(OTHER_ROOT, reply) as engine:
        found = issue(engine, [request("web1")], token="", role_id="an-id", secret_id="role-secret")
    error = found.refused["web1/server"]
    assert error.code == "issuer-denied"
    assert not any(secret in error.message for secret in ("a-token-of-a-login", "role-secret"))
