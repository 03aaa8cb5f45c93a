# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows as aligned lines of text for a terminal."""

from __future__ import annotations

import typing as t

Row = t.Sequence[str]


def align(rows: t.Sequence[Row], first_width: int = 0) -> list[str]:
    """Return one line for each row, every column but the last as wide as its widest cell; ``first_width`` is the least of the first."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    if not cleaned:
        return []
    widths = [max(len(row[column]) for row in cleaned) for column in range(len(cleaned[0]) - 1)]
    widths[:1] = [max(first_width, width) for width in widths[:1]]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in cleaned]


def clean(text: str) -> str:
    """Return ``text`` on one line, with everything unprintable as ``?``: nothing from a host reaches the terminal as a control character."""
    return "".join(character if character.isprintable() else "?" for character in text)
