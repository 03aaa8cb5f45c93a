# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An edited unit: the text of its package, and the edit as a drop-in. Pure.

The package manager keeps a checksum of the file, not the file. But most edits are a sed over ExecStart, so reverting the edits of the recipes
gives a few texts, and the checksum decides whether one of them is the original (``candidates``). The edit is then written
to a drop-in, which is where systemd wants it (systemd.unit(5)): the effective unit is the same before and after (``as_dropin``).
"""

from __future__ import annotations

import difflib
import re
import typing as t
from collections import Counter

from .._docker.command_line import Word, find_flags, split_words
from .._docker.exec_start import ENDPOINT_FLAGS
from .._docker.unit_file import Assignment, parse_assignments
from .._errors import TlsError

#: Sorts before the drop-ins of people and of other tools: they had priority over the unit's file, and they keep it.
DROPIN_NAME = "00-adopted-unit.conf"
_COMMAND = re.compile(r"^(ExecStart[ \t]*=[ \t]*)((?:.*\\\n)*.*)$", re.MULTILINE)
_COMMENTED = re.compile(r"^#[ \t]*(ExecStart[ \t]*=.*)$", re.MULTILINE)
#: The flags that vendors give dockerd themselves, beside -H fd://.
_VENDOR_FLAGS = frozenset({"containerd"})
#: Commands of docker-ce (Docker's packages) and docker.io (Debian, Ubuntu), for edits that left nothing of them.
_VENDOR_COMMANDS = (
    "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock",
    "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS",
    "/usr/bin/dockerd -H fd:// $DOCKER_OPTS",
    "/usr/sbin/dockerd -H fd:// $DOCKER_OPTS",
    "/usr/bin/dockerd -H fd://",
)
# An empty assignment takes what came before away (systemd.service(5), systemd.exec(5)).
_LISTS = frozenset({"ExecStart", "Environment", "EnvironmentFile"})
# The last assignment counts.
_SINGLE = frozenset(
    "LimitNOFILE LimitNPROC LimitCORE LimitMEMLOCK TasksMax TimeoutStartSec TimeoutStopSec TimeoutSec Restart RestartSec KillMode "
    "Delegate OOMScoreAdjust MountFlags".split()
)
# Words are only added: nothing can take one away again.
_ADDED = frozenset({"After", "Before", "Wants"})
_MOST_LINES = 12


def candidates(edited: str) -> t.Iterator[str]:
    """Return possible texts of the file before the edit, for a comparison with the checksum; the likeliest first."""
    found = [match for match in _COMMAND.finditer(edited) if match[2].strip()]
    if len(found) != 1:
        return
    (match,) = found

    def with_command(command: str) -> str:
        return edited[: match.start(2)] + command + edited[match.end(2) :]

    for commented in _COMMENTED.finditer(edited):
        lines = edited[: commented.start()] + commented[1] + edited[commented.end() :]
        yield lines.replace(match[0] + "\n", "", 1)
    for command in _commands(match[2]):
        yield with_command(command)


def _commands(command: str) -> t.Iterator[str]:
    """Return a command without what recipes add to it, white space kept."""
    try:
        words = split_words(command.replace("\\\n", "  "))
    except TlsError:
        words = []
    if words:
        flags = [flag for flag in find_flags([word.value for word in words[1:]]) if not flag.rest]
        local = [flag for flag in flags if flag.name == "host" and (flag.value or "").startswith("fd://")]
        ours = [flag for flag in flags if flag.name in ENDPOINT_FLAGS]
        for dropped in (
            [flag for flag in ours if flag not in local],
            ours,
            [flag for flag in flags if flag not in local and flag.name not in _VENDOR_FLAGS],
            [flag for flag in flags if flag.name not in _VENDOR_FLAGS],
        ):
            indexes = {index + 1 for flag in dropped for index in range(flag.first, flag.last + 1)}
            rest = _without(command, words, indexes)
            if rest is not None:
                yield rest
                for spelled in ("-H fd://", "--host=fd://"):
                    yield rest.replace(words[0].raw, f"{words[0].raw} {spelled}", 1)
    yield from _VENDOR_COMMANDS


def _without(command: str, words: t.Sequence[Word], indexes: t.Container[int]) -> str | None:
    """Return the text of a command without the words ``indexes`` and the white space before each."""
    kept, position = [], 0
    for index, word in enumerate(words):
        start = command.find(word.raw, position)
        if start < 0:
            return None
        end = start + len(word.raw)
        if index not in indexes:
            kept.append(command[position:end])
        position = end
    return "".join([*kept, command[position:]])


def as_dropin(original: str, edited: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Return the drop-in that gives ``original`` the settings of ``edited`` (the file ``path``), and those that no drop-in can contain.

    The drop-in is "" where the two mean the same. The second are keys with their sections; with any of them it is not to be used.
    """
    before, after = _by_key(original), _by_key(edited)
    sections: dict[str, list[str]] = {}
    obstacles = []
    for section, key in dict.fromkeys([*before, *after]):
        old, new = before.get((section, key), []), after.get((section, key), [])
        if old == new:
            continue
        lines = _said(section, key, old, new)
        if lines is None:
            obstacles.append(f"[{section}] {key}")
        else:
            sections.setdefault(section, []).extend(lines)
    if not sections:
        return "", tuple(obstacles)
    head = [
        "# Written by Ansible (portcullis.docker_tls, docker_adopt_repair: units), once; it is yours to change or to remove.",
        f"# What was edited in {path}. The file of the package is as the package has it.",
    ]
    body = [line for section, lines in sections.items() for line in (f"[{section}]", *lines)]
    return "\n".join([*head, *body]) + "\n", tuple(obstacles)


