# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages have in blocks of code: YAML documents, and command lines with their words."""

from __future__ import annotations

import functools
import pathlib
import re
import shlex
import typing as t

import yaml

from support.contracts.documentation import ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "roles").glob("*/README.md"),
        ROOT / "molecule/shared/README.md",
    ]
)
_BLOCK = re.compile(r"^ *```(\S*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SEPARATORS = {"&&", "||", ";", "|", "&"}
_ASSIGNMENT = re.compile(r"\w+=")


def name_of(path: pathlib.Path) -> str:
    """Return a page's path from the root."""
    return str(path.relative_to(ROOT))


def blocks(path: pathlib.Path, language: str) -> list[str]:
    """Return the page's blocks of one language."""
    return [body for found, body in _BLOCK.findall(path.read_text()) if found == language]


def commands(path: pathlib.Path) -> list[str]:
    """Return the page's command lines without their prompts; what commands print is not a command."""
    lines = [line.strip() for block in blocks(path, "console") for line in block.splitlines()]
    return [line[2:] for line in lines if line[:2] in ("$ ", "# ")]


def words(line: str) -> list[list[str]]:
    """Return the words of each simple command of a line; assignments before it and redirections are left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for token in lexer:
        word = token.strip("()") if token.startswith("(") or not found[-1] else token  # of a subshell
        if word in _SEPARATORS:
            found.append([])
        elif found[-1] or not _ASSIGNMENT.match(word):
            found[-1].append(word)
    return [command for command in found if command]


class Command(t.NamedTuple):
    """One simple command of a page."""

    page: str
    line: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


@functools.cache
def all_commands() -> tuple[Command, ...]:
    """Return every simple command of every page."""
    return tuple(
        Command(name_of(path), line, tuple(one)) for path in PAGES for line in commands(path) for one in words(line)
    )


@functools.cache
def documents() -> tuple[tuple[str, t.Any], ...]:
    """Return every YAML document of the pages with the page's name."""
    return tuple((name_of(path), yaml.safe_load(block)) for path in PAGES for block in blocks(path, "yaml"))


def dicts(node: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield every dict in a document."""
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from dicts(child)


def templated(node: t.Any) -> bool:
    """Whether there is a template in it anywhere."""
    return "{{" in str(node)
