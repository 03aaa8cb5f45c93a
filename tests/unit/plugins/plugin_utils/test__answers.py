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
