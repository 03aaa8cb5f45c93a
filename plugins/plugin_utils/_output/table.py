# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables and plans on Ansible's display.

A debug task would leave that to the callback: as JSON (the default) a table is a list of quoted strings, as YAML some of
its lines are quoted and others not, and both push it out of line. So it goes to the display itself, line by line, with
the colours that Ansible uses.
"""

from __future__ import annotations

import typing as t

from ansible import constants as C

# Ansible's settings of colours, by the word that a line begins with.
_COLOURS = {
    "CRITICAL": "COLOR_ERROR",
    "CRITICAL:": "COLOR_ERROR",
    "FAILED": "COLOR_ERROR",
    "NOT": "COLOR_ERROR",
    "UNREACHABLE": "COLOR_UNREACHABLE",
    "WARNING": "COLOR_WARN",
    "WARNING:": "COLOR_WARN",
    "changed": "COLOR_CHANGED",
    "would": "COLOR_CHANGED",
    "unknown": "COLOR_SKIP",
    "UNKNOWN:": "COLOR_SKIP",
    "ok": "COLOR_OK",
    "OK:": "COLOR_OK",
}
#: Marks of a warning in a plan, anywhere in a line.
_WARNINGS = ("NOT KNOWN:", "OBSTACLE")


def show(display: t.Any, lines: t.Iterable[str]) -> None:
    """Print the lines of a table, each in the colour of its first word."""
    for line in lines:
        display.display(line, color=colour(line))


def colour(line: str) -> str | None:
    """Return the name of the colour for a line, None for no colour."""
    warns = any(mark in line for mark in _WARNINGS)
    setting = "COLOR_WARN" if warns else _COLOURS.get(line.partition(" ")[0])
    return getattr(C, setting) if setting else None
