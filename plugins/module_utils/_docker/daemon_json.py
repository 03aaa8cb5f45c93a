# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""daemon.json: read, edited in place with its order and formatting, merged and unmerged.

Stricter than Python's json (RFC 8259 only, no NaN, no duplicate names) because
dockerd takes the last of two equal keys in silence, and so would hide which value is in force (dockerd-facts 1.2).

The file is edited as text: every byte that is not part of one of our members stays, so order, indent, spelling of numbers
and escapes of foreign values survive. Keys and their meaning: dockerd-facts 1 (moby daemon/config/config.go).
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError

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
        return list(self.items("]", lambda: self.value(depth + 1)))

    def members(self, depth: int) -> list[Member]:
        seen: set[str] = set()
        return list(self.items("}", lambda: self.member(depth, seen)))

    def items(self, closing: str, read: t.Callable[[], t.Any]) -> t.Iterator[t.Any]:
        """Yield what ``read`` returns between the bracket that is next and the ``closing`` one."""
        self.position += 1
        self.skip_space()
        if self.text.startswith(closing, self.position):
            self.position += 1
            return
        while True:
            self.skip_space()
            yield read()
            self.skip_space()
            if not self.text.startswith(",", self.position):
                self.take(closing, f"',' or {closing!r} was expected")
                return
            self.position += 1

    def member(self, depth: int, seen: set[str]) -> Member:
        start = self.position
        if not self.text.startswith('"', start):
            raise JsonProblem(f"a name in double quotes was expected, found {self.found()}", start)
        key = self.string()
        if key in seen:
            raise JsonProblem(f"the name {key!r} stands there a second time", start)
        seen.add(key)
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


# In the order in which they are appended. No path is last: in a file of one line docker-bench-security reads it with the brace.
ENDPOINT_KEYS = ("hosts", "tlscacert", "tlscert", "tlskey", "tls", "tlsverify")
MANAGED_KEYS = (*ENDPOINT_KEYS, "live-restore")
# Measured (dockerd 26.1, 28.5, 29.7): "host" is a flag's name, so dockerd accepts it in the file and ignores it.
_MISTAKEN_KEYS = {"host": "hosts"}
_NEW_INDENT = "    "
_BYTE_ORDER_MARK = "\ufeff"

Text = t.Union[bytes, str, None]


@dataclass(frozen=True)
class ParsedConfig:
    """A daemon.json that dockerd would read: ``values`` by key in the file's order, and ``text`` exactly as found."""

    path: str
    text: str
    values: dict[str, t.Any]


@dataclass(frozen=True)
class ForeignSetting:
    """An endpoint key that someone else has set: ``found`` in the file, ``wanted`` by us (None: we set none)."""

    key: str
    found: t.Any
    wanted: t.Any


@dataclass(frozen=True)
class _Style:
    """How the file at hand is written."""

    indent: str | None  # None: everything on one line
    newline: str
    colon: str
    comma: str  # between items on one line
    trailer: str  # white space between the last member and the closing brace


def parse_daemon_json(data: Text, path: str) -> ParsedConfig:
    """Parse strictly. None, an empty file and white space only give no values (so does dockerd from 23.0 on).

    Raises TlsError ``daemon-json-invalid`` with line and column (from 1) for a syntax error, not UTF-8, a byte order mark,
    NaN/Infinity, a top level that is not an object, a duplicate key at any depth, deeper than 100 or larger than 1 MiB.
    """
    document = _document(data, path)
    return ParsedConfig(path, _decode(data, path), {member.key: member.value for member in document.members})


def merge(existing: Text, ours: t.Mapping[str, t.Any], remove: t.Iterable[str] = (), path: str = "daemon.json") -> str:
    """Return the text of daemon.json with ``ours`` set and ``remove`` gone; every other byte stays as it is.

    Keys that are there are replaced in place, missing ones appended: the managed ones in a fixed order, then the rest sorted.
    Where nothing changes in meaning, exactly the existing text comes back, so merge(merge(x)) == merge(x).
    Raises TlsError ``daemon-json-invalid``.
    """
    spelled = {key: json.dumps(ours[key], ensure_ascii=False) for key in ours}
    document = _document(existing, path)
    return _edit(document, ours, spelled, {key for key in remove if key not in ours})


