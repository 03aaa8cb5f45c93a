# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distinguished names from their DER bytes (X.690, RFC 5280 4.1.2.4), for people to read.

A TLS server advertises the names of its client authorities alone, and ``cryptography`` reads a name only inside a certificate
or a request. Standard library only: the checks of an endpoint work without ``cryptography``.
"""

from __future__ import annotations

import typing as t

_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06
_ENCODINGS = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}
_SPECIAL = ',+"\\<>;'
_MOST_HEX = 40


def name_text(der: bytes) -> str:
    """Return a name as RFC 4514 text, most specific part first; its first bytes in hex where it cannot be read. Never raises."""
    try:
        parts = _parts(der)
    except ValueError:
        return der[:_MOST_HEX].hex()
    return ",".join("+".join(f"{name}={_escaped(value)}" for name, value in part) for part in parts)


def unit(der: bytes) -> str:
    """Return the organizational unit (``clients-g1`` in authorities of this collection), "" without one. Never raises."""
    try:
        return next((value for part in _parts(der) for name, value in part if name == "OU"), "")
    except ValueError:
        return ""


def _parts(der: bytes) -> list[list[tuple[str, str]]]:
    """Return the relative names, most specific first, each with its (attribute, value). Raises ValueError for other data."""
    found = []
    for relative in _children(_only(_children(der), _SEQUENCE)):
        part = []
        for pair in _children(_content(relative, _SET)):
            kind, value = _children(_content(pair, _SEQUENCE))
            text = value[1].decode(_ENCODINGS.get(value[0], "utf-8"), "replace")
            part.append((_attribute(_content(kind, _OID)), text))
        found.append(part)
    return found[::-1]


def _children(data: bytes) -> list[tuple[int, bytes]]:
    """Return (tag, content) of the elements that follow each other in ``data``."""
    found = []
    while data:
        if len(data) < 2:
            raise ValueError("an element is cut off")
        tag, length, start = data[0], data[1], 2
        if length == 0x80:
            raise ValueError("DER has no elements of indefinite length")
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        if start + length > len(data):
            raise ValueError("an element is longer than its container")
        found.append((tag, data[start : start + length]))
        data = data[start + length :]
    return found


def _content(element: tuple[int, bytes], tag: int) -> bytes:
    if element[0] != tag:
        raise ValueError(f"an element has the tag {element[0]}, not {tag}")
    return element[1]


def _only(elements: t.Sequence[tuple[int, bytes]], tag: int) -> bytes:
    if len(elements) != 1:
        raise ValueError("a name is one element")
    return _content(elements[0], tag)


def _attribute(oid: bytes) -> str:
    """Return the short name of an attribute, or its object identifier in numbers."""
    if not oid:
        raise ValueError("an object identifier is empty")
    numbers = [oid[0] // 40, oid[0] % 40]
    value = 0
    for byte in oid[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    dotted = ".".join(map(str, numbers))
    return SHORT_NAMES.get(dotted, dotted)


def _escaped(value: str) -> str:
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in value)


#: By object identifier; all others are written as their numbers.
SHORT_NAMES: dict[str, str] = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
