# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of hosts that are not shaped as they should be."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _answers

SHAPE: dict[str, t.Any] = {"files": [{"id": str, "fits": _answers.Maybe(bool)}]}


@pytest.mark.parametrize(
    "answer", [{}, {"files": None}, {"files": []}, {"files": [{"id": "a"}]}, {"files": [{"id": "a", "fits": True}]}]
)
def test_misshapen_without_a_fault_finds_none(answer: dict[str, t.Any]) -> None:
    assert _answers.misshapen(answer, SHAPE) == ""


@pytest.mark.parametrize(
    "files",
    [
        5,
        "x",
        {"a": 1},
        [5],
        [{}],
        [{"id": ["a"]}],
        [{"id": "a", "fits": 1}],
        [{"id": "a" * 5_000_000}],
        [{"id": "a"}] * 10_001,
    ],
    ids=lambda files: str(files)[:30],
)
def test_misshapen_with_a_fault_names_the_part(files: t.Any) -> None:
    assert _answers.misshapen({"files": files}, SHAPE) == "files"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "No start of json char found", "module_stdout": "/bin/sh: 1: sudo: not found\r\n", "module_stderr": ""}, "/bin/sh: 1: sudo: not found"),
        ({"msg": "MODULE FAILURE", "module_stdout": "sudo: not found\r\n", "module_stderr": "Shared connection to web1 closed.\r\n"}, "sudo: not found"),
        ({"msg": "MODULE FAILURE", "module_stdout": "", "module_stderr": "Traceback:\n  line 1\nOSError: disk full\n"}, "OSError: disk full"),
        ({"msg": "MODULE FAILURE", "module_stdout": "", "module_stderr": ""}, ""),
        ({"msg": "port 2376 is taken"}, ""),
    ],
    ids=["no-sudo", "on-a-terminal", "traceback", "silence", "an-answer"],
)  # fmt: skip
def test_instead_of_an_answer_is_the_last_thing_that_the_host_said(result: dict[str, t.Any], expected: str) -> None:
    assert _answers.instead(result) == expected
