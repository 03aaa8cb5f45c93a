# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch whose issuer fails on the way: what was issued is kept, what was not has its reason, and nothing is asked twice."""

from __future__ import annotations

import socket
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import answer, batch, openbao
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing
from support.ca import certificates as made
from support.ca import half_an_engine
from support.ca.half_an_engine import DROP, HANG, Reply

ROOT = made.authority(unit="company-root", number=51)
RULES = policy.make_rules(reserved={}, shared=[], backdate="0s")
KEY = made.private_key(number=52)
SECRET = "a-secret-token"


def request(host: str, **changes: t.Any) -> policy.SigningRequest:
    name = f"{host}.example.test"
    values: dict[str, t.Any] = {
        "id": f"{host}/server",
        "authority": "server",
        "profile": "server",
        "requester": host,
        "request_content": signing.build_request(KEY, names.SubjectNames(name, (name,))).decode(),
        "common_name": name,
        "names": (name,),
        "validity": "90d",
    }
    return policy.SigningRequest(**{**values, **changes})


HOSTS = [f"web{number}" for number in range(1, 9)]


def issue(
    engine: half_an_engine.Engine,
    hosts: t.Sequence[str] = HOSTS,
    *,
    waits: list[float] | None = None,
    anchor: made.Pair = ROOT,
    now: t.Any = made.NOW,
    **changes: t.Any,
) -> batch.Outcome:
    slept = waits if waits is not None else []
    given = {
        **{name: option.get("default", "") for name, option in openbao.OPTIONS.items()},
        **{"url": engine.url, "role": "dockerd", "token": SECRET, "concurrency": 2, **changes},
    }
    source = batch.Source(
        "server",
        "openbao",
        tuple(answer.load_anchors(anchor.pem, "the anchors")),
        openbao.settings_from(given, "the issuer of the test", slept.append),
    )
    return batch.issue(batch.Batch([request(host) for host in hosts], {}, {"server": source}, RULES), now)


def from_the(number: int, reply: Reply) -> t.Callable[[int], Reply | None]:
    """Return the behaviour of a server that is good until the sign call ``number``."""
    return lambda asked: reply if asked >= number else None


def names_of(ids: t.Iterable[str]) -> set[str]:
    return {name.partition("/")[0] for name in ids}


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        pytest.param(DROP, "issuer-timeout", id="dropped"),
        pytest.param((503, {}, b'{"errors": ["Vault is sealed"]}'), "issuer-sealed", id="sealed"),
        pytest.param((403, {}, b'{"errors": ["permission denied"]}'), "issuer-denied", id="token-ended"),
        pytest.param((500, {}, b'{"errors": ["internal error"]}'), "issuer-failed", id="failed"),
        pytest.param((200, {}, b"<html>Service unavailable</html>"), "issuer-failed", id="page-of-a-balancer"),
        pytest.param((307, {"Location": "https://other.example.test/"}, b""), "issuer-failed", id="redirect"),
    ],
)
def test_half_a_batch_is_kept_and_the_next_run_asks_for_the_rest_alone(reply: Reply, code: str) -> None:
    with half_an_engine.started(ROOT, from_the(4, reply)) as engine:
        first = issue(engine)
        asked = list(engine.signed)
        kept, waiting = names_of(first.accepted), names_of(first.refused)
        assert len(kept) == 3 and kept | waiting == set(HOSTS)
        assert len(asked) == len(set(asked)) <= 5  # the one that failed, and what was on its way beside it
        assert {error.code for error in first.refused.values()} == {code}
        assert all(error.hint for error in first.refused.values())
        assert SECRET not in str([(error.message, error.hint) for error in first.refused.values()])
        engine.reply = lambda number: None
        second = issue(engine, sorted(waiting))
    assert names_of(second.accepted) == waiting and not second.refused
    assert sorted(engine.signed[len(asked) :]) == sorted(f"{host}.example.test" for host in waiting)


def test_server_that_does_not_answer_in_time_is_not_asked_again() -> None:
    with half_an_engine.started(ROOT, from_the(1, HANG)) as engine:
        found = issue(engine, timeout=1)
        assert len(engine.signed) == 1
    assert {error.code for error in found.refused.values()} == {"issuer-timeout"}
    assert "within 1 seconds" in found.refused["web1/server"].message


