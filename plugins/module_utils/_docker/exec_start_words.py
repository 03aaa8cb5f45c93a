# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of a command line as systemd reads them: quotes, escapes, specifiers, variables.

Source: systemd.service(5) "COMMAND LINES", systemd.syntax(7) "QUOTING",
systemd src/basic/extract-word.c, escape.c (cunescape_one), env-util.c (replace_env_argv); tests compare with
``busctl`` and with the argv of a running service on systemd 247, 252, 257.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError

WHITESPACE = " \t\n\r"
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ",
    "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip
_NUMERIC = re.compile(r"x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-7]{3})")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+^~-]+")
_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
# systemd.unit(5) SPECIFIERS, for the system manager; those that depend on the unit or the host are left out.
_SPECIFIERS = {
    "%": "%", "t": "/run", "E": "/etc", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "h": "/root", "u": "root",
    "U": "0", "g": "root", "G": "0",
}  # fmt: skip
_BRACED = re.compile(r"\$(?:\$|\{(?P<name>[^}]*)\})")


@dataclass(frozen=True)
class Word:
    """One word: ``raw`` as it is spelled in the unit file, ``value`` without quotes and escapes (``%`` and ``$`` as spelled)."""

    raw: str
    value: str


def split_words(text: str) -> list[Word]:
    """Split the right side of ExecStart= or Environment= as systemd does.

    An unknown escape sequence keeps its backslash. Raises TlsError ``unit-unsupported`` for a quote that is not closed.
    """
    words: list[Word] = []
    position = _skip(text, 0)
    while position < len(text):
        end, value = _read_word(text, position)
        words.append(Word(text[position:end], value))
        position = _skip(text, end)
    return words


def split_command(text: str) -> list[Word]:
    """Split the right side of ExecStart=, where the word ``\\;`` means a semicolon. Errors as ``split_words``."""
    return [Word(word.raw, ";") if word.raw == "\\;" else word for word in split_words(text)]


def split_value(text: str) -> list[str]:
    """Split the value of ``$VARIABLE`` as systemd does: quotes group, a backslash takes the next character literally.

    Nothing is an error here (systemd: EXTRACT_RELAX): an open quote ends with the text.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
            word = (word or "") + text[position : position + 1]
        elif quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + character
        elif character in "'\"":
            quote = character
            word = word or ""
        elif character in WHITESPACE:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + character
        position += 1
    return words if word is None else [*words, word]


def quote_word(text: str, *, expands_variables: bool = True) -> str:
    """Return a spelling that systemd reads back as exactly ``text``, whatever it holds (but NUL).

    ``expands_variables``: False for a command with the ``:`` prefix, where ``$`` means itself.
    """
    escaped = text.replace("%", "%%")
    if expands_variables:
        escaped = escaped.replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return escaped
    return '"' + "".join(_escape_character(character) for character in escaped) + '"'


def expand_specifiers(value: str) -> str:
    """Return the word with ``%%`` as ``%`` and the system manager's directories put in; other specifiers stay."""
    return _SPECIFIER.sub(lambda match: _SPECIFIERS.get(match[1], match[0]), value)


def unknown_specifier(value: str) -> str:
    """Return the first specifier that ``expand_specifiers`` leaves, "" where there is none."""
    return next((match[0] for match in _SPECIFIER.finditer(value) if match[1] not in _SPECIFIERS), "")


def specifier_pattern(value: str) -> re.Pattern[str]:
    """Return the possible values of the word after systemd has expanded its specifiers."""
    pieces = re.split(r"(%.)", value, flags=re.DOTALL)
    parts = [
        "%" if piece == "%%" else ".*" if re.fullmatch(r"%.", piece, re.DOTALL) else re.escape(piece)
        for piece in pieces
    ]
    return re.compile("".join(parts), re.DOTALL)


def whole_variable(value: str) -> str | None:
    """Return NAME where the word is ``$NAME``, which systemd replaces by zero or more words; else None."""
    if value.startswith("$") and not value.startswith(("$$", "${")):
        return value[1:]
    return None


def expand_braced(value: str, environment: t.Mapping[str, str]) -> str:
    """Return the word with each ``${NAME}`` replaced (unset: nothing) and each ``$$`` as ``$``; always one word."""
    return _BRACED.sub(lambda match: "$" if match["name"] is None else environment.get(match["name"], ""), value)


def braced_variables(value: str) -> list[str]:
    """Return the names in ``${NAME}`` of a word."""
    return [match["name"] for match in _BRACED.finditer(value) if match["name"] is not None]


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in WHITESPACE:
        position += 1
    return position


def _read_word(text: str, start: int) -> tuple[int, str]:
    """Return (end of the word that begins at ``start``, its value)."""
    value, quote, position = "", "", start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position, piece = _read_escape(text, position + 1)
            value += piece
            continue
        if quote:
            if character == quote:
                quote = ""
            else:
                value += character
        elif character in "'\"":
            quote = character
        elif character in WHITESPACE:
            break
        else:
            value += character
        position += 1
    if quote:
        raise TlsError(
            f"a command line of the unit has a {quote} that is not closed: {text[start:]!r}",
            hint="Correct the unit or drop-in; systemd ignores such a line.",
            code="unit-unsupported",
        )
    return position, value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _read_escape(text: str, position: int) -> tuple[int, str]:
    """Return (position after the escape sequence whose backslash is just before ``position``, its character)."""
    character = text[position : position + 1]
    if character in _ESCAPES:
        return position + 1, _ESCAPES[character]
    match = _NUMERIC.match(text, position)
    code = int(match["x"] or match["u"] or match["U"] or "0", 16) if match else 0
    if match and match["o"]:
        code = int(match["o"], 8)
    if match and 127 < code < 256 and (match["x"] or match["o"]):
        return match.end(), chr(0xDC00 + code)  # a byte, not a character: several may make one together
    if match and 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 and not (match["o"] and code > 255):
        return match.end(), chr(code)
    return position + 1, "\\" + character


def _escape_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character < " " or character == "\x7f":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\x{ord(character):02x}")
    return character
