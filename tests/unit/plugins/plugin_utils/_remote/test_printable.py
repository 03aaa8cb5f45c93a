# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing from a host reaches the terminal as a control character, and everything else stays as it is."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import program
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answer_schema import printable
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import accept

EVIL = {
    "colour": ("\x1b[31mred\x1b[0m", "?[31mred?[0m"),
    "clear screen, 8 bit": ("\x9b2Jgone", "?2Jgone"),
    "title, bell": ("\x1b]0;title\x07", "?]0;title?"),
    "overwritten line": ("bad\rok", "bad?ok"),
    "backspace": ("bad\b\b\bok", "bad???ok"),
    "form feed, vertical tab": ("a\x0cb\x0bc", "a?b?c"),
    "right to left": ("safe\u202egnp.exe", "safe?gnp.exe"),
    "isolate": ("a\u2066b\u2069", "a?b?"),
    "line separator": ("a\u2028b", "a?b"),
    "delete, NUL": ("a\x7fb\x00c", "a?b?c"),
}
HARMLESS = [
    "",
    "a\tb\n",
    "of Windows\r\nlines\r\n",
    "bücher 日本語 ✓ \u00a0",
    "emoji 👩\u200d💻",
    "-----BEGIN X-----\nAA==\n",
]


@dataclasses.dataclass(frozen=True)
class Summary:
    """Like ansible-core's WarningSummary."""

    msg: str
    chain: t.Any = None


@pytest.mark.parametrize(("text", "expected"), EVIL.values(), ids=EVIL.keys())
def test_control_characters_become_question_marks_wherever_they_are(text: str, expected: str) -> None:
    found = printable({"msg": text, text: [text, (text, 1)], "warnings": [Summary(text, Summary(text))], "n": None})
    assert found == {
        "msg": expected,
        expected: [expected, (expected, 1)],
        "warnings": [Summary(expected, Summary(expected))],
        "n": None,
    }


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_the_very_object(text: str) -> None:
    answer = {"content": text, "list": [text, {"deep": (text,)}], "warnings": [Summary(text)]}
    assert printable(answer) is answer


def test_answers_of_programs_and_modules_come_in_without_control_characters() -> None:
    evil = {"msg": "a\x1b[2J", "warnings": ["\x9bx"], "diff": [{"prepared": "\x1b]0;t\x07\n"}]}
    clean = {"msg": "a?[2J", "warnings": ["?x"], "diff": [{"prepared": "?]0;t?\n"}]}
    assert program.answer(json.dumps({"docker_tls_answer": evil})) == clean
    assert accept("plain_relay", {"listen": [], **evil}) == {"changed": False, "listen": [], **clean}
