# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of a host to the program of the inspection."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import programs

GOOD: dict[str, t.Any] = {
    "current": True,
    "requests": [{"id": "a", "action": "none", "reasons": [], "common_name": "dürer"}],
}


def said(answer: t.Any, *, plain: bool = True) -> str:
    return json.dumps({"docker_tls_answer": answer}, ensure_ascii=plain) + "\n"


@pytest.mark.parametrize("plain", [True, False])
def test_answer_of_a_host_is_taken(plain: bool) -> None:
    assert programs.inspection_answer(said(GOOD, plain=plain)) == {**GOOD, "reasons": [], "warnings": []}


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        {**GOOD, "requests": [{"common_name": "x\ud800"}]},
        {"current": False, "prepared": {"requests": [{"x\udfff": 1}]}},
        {"current": False, "msg": "\udc80"},
    ],
    ids=["request", "prepared", "message"],
)
def test_answer_that_is_no_text_is_not_taken(answer: dict[str, t.Any], plain: bool) -> None:
    """It would be passed to the CA host in one call for all hosts, and Ansible accepts no such text from a module."""
    assert programs.inspection_answer(said(answer, plain=plain)) is None
