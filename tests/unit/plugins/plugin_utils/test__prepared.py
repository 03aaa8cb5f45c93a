# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look has prepared is taken over for the same question, and for no other."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import certificate_requests
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _prepared

REQUEST = {
    "id": "server",
    "profile": "server",
    "key_path": "/etc/docker/certs/server-key.pem",
    "certificate_path": "/etc/docker/certs/server-cert.pem",
    "authority_content": "PEM",
}
ANSWER = {"plan": ["new certificate"], "requests": [{"id": "server", "request_content": "CSR"}], "warnings": ["a word"]}


def test_take_same_question_returns_what_the_module_would_say() -> None:
    kept = _prepared.keep(ANSWER, [REQUEST])
    assert _prepared.take(kept, [REQUEST]) == {
        "changed": True,
        "plan": ["new certificate"],
        "requests": ANSWER["requests"],
        "diff": {"prepared": "new certificate\n"},
        "warnings": ["a word"],
    }


def test_take_question_with_written_out_defaults_is_the_same() -> None:
    kept = _prepared.keep(ANSWER, [{**REQUEST, "key_type": "ecdsa-p256", "force": False}])
    assert _prepared.take(kept, [{**REQUEST, "force": "no"}]) is not None


@pytest.mark.parametrize(
    "other",
    [
        {"key_path": "/elsewhere"},
        {"force": True},
        {"names": ["web1"]},
        {"authority_content": "ANOTHER"},
        {"key_type": "rsa-4096"},
    ],
)
def test_take_other_question_is_asked_again(other: dict[str, t.Any]) -> None:
    kept = _prepared.keep(ANSWER, [REQUEST])
    assert _prepared.take(kept, [{**REQUEST, **other}]) is None


@pytest.mark.parametrize("requests", [None, "text", [{"id": "server"}], [{**REQUEST, "profile": "both"}]])
def test_take_refused_question_is_left_to_the_module(requests: t.Any) -> None:
    kept = _prepared.keep(ANSWER, requests)
    assert _prepared.take(kept, requests) is None


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "text",
        {},
        *({**ANSWER, **{name: wrong}} for name in ANSWER for wrong in (None, "x", 1)),
        {**ANSWER, "requests": [1]},
    ],
)
def test_keep_answer_without_its_shape_is_none(answer: t.Any) -> None:
    assert _prepared.keep(answer, [REQUEST]) == {}


@pytest.mark.parametrize("kept", [{}, None, "text", {"question": ""}, {"question": "other"}])
def test_take_nothing_kept_is_asked(kept: t.Any) -> None:
    assert _prepared.take(kept, [REQUEST]) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"requests": [{"id": "server", "reasons": 5}]},
        {"requests": [], "plan": ["x"] * 20_000},
    ],
    ids=["reasons", "plan"],
)
def test_what_a_look_has_prepared_is_judged_like_an_answer_of_the_module(answer: dict[str, t.Any]) -> None:
    action = certificate_requests.ActionModule.__new__(certificate_requests.ActionModule)
    action._task = types.SimpleNamespace(check_mode=False)
    kept = _prepared.keep({**ANSWER, **answer}, [REQUEST])
    result = action.run_module({"requests": [REQUEST], "prepared": kept}, "", {})
    assert (result["failed"], result["code"]) == (True, "answer-unusable")
