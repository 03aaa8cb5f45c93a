# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema of a host's answer, which every answer is checked against.

A host may be hostile or broken. Its answer is data: it is accepted only in the schema of its module (``answers.py``),
within limits of size and depth. Other fields are dropped, so an answer never carries variables, groups or included
files into the run. Later code relies on the shape and does not check it again.

Ansible prints messages, warnings and diffs of a module as they are, so a hostile host could move the cursor, change colours or hide lines:
``printable`` removes control sequences for a terminal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t

_SHORT = 4_000
#: A file of certificates, a diff, an output.
LONG = 1_000_000
MOST_ENTRIES = 10_000
_MOST_DIGITS = 18
_DEEPEST = 20


class Misshapen(Exception):
    """A part of an answer that violates its schema: ``str()`` names the part, the expected type and the found one."""

    def __init__(self, where: str, wanted: str, found: t.Any) -> None:
        super().__init__(f"{where or 'the answer'} is {_kind(found)} and not {wanted}")


class Shape:
    """The required form of a value."""

    def clean(self, value: t.Any, where: str) -> t.Any:
        """Return ``value`` without fields that are not in the schema. Raises Misshapen, which calls the value ``where``."""
        raise NotImplementedError


class Text(Shape):
    """A text of a usable length, without commands for a terminal. ``pattern``: must match the whole text."""

    def __init__(self, longest: int = _SHORT, pattern: str = "", name: str = "a text") -> None:
        self._longest = longest
        self._pattern = re.compile(pattern) if pattern else None
        self._name = name

    def clean(self, value: t.Any, where: str) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise Misshapen(where, self._name, value)
        if len(value) > self._longest:
            raise Misshapen(where, f"at most {self._longest} characters", value)
        try:
            value.encode("utf-8")
        except (
            UnicodeEncodeError
        ):  # half of a surrogate pair: the CA host would reject the whole batch, and not only this host
            raise Misshapen(where, "a text of whole characters", value) from None
        text = str(printable(value))
        if self._pattern is not None and not self._pattern.fullmatch(text):
            raise Misshapen(where, self._name, value)
        return value if text == value else text  # Ansible marks a host's text, and a copy would lose the mark


class Flag(Shape):
    """True or false."""

    def clean(self, value: t.Any, where: str) -> bool:
        """Return the value."""
        if not isinstance(value, bool):
            raise Misshapen(where, "true or false", value)
        return value


class Number(Shape):
    """A number that JSON has and Python prints (3.11 and newer refuse more than 4,300 digits)."""

    def clean(self, value: t.Any, where: str) -> int | float:
        """Return the number."""
        usual = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not usual or not abs(value) < 10**_MOST_DIGITS:  # neither infinity nor NaN
            raise Misshapen(where, "a usual number", value)
        return t.cast("int | float", value)


class Maybe(Shape):
    """A value that may be null."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def clean(self, value: t.Any, where: str) -> t.Any:
        """Return None, or the accepted value."""
        return None if value is None else self._shape.clean(value, where)


class Items(Shape):
    """A list."""

    def __init__(self, shape: Shape, most: int = MOST_ENTRIES) -> None:
        self._shape = shape
        self._most = most

    def clean(self, value: t.Any, where: str) -> list[t.Any]:
        """Return a list of the accepted entries."""
        if not isinstance(value, (list, tuple)):
            raise Misshapen(where, "a list", value)
        if len(value) > self._most:
            raise Misshapen(where, f"at most {self._most} entries", value)
        return [self._shape.clean(entry, f"{where}[{number}]") for number, entry in enumerate(value)]


class Named(Shape):
    """A dictionary whose keys are the host's: texts."""

    def __init__(self, shape: Shape, most: int = MOST_ENTRIES) -> None:
        self._shape = shape
        self._most = most
        self._key = Text()

    def clean(self, value: t.Any, where: str) -> dict[str, t.Any]:
        """Return a dictionary of the accepted values."""
        if not isinstance(value, t.Mapping):
            raise Misshapen(where, "a dictionary", value)
        if len(value) > self._most:
            raise Misshapen(where, f"at most {self._most} entries", value)
        keys = {key: self._key.clean(key, f"a key of {where}") for key in value}
        return {name: self._shape.clean(value[key], f"{where}.{name}") for key, name in keys.items()}


class Fields(Shape):
    """A dictionary with the ``required`` keys, and those of ``optional`` that are there.

    Other keys of a whole answer are dropped: Ansible would read some of them. Deeper in an answer they are data.
    """

    def __init__(self, required: t.Mapping[str, Shape], optional: t.Mapping[str, Shape] | None = None) -> None:
        self.required = dict(required)
        self.optional = dict(optional or {})

    def clean(self, value: t.Any, where: str) -> dict[str, t.Any]:
        """Return a dictionary of the accepted values, each by its own schema."""
        if not isinstance(value, t.Mapping):
            raise Misshapen(where, "a dictionary", value)
        found = {}
        for name, shape in (*self.required.items(), *self.optional.items()):
            if name in value:
                found[name] = shape.clean(value[name], f"{where}.{name}" if where else name)
            elif name in self.required:
                raise Misshapen(f"{where}.{name}" if where else name, "there", None)
        more = {name: value[name] for name in value if name not in found} if where else {}
        return {**found, **Data().clean(more, where)}


class Either(Shape):
    """A value that one of several shapes takes."""

    def __init__(self, name: str, *shapes: Shape) -> None:
        self._name = name
        self._shapes = shapes

    def clean(self, value: t.Any, where: str) -> t.Any:
        """Return the value as the first schema accepts it."""
        for shape in self._shapes:
            with contextlib.suppress(Misshapen):
                return shape.clean(value, where)
        raise Misshapen(where, self._name, value)


class Data(Shape):
    """What JSON can carry, to be shown or passed on and never read."""

    def clean(self, value: t.Any, where: str) -> t.Any:
        """Return the value."""
        return self._clean(value, where, 0)

    def _clean(self, value: t.Any, where: str, depth: int) -> t.Any:
        if depth > _DEEPEST:
            raise Misshapen(where, f"data of at most {_DEEPEST} levels", value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return Number().clean(value, where)
        if isinstance(value, t.Mapping):
            keys = {key: Text().clean(key, f"a key of {where}") for key in value}
            return {name: self._clean(value[key], where, depth + 1) for key, name in keys.items()}
        if isinstance(value, (list, tuple)):
            return [self._clean(entry, where, depth + 1) for entry in value]
        return Text(LONG).clean(value, where)


def _kind(value: t.Any) -> str:
    """Return the JSON type of a value; never the value, which may be anything."""
    if value is None:
        return "missing"
    kinds: tuple[tuple[t.Any, str], ...] = (
        (bool, "true or false"),
        (str, "another text"),
        ((int, float), "a number"),
        (t.Mapping, "a dictionary"),
        ((list, tuple), "a list"),
    )
    name = next((name for kind, name in kinds if isinstance(value, kind)), "no plain data")
    return f"{name} of {len(value)} entries" if isinstance(value, (list, tuple, t.Mapping)) else name


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
