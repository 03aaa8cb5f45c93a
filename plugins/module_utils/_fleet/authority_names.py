# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of authorities as TLS servers advertise them: DER, and for people.

``cryptography`` reads a Name only inside a certificate or a request, so this file walks the DER by hand (X.690): a Name is a
SEQUENCE of SETs of SEQUENCEs of an object identifier and a string.
"""

from __future__ import annotations

import typing as t

_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06
_ATTRIBUTES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
}
_ENCODINGS = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}
_UNREADABLE = "a name that cannot be read"


def attributes(der: bytes) -> list[tuple[str, str]]:
    """Return (attribute, value) of a DER Name, most specific first; unknown attributes are called ``?``.

    Raises ValueError for what is no Name.
    """
    found = []
    for relative in _children(_only(der, _SEQUENCE)):
        for pair in _children(_content(relative, _SET)):
            kind, value = _children(_content(pair, _SEQUENCE))
            text = value[1].decode(_ENCODINGS.get(value[0], "utf-8"), "replace")
            found.append((_ATTRIBUTES.get(_content(kind, _OID), "?"), text))
    return found[::-1]


def text(der: bytes) -> str:
    """Return a DER Name for people: ``CN=Docker CA,OU=clients-g1``. Never raises."""
    try:
        return ",".join(f"{name}={value}" for name, value in attributes(der))
    except ValueError:
        return _UNREADABLE


def unit(der: bytes) -> str:
    """Return the organizational unit (``clients-g1`` in authorities of this collection), "" without one."""
    try:
        return next((value for name, value in attributes(der) if name == "OU"), "")
    except ValueError:
        return ""


def _children(data: bytes) -> list[tuple[int, bytes]]:
    """Return (tag, content) of the values that follow each other in ``data``."""
    found = []
    while data:
        if len(data) < 2:
            raise ValueError(_UNREADABLE)
        tag, length, start = data[0], data[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        if start + length > len(data):
            raise ValueError(_UNREADABLE)
        found.append((tag, data[start : start + length]))
        data = data[start + length :]
    return found


def _content(value: tuple[int, bytes], tag: int) -> bytes:
    if value[0] != tag:
        raise ValueError(_UNREADABLE)
    return value[1]


def _only(data: bytes, tag: int) -> bytes:
    values: t.Sequence[tuple[int, bytes]] = _children(data)
    if len(values) != 1:
        raise ValueError(_UNREADABLE)
    return _content(values[0], tag)
