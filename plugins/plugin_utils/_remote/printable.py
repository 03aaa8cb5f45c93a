# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of a host without what a terminal would take for a command.

Ansible prints messages, warnings and diffs of a module as they are, so a hostile host could move the cursor, change colours
or hide lines. Everything that a host answers goes through here, at the one place where answers come in.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

# C0 without tab and line feed, DEL, C1 (ECMA-48), a carriage return that ends no line, and the characters that change the
# direction of text or break lines (Unicode Bidi_Control, U+2028, U+2029), and U+FEFF, which is invisible.
_UNPRINTABLE = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]|\\r(?!\\n)"
)


def printable(value: t.Any) -> t.Any:
    """Return ``value`` with a ``?`` for each unprintable character in all its texts, keys included; itself where there is none."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("?", value) if _UNPRINTABLE.search(value) else value
    if isinstance(value, t.Mapping):
        found = {printable(key): printable(part) for key, part in value.items()}
        same = all(key is old and found[key] is value[old] for key, old in zip(found, value)) and len(found) == len(
            value
        )
        return value if same else found
    if isinstance(value, (list, tuple)):
        parts = [printable(part) for part in value]
        if all(part is old for part, old in zip(parts, value)):
            return value
        return parts if isinstance(value, list) else tuple(parts)
    if dataclasses.is_dataclass(value) and not isinstance(
        value, type
    ):  # how newer ansible-cores carry warnings and errors
        fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value) if item.init}
        clean = printable(fields)
        return value if clean is fields else dataclasses.replace(value, **clean)
    return value
