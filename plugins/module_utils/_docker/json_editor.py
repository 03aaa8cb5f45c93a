# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strict JSON with positions, so that a file can be edited without a change of foreign members.

Stricter than Python's json (RFC 8259 only, no NaN, no duplicate names) because
dockerd takes the last of two equal keys in silence, and so would hide which value is in force (dockerd-facts 1.2).
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

MAXIMUM_CHARACTERS = 1024 * 1024
MAXIMUM_DEPTH = 100

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_CONSTANTS: dict[str, t.Any] = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"[A-Za-z]+")


class JsonProblem(Exception):
    """The text is not valid at ``offset``."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True)
class Member:
    """One member of the top-level object: text[start:end] is the whole of it, text[value_start:end] its value."""

    key: str
    value: t.Any
    start: int
    value_start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A text whose top level is an object: text[start] is its opening brace, text[end - 1] its closing one."""

    text: str
    start: int
    end: int
    members: tuple[Member, ...]


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return line and column of ``offset``, both counted from 1, the column in characters."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def parse_object(text: str) -> Document:
    """Return the members of the object that ``text`` holds. Raises JsonProblem."""
    if len(text) > MAXIMUM_CHARACTERS:
        raise JsonProblem(f"the file is larger than {MAXIMUM_CHARACTERS} characters", MAXIMUM_CHARACTERS)
    return _Scanner(text).document()


class _Scanner:
    """One pass over the text; ``position`` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def document(self) -> Document:
        self.skip_space()
        start = self.position
        if not self.text.startswith("{", start):
            self.value(0)  # a syntax error is the better message where there is one
            raise JsonProblem("the top level is not an object", start)
        members = self.members(0)
        end = self.position
        self.skip_space()
        if self.position != len(self.text):
            raise JsonProblem("there is something after the end of the object", self.position)
        return Document(self.text, start, end, tuple(members))

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def take(self, wanted: str, message: str) -> None:
        if not self.text.startswith(wanted, self.position):
            raise JsonProblem(f"{message}, found {self.found()}", self.position)
        self.position += len(wanted)

    def found(self) -> str:
        if self.position >= len(self.text):
            return "the end of the file"
        return repr(self.text[self.position])

    def value(self, depth: int) -> t.Any:
        if depth > MAXIMUM_DEPTH:
            raise JsonProblem(f"values are nested deeper than {MAXIMUM_DEPTH} levels", self.position)
        first = self.text[self.position : self.position + 1]
        if first == "{":
            return {member.key: member.value for member in self.members(depth)}
        if first == "[":
            return self.array(depth)
        if first == '"':
            return self.string()
        return self.number_or_constant()

    def number_or_constant(self) -> t.Any:
        start = self.position
        number = _NUMBER.match(self.text, start)
        if number:
            self.position = number.end()
            return _number(number.group(), start)
        word = _WORD.match(self.text, start)
        if word and word.group() in _CONSTANTS:
            self.position = word.end()
            return _CONSTANTS[word.group()]
        if word:
            raise JsonProblem(f"a value was expected, found {word.group()!r}", start)
        raise JsonProblem(f"a value was expected, found {self.found()}", start)

    def string(self) -> str:
        match = _STRING.match(self.text, self.position)
        if match is None:
            raise JsonProblem(*self.string_problem())
        self.position = match.end()
        return str(json.loads(match.group()))

    def string_problem(self) -> tuple[str, int]:
        """Return the problem of the string that begins here, and its position."""
        offset = self.position + 1
        while offset < len(self.text) and self.text[offset] != '"':
            if self.text[offset] < " ":
                return "a string has a line break or control character in it (a quote may be missing)", offset
            if self.text[offset] == "\\":
                if not re.compile(r'["\\/bfnrt]|u[0-9a-fA-F]{4}').match(self.text, offset + 1):
                    return "a string has an unknown escape sequence", offset
                offset += 1
            offset += 1
        return "a string has no closing quote", self.position

    def array(self, depth: int) -> list[t.Any]:
        self.position += 1
        items: list[t.Any] = []
        self.skip_space()
        if self.text.startswith("]", self.position):
            self.position += 1
            return items
        while True:
            self.skip_space()
            items.append(self.value(depth + 1))
            self.skip_space()
            if self.text.startswith(",", self.position):
                self.position += 1
                continue
            self.take("]", "',' or ']' was expected")
            return items

    def members(self, depth: int) -> list[Member]:
        self.position += 1
        found: list[Member] = []
        seen: set[str] = set()
        self.skip_space()
        if self.text.startswith("}", self.position):
            self.position += 1
            return found
        while True:
            self.skip_space()
            member = self.member(depth, seen)
            seen.add(member.key)
            found.append(member)
            self.skip_space()
            if self.text.startswith(",", self.position):
                self.position += 1
                continue
            self.take("}", "',' or '}' was expected")
            return found

    def member(self, depth: int, seen: set[str]) -> Member:
        start = self.position
        if not self.text.startswith('"', start):
            raise JsonProblem(f"a name in double quotes was expected, found {self.found()}", start)
        key = self.string()
        if key in seen:
            raise JsonProblem(f"the name {key!r} stands there a second time", start)
        self.skip_space()
        self.take(":", f"':' was expected after the name {key!r}")
        self.skip_space()
        value_start = self.position
        return Member(key, self.value(depth + 1), start, value_start, self.position)


def _number(text: str, offset: int) -> t.Any:
    try:
        return json.loads(text)
    except ValueError:  # Python refuses integers of more than 4300 digits
        raise JsonProblem("a number has too many digits", offset) from None