def _by_key(text: str) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in parse_assignments(text):
        found.setdefault((one.section, one.key), []).append(one.value)
    return found


def _said(section: str, key: str, old: t.Sequence[str], new: t.Sequence[str]) -> list[str] | None:
    """Return the lines that turn the values ``old`` into ``new``, None where a drop-in cannot."""
    if section == "Service" and key in _LISTS and (new or key != "ExecStart"):
        return [f"{key}=", *(f"{key}={value}" for value in new if value)]
    if section == "Service" and key in _SINGLE and new and new[-1]:
        return [f"{key}={new[-1]}"]
    if section == "Unit" and key in _ADDED and all([*old, *new]):
        had, has = " ".join(old).split(), " ".join(new).split()
        if not Counter(had) - Counter(has):
            return [f"{key}={' '.join(word for word in has if word not in had)}"] if set(has) - set(had) else []
    return None


def changed_lines(original: str, edited: str) -> tuple[str, ...]:
    """Return which lines of ``edited`` are not the original's, by number and key; values may hold a secret."""
    here, there = edited.splitlines(), original.splitlines()
    found: list[str] = []
    matcher = difflib.SequenceMatcher(None, there, here, autojunk=False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind != "equal":
            found += [_line(number + 1, here[number]) for number in range(begin, end)]
            found += [f"{_key(line)} removed" for line in there[first:last]] if begin == end else []
    return _few(found)


def endpoint_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a unit that name a TCP listener or TLS settings of dockerd, by number and key."""
    found = []
    for one in parse_assignments(text):
        if one.key == "ExecStart" and names_endpoint(one):
            found.append(_line(one.line, f"{one.key}="))
    return _few(found)


def names_endpoint(one: Assignment) -> bool:
    """Return whether a command names TLS settings or a listener that is not local."""
    try:
        flags = find_flags([word.value for word in split_words(one.value)[1:]])
    except TlsError:
        return False
    local = ("fd://", "unix://")
    return any(
        flag.name in ENDPOINT_FLAGS and not (flag.name == "host" and (flag.value or "").startswith(local))
        for flag in flags
    )


def _few(found: t.Sequence[str]) -> tuple[str, ...]:
    more = len(found) - _MOST_LINES
    return (*found[:_MOST_LINES], f"{more} more") if more > 0 else tuple(found)


def _line(number: int, text: str) -> str:
    return f"line {number} ({_key(text)})"


def _key(text: str) -> str:
    if not text.strip():
        return "empty"
    if text.lstrip().startswith(("#", ";")):
        return "comment"
    return text.partition("=")[0].strip()[:40] if "=" in text or text.startswith("[") else "continued"
