# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two file formats of systemd that a command line comes from: unit files and environment files.

Source: systemd.syntax(7), systemd.exec(5) EnvironmentFile=, systemd
src/shared/conf-parser.c (config_parse, parse_line) and src/basic/env-file.c (parse_env_file_internal).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

COMMENTS = "#;"
_LINE_END = re.compile(r"\r\n|\n\r|\n|\r|\0")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELL_ESCAPED = '"\\`$'


@dataclass(frozen=True)
class Assignment:
    """``key=value`` of a section; ``value`` with continuation lines joined and outer white space gone; ``line`` from 1."""

    section: str
    key: str
    value: str
    line: int


def parse_assignments(text: str) -> list[Assignment]:
    """Return the assignments of a unit file or drop-in in order. Lines that systemd ignores are ignored."""
    found: list[Assignment] = []
    section = ""
    for number, line in _logical_lines(text):
        if line.startswith("["):
            section = line[1:-1] if line.endswith("]") else section
            continue
        key, equals, value = line.partition("=")
        if equals and section:
            found.append(Assignment(section, key.strip(), value.strip(), number))
    return found


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Return (number of the first line, text) with continuations joined, comments and empty lines left out.

    A comment line inside a continued line is skipped and does not end it; a backslash at the end of a comment means nothing.
    """
    lines: list[tuple[int, str]] = []
    pending: tuple[int, str] | None = None
    for number, line in enumerate(_LINE_END.split(text.lstrip("\ufeff")), 1):
        if line.lstrip()[:1] and line.lstrip()[0] in COMMENTS:
            continue
        first, joined = pending if pending else (number, "")
        joined += line
        if _ends_escaped(joined):
            pending = (first, joined[:-1] + " ")
            continue
        pending = None
        lines.append((first, joined.strip()))
    if pending:
        lines.append((pending[0], pending[1].strip()))
    return [(number, line) for number, line in lines if line]


def _ends_escaped(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def parse_environment_file(text: str, *, comment_continues: bool = False) -> dict[str, str]:
    """Return name -> value of an EnvironmentFile=; invalid names are left out, the last of equal names wins.

    ``comment_continues``: before systemd 254 a backslash at the end of a comment line made the next line a comment too.
    """
    reader = _EnvironmentReader(comment_continues)
    for character in text.split("\0", 1)[0]:
        reader.feed(character)
    reader.finish()
    return reader.found


class _EnvironmentReader:
    """The state machine of systemd's parse_env_file_internal; each state is a method that takes one character."""

    def __init__(self, comment_continues: bool) -> None:
        self.found: dict[str, str] = {}
        self.comment_continues = comment_continues
        self.key = ""
        self.value = ""
        self.kept = 0  # length of the value that trailing white space must not eat
        self.feed: t.Callable[[str], None] = self.before_key

    def push(self) -> None:
        name = self.key.rstrip(" \t\r\n")
        if _NAME.fullmatch(name):
            self.found[name] = self.value
        self.key, self.value, self.kept = "", "", 0
        self.feed = self.before_key

    def finish(self) -> None:
        if self.feed in (self.before_key, self.in_key, self.in_comment, self.comment_escape):
            return
        if self.feed == self.in_value:
            self.value = self.value[: self.kept]
        self.push()

    def before_key(self, character: str) -> None:
        if character in COMMENTS:
            self.feed = self.in_comment
        elif character not in " \t\r\n":
            self.key = character
            self.feed = self.in_key

    def in_key(self, character: str) -> None:
        if character in "\r\n":
            self.key = ""
            self.feed = self.before_key
        elif character == "=":
            self.feed = self.before_value
        else:
            self.key += character

    def before_value(self, character: str) -> None:
        if character in "\r\n":
            self.push()
        elif character == "'":
            self.feed = self.single_quoted
        elif character == '"':
            self.feed = self.double_quoted
        elif character == "\\":
            self.feed = self.value_escape
        elif character not in " \t":
            self.feed = self.in_value
            self.in_value(character)

    def in_value(self, character: str) -> None:
        if character in "\r\n":
            self.value = self.value[: self.kept]
            self.push()
        elif character == "\\":
            self.kept = len(self.value)
            self.feed = self.value_escape
        else:
            self.value += character
            if character not in " \t":
                self.kept = len(self.value)

    def value_escape(self, character: str) -> None:
        self.feed = self.in_value
        if character not in "\r\n":
            self.value += character
        self.kept = len(self.value)

    def single_quoted(self, character: str) -> None:
        if character == "'":
            self.feed = self.before_value
        else:
            self.value += character

    def double_quoted(self, character: str) -> None:
        if character == '"':
            self.feed = self.before_value
        elif character == "\\":
            self.feed = self.double_quoted_escape
        else:
            self.value += character

    def double_quoted_escape(self, character: str) -> None:
        self.feed = self.double_quoted
        if character in _SHELL_ESCAPED:
            self.value += character
        elif character != "\n":
            self.value += "\\" + character

    def in_comment(self, character: str) -> None:
        if character == "\\":
            self.feed = self.comment_escape
        elif character in "\r\n":
            self.feed = self.before_key

    def comment_escape(self, character: str) -> None:
        ends = character in "\r\n" and not self.comment_continues
        self.feed = self.before_key if ends else self.in_comment
