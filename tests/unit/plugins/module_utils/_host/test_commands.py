# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs whose output is read: real ones."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import commands

SHOW = "import os, sys; print(os.environ['LC_ALL'], repr(sys.stdin.read())); sys.exit(3)"


def test_program_has_no_locale_and_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert commands.run([sys.executable, "-c", SHOW]) == (3, "C ''\n")


def test_output_that_is_no_text_is_returned_all_the_same() -> None:
    assert commands.run(["printf", r"a\377b"]) == (0, "a\ufffdb")


@pytest.mark.parametrize("command", [["/nowhere/to/be/found"], ["/etc"], ["sleep", "60"]], ids=["missing", "directory", "hangs"])  # fmt: skip
def test_program_that_gives_no_answer_has_failed(command: list[str]) -> None:
    assert commands.run(command, 0.2) == (commands.FAILED, "")
