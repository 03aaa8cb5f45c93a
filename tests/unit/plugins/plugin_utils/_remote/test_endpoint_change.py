# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A missing answer, and the meaning of its exit code."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import programs


@pytest.mark.parametrize(
    ("code", "said"),
    [(137, "exit code 137)"), (139, "SIGSEGV: a native library"), (135, "SIGBUS"), (132, "another processor")],
)
def test_python_that_ended_without_an_answer_is_told_with_its_signal(code: int, said: str) -> None:
    found = programs.change_answer("docker_tls: begun\n", code)
    assert found["code"] == "answer-unusable"
    assert said in found["msg"]