def unmerge(current: Text, written: bytes | str, original: Text, path: str = "daemon.json") -> str | None:
    """Return the text that daemon.json must have without us; None: the file must go.

    ``written`` is what we wrote last, ``original`` what we found at first (None: no file). Where ``current`` is still
    ``written``, exactly ``original`` comes back; else only the keys in which the two differ go back to their original
    values and spelling, whatever they are now, and what others have edited since stays. Raises TlsError
    ``daemon-json-invalid``.
    """
    if current is not None and _decode(current, path) == _decode(written, path):
        return None if original is None else _decode(original, path)
    before = _document(original, path)
    found = {member.key: member for member in before.members}
    ours = {member.key: member.value for member in _document(written, path).members}
    changed = [key for key in {**ours, **found} if not _same(ours, {k: m.value for k, m in found.items()}, key)]
    spelled = {key: before.text[found[key].value_start : found[key].end] for key in changed if key in found}
    values = {key: found[key].value for key in spelled}
    document = _document(current, path)
    text = _edit(document, values, spelled, {key for key in changed if key not in found})
    if original is None and not parse_daemon_json(text, path).values:
        return None
    return text


def foreign_endpoint_settings(
    values: t.Mapping[str, t.Any], ours: t.Mapping[str, t.Any], written: t.Mapping[str, t.Any] | None = None
) -> tuple[ForeignSetting, ...]:
    """Return the endpoint keys in ``values`` whose value is neither what we want nor what we wrote last (``written``)."""
    return tuple(
        ForeignSetting(key, values[key], ours.get(key))
        for key in ENDPOINT_KEYS
        if key in values and not _same(values, ours, key) and not _same(values, written or {}, key)
    )


def misspelled_keys(values: t.Mapping[str, t.Any]) -> tuple[tuple[str, str], ...]:
    """Return (key, meant) for ``host`` (which dockerd accepts and ignores) and for managed keys in another spelling."""
    plain = {re.sub(r"[-_]", "", key): key for key in MANAGED_KEYS}
    found = []
    for key in values:
        meant = _MISTAKEN_KEYS.get(key) or plain.get(re.sub(r"[-_]", "", key).lower())
        if meant and meant != key:
            found.append((key, meant))
    return tuple(found)