def test_server_that_is_away_is_tried_three_times_for_the_whole_batch() -> None:
    with half_an_engine.started(ROOT) as engine:
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            engine.url = f"http://127.0.0.1:{chosen.getsockname()[1]}"
        waits: list[float] = []
        found = issue(engine, waits=waits)
    assert names_of(found.refused) == set(HOSTS)
    assert {error.code for error in found.refused.values()} == {"issuer-unreachable"}
    assert waits == [1.0, 1.0]


def test_busy_server_is_asked_again_after_the_time_that_it_names() -> None:
    busy: list[Reply] = [(429, {"Retry-After": "7"}, b""), (502, {}, b""), (429, {"Retry-After": "3600"}, b"")]
    with half_an_engine.started(ROOT, lambda number: busy.pop(0) if busy else None) as engine:
        waits: list[float] = []
        found = issue(engine, HOSTS[:1], waits=waits)
        assert names_of(found.refused) == {"web1"} and waits == [7.0, 1.0]
        busy[:] = [(429, {"Retry-After": "3600"}, b"")]
        waits.clear()
        found = issue(engine, HOSTS[:1], waits=waits)
    assert names_of(found.accepted) == {"web1"}
    assert waits == [10.0]  # a run waits for no hour


def test_no_more_requests_are_on_their_way_than_the_setting_allows() -> None:
    with half_an_engine.started(ROOT) as engine:
        found = issue(engine, [f"h{number}" for number in range(30)], concurrency=3)
    assert len(found.accepted) == 30
    assert engine.most_at_a_time <= 3


def test_certificate_of_a_foreign_ca_is_asked_for_once_and_not_for_every_host() -> None:
    foreign = made.authority(unit="other-root", number=53)
    with half_an_engine.started(foreign) as engine:
        found = issue(engine)
        assert engine.signed == ["web1.example.test"]
    assert names_of(found.refused) == set(HOSTS)
    assert {error.code for error in found.refused.values()} == {"issued-certificate-wrong"}
    assert (
        "the certificate that web1 got has a fault that this one would have too" in found.refused["web5/server"].message
    )


def test_name_that_is_left_out_for_one_host_does_not_keep_the_others() -> None:
    class Forgetful(half_an_engine.Engine):
        def certificate(self, body: dict[str, t.Any]) -> bytes:
            wrong = {**body, "alt_names": "elsewhere.example.test"}
            return super().certificate(wrong if body["common_name"].startswith("web1.") else body)

    with half_an_engine.started(ROOT) as engine:
        engine.__class__ = Forgetful
        found = issue(engine)
    assert names_of(found.refused) == {"web1"}
    assert "it lacks the names web1.example.test" in found.refused["web1/server"].message


def test_clock_that_differs_is_named_as_the_cause() -> None:
    with half_an_engine.started(ROOT) as engine:
        found = issue(engine, HOSTS[:1], now=made.LONG_AGO - timedelta(days=1))
    error = found.refused["web1/server"]
    assert "valid only from" in error.message
    assert "clock" in error.hint


def test_login_with_a_jwt_in_a_namespace_and_its_token_is_ended_after_a_failure_too() -> None:
    with half_an_engine.started(ROOT, from_the(1, (500, {}, b""))) as engine:
        found = issue(
            engine, token="", jwt="eyJ.secret.jwt", jwt_role="docker", auth_mount="jwt-ci", namespace="team/docker"
        )
        paths = [path for path, _headers, _body in engine.asked]
        headers = [headers for _path, headers, _body in engine.asked]
        login = engine.asked[0][2]
    assert paths == ["/v1/auth/jwt-ci/login", "/v1/pki/sign/dockerd", "/v1/auth/token/revoke-self"]
    assert login == {"role": "docker", "jwt": "eyJ.secret.jwt"}
    assert {one["X-Vault-Namespace"] for one in headers} == {"team/docker"}
    assert [one.get("X-Vault-Token", "") for one in headers] == ["", "a-token-of-a-login", "a-token-of-a-login"]
    assert "secret" not in str([(error.message, error.hint) for error in found.refused.values()])
