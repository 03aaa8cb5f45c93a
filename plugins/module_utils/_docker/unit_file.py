# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit files of systemd, and the environment of a unit.

Source: systemd.syntax(7), systemd.exec(5) EnvironmentFile=, systemd
src/shared/conf-parser.c (config_parse, parse_line) and src/basic/env-file.c (parse_env_file_internal).

Source: systemd.unit(5) (drop-ins sort by file name, an empty assignment resets a list), systemd.exec(5) ENVIRONMENT
(files override Environment=, later files earlier ones), systemd src/core/execute.c.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .command_line import (
    braced_variables,
    expand_specifiers,
    split_command,
    split_words,
    whole_variable,
)

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


_MANAGER = "systemd's own environment (systemctl show-environment)"
_PASSED = "the environment of process 1 (PassEnvironment= of the unit)"
# The first comment line of every file that we write for systemd; a drop-in that has it is never an input.
OWN_MARK = "# Managed by Ansible (portcullis.docker_tls)"


@dataclass(frozen=True)
class EnvironmentSource:
    """One EnvironmentFile= of the unit: ``pattern`` may hold globs; ``optional`` (the - prefix): may be missing."""

    pattern: str
    optional: bool


@dataclass(frozen=True)
class Variable:
    """One variable as dockerd gets it; ``source`` is the file that it comes from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class UnitModel:
    """The settings in the unit's files, without our own drop-in."""

    paths: tuple[str, ...]  # files read, in systemd's order
    commands: tuple[str, ...]  # raw ExecStart= values after resets
    command_path: str  # the file that the last command stands in
    environment: tuple[Variable, ...]  # Environment= in order, the later of equal names wins
    environment_files: tuple[EnvironmentSource, ...]
    unset_environment: tuple[str, ...]
    late_overrides: tuple[str, ...]  # drop-ins of others that set ExecStart and sort after ours
    requires: tuple[str, ...] = ()  # Requires= and BindsTo=
    protect_home: str = ""
    pass_environment: tuple[str, ...] = ()  # PassEnvironment=: names that come from the environment of process 1


def parse_unit(files: t.Sequence[tuple[str, str]], own_path: str) -> UnitModel:
    """Read the unit: ``files`` = (path, text) of FragmentPath, then DropInPaths in systemd's order, ours included or not.

    ``own_path`` is where our drop-in is or will be; it and every other file with our header are left out of the result.
    """
    own = [path for path, text in files if path == own_path or text.startswith(OWN_MARK)]
    others = [(path, parse_assignments(text)) for path, text in files if path not in own]
    commands = _list_of(others, "Service", "ExecStart")
    environment = _list_of(others, "Service", "Environment")
    return UnitModel(
        paths=tuple(path for path, _unused in others),
        commands=tuple(value for _path, value in commands),
        command_path=commands[-1][0] if commands else "",
        environment=tuple(variable for path, value in environment for variable in _variables(path, value)),
        environment_files=tuple(
            EnvironmentSource(expand_specifiers(value.lstrip("-")), value.startswith("-"))
            for value in _values(others, "Service", "EnvironmentFile")
        ),
        unset_environment=tuple(
            word.value for value in _values(others, "Service", "UnsetEnvironment") for word in split_words(value)
        ),
        late_overrides=tuple(
            path
            for path, assignments in others[1:]
            if os.path.basename(path) > os.path.basename(own_path) and _sets_command(assignments)
        ),
        pass_environment=tuple(" ".join(_values(others, "Service", "PassEnvironment")).split()),
        protect_home="".join(_values(others, "Service", "ProtectHome")[-1:]).lower(),  # the last one counts
        requires=tuple(" ".join(_values(others, "Unit", "Requires") + _values(others, "Unit", "BindsTo")).split()),
    )


def command_variables(model: UnitModel) -> set[str]:
    """Return the names of the variables in the unit's commands. Raises TlsError ``unit-unsupported`` for an open quote."""
    names = set()
    for command in model.commands:
        for word in split_command(command)[1:]:
            value = expand_specifiers(word.value)
            whole = whole_variable(value)
            names.update(braced_variables(value) if whole is None else [whole])
    return names


def read_environment(
    model: UnitModel,
    texts: t.Mapping[str, t.Sequence[tuple[str, str]]],
    manager: t.Mapping[str, str] | None = None,
    *,
    passed: t.Mapping[str, str] | None = None,
    comment_continues: bool = False,
) -> dict[str, Variable]:
    """Return the variables by name as systemd computes them for the command line.

    UnsetEnvironment= counts here up to systemd 257 at least; in 262 it counts for the process only (measured).

    ``texts``: pattern of an EnvironmentSource -> (path, text) of the files that it matches, sorted; missing pattern = no file.
    ``manager``: the environment of the manager (DefaultEnvironment=, ``systemctl set-environment``), the weakest source.
    ``passed``: the environment of process 1, from which PassEnvironment= takes; the next stronger one.
    ``comment_continues``: see parse_environment_file (systemd before 254).
    """
    found = {name: Variable(name, value, _MANAGER) for name, value in (manager or {}).items()}
    values = passed or {}
    names = (name for name in model.pass_environment if name in values)
    found.update({name: Variable(name, values[name], _PASSED) for name in names})
    found.update({variable.name: variable for variable in model.environment})
    for source in model.environment_files:
        for path, text in texts.get(source.pattern, ()):
            values = parse_environment_file(text, comment_continues=comment_continues)
            found.update({name: Variable(name, value, path) for name, value in values.items()})
    for entry in model.unset_environment:
        name, equals, value = entry.partition("=")
        if name in found and (not equals or found[name].value == value):
            del found[name]
    return found


def _list_of(files: t.Sequence[tuple[str, list[Assignment]]], section: str, key: str) -> list[tuple[str, str]]:
    """Return (path, value) of a list setting over all files; an empty value resets what came before."""
    found: list[tuple[str, str]] = []
    for path, assignments in files:
        for item in assignments:
            if (item.section, item.key) == (section, key):
                found = [*found, (path, item.value)] if item.value else []
    return found


def _values(files: t.Sequence[tuple[str, list[Assignment]]], section: str, key: str) -> list[str]:
    return [value for _path, value in _list_of(files, section, key)]


def _sets_command(assignments: t.Iterable[Assignment]) -> bool:
    return any((item.section, item.key) == ("Service", "ExecStart") for item in assignments)


def _variables(path: str, value: str) -> list[Variable]:
    try:
        words = split_words(value)
    except TlsError:  # systemd ignores such a line, with a warning in its log
        return []
    pairs = (expand_specifiers(word.value).partition("=") for word in words)
    return [Variable(name, text, path) for name, equals, text in pairs if equals]