def difference(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> dict[str, tuple[t.Any, t.Any]]:
    """Return key -> (before, after) for the keys whose values differ (None: absent), sorted by key; for reports."""
    keys = sorted({*before, *after})
    return {key: (before.get(key), after.get(key)) for key in keys if not _same(before, after, key)}


def same_value(one: t.Any, other: t.Any) -> bool:
    """Return whether two JSON values mean the same to dockerd; unlike in Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same_value, one, other))
    return bool(one == other)


def _same(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any], key: str) -> bool:
    """Return whether ``key`` is in both or in none, with the same meaning."""
    if key not in one or key not in other:
        return key not in one and key not in other
    return same_value(one[key], other[key])


def _decode(data: Text, path: str) -> str:
    """Return the text of the file. Raises TlsError ``daemon-json-invalid``."""
    if data is None:
        return ""
    if isinstance(data, str):
        text = data
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8")
            raise _invalid(path, before, len(before), "there is a byte that is not UTF-8") from error
    if text.startswith(_BYTE_ORDER_MARK):
        raise _invalid(path, text, 0, "the file begins with a byte order mark, which not every dockerd reads")
    return text


def _document(data: Text, path: str) -> Document:
    text = _decode(data, path)
    if not text.strip(" \t\r\n"):
        return Document("{}\n", 0, 2, ())
    try:
        return parse_object(text)
    except JsonProblem as problem:
        raise _invalid(path, text, problem.offset, problem.message) from None


def _invalid(path: str, text: str, offset: int, message: str) -> TlsError:
    line, column = line_and_column(text, offset)
    return TlsError(
        f"{path} is not a valid daemon.json that can be changed safely: line {line}, column {column}: {message}",
        hint="Correct the file (python3 -m json.tool shows most mistakes); nothing was changed.",
        code="daemon-json-invalid",
    )


def _style(document: Document) -> _Style:
    """Return how ``document`` is written, so that new members get the style of their neighbours."""
    text = document.text
    newline = "\r\n" if "\r\n" in text else "\n"
    if not document.members:
        inner = text[document.start + 1 : document.end - 1]
        return _Style(_NEW_INDENT, newline, ": ", ", ", inner if "\n" in inner else newline)
    first, last = document.members[0], document.members[-1]
    lead = text[document.start + 1 : first.start]
    name_end = first.start + len(text[first.start : first.value_start].rstrip(" \t\r\n:"))
    colon = text[name_end : first.value_start]
    colon = ": " if "\n" in colon else colon
    trailer = text[last.end : document.end - 1]
    indent = lead[lead.rfind("\n") + 1 :] if "\n" in lead else None
    if indent is None and len(document.members) > 1:
        between = text[first.end : document.members[1].start]
        # A comma before the key is not indentation.
        indent = between[between.rfind("\n") + 1 :].replace(",", "") if "\n" in between else None
    comma = ", " if indent is not None or len(document.members) == 1 else text[first.end : document.members[1].start]
    return _Style(indent, newline, colon, ", " if "\n" in comma else comma, trailer)


def _edit(
    document: Document, values: t.Mapping[str, t.Any], spelled: t.Mapping[str, str], remove: t.Collection[str]
) -> str:
    """Return the document's text with ``values`` (written as in ``spelled``) set and the keys ``remove`` gone."""
    text = document.text
    present = {member.key: member for member in document.members}
    missing = [key for key in _ordered(values) if key not in present]
    kept = [member for member in document.members if member.key not in remove]
    if len(kept) == len(document.members) and not missing:
        return _replace_values(text, [m for m in kept if m.key in values], values, spelled)
    style = _style(document)
    pieces = [_member_text(text, member, values, spelled) for member in kept]
    pieces += [f"{json.dumps(key, ensure_ascii=False)}{style.colon}{spelled[key]}" for key in missing]
    head, tail = text[: document.start + 1], text[document.end - 1 :]
    if not pieces:
        return f"{head}{tail}"
    lead = f"{style.newline}{style.indent}"
    if document.members:
        lead = text[document.start + 1 : document.members[0].start]
    return f"{head}{lead}{_joined(document, kept, pieces, style)}{style.trailer}{tail}"


def _joined(document: Document, kept: t.Sequence[Member], pieces: t.Sequence[str], style: _Style) -> str:
    """Return the members with the text between them: as found between two old neighbours, in the file's style else."""
    text, order = document.text, list(document.members)
    separator = style.comma if style.indent is None else f",{style.newline}{style.indent}"
    result = pieces[0]
    for index in range(1, len(pieces)):
        between = separator
        if index < len(kept):
            position = order.index(kept[index])
            between = text[order[position - 1].end : kept[index].start]
        result += between + pieces[index]
    return result


def _replace_values(
    text: str, members: t.Sequence[Member], values: t.Mapping[str, t.Any], spelled: t.Mapping[str, str]
) -> str:
    for member in reversed(members):
        if not same_value(member.value, values[member.key]):
            text = text[: member.value_start] + spelled[member.key] + text[member.end :]
    return text


def _member_text(text: str, member: Member, values: t.Mapping[str, t.Any], spelled: t.Mapping[str, str]) -> str:
    if member.key not in values or same_value(member.value, values[member.key]):
        return text[member.start : member.end]
    return text[member.start : member.value_start] + spelled[member.key]


def _ordered(values: t.Mapping[str, t.Any]) -> list[str]:
    """Return our keys in the order in which they are appended: managed keys first, the rest sorted."""
    return [key for key in MANAGED_KEYS if key in values] + sorted(key for key in values if key not in MANAGED_KEYS)
