# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distinguished names from their DER bytes, for people to read.

A CertificateRequest carries bare names, which ``cryptography`` cannot load; and the probe should work without it.
"""

from __future__ import annotations

from .name_attributes import SHORT_NAMES

_SPECIAL = ',+"\\<>;'


def name_text(der: bytes) -> str:
    """Return a Name (RFC 5280 4.1.2.4, DER) as RFC 4514 text, most specific part first; hex where it cannot be read."""
    try:
        sequence, _rest = _value(der)
        parts = []
        for relative in _children(sequence):
            pairs = [list(_children(pair)) for pair in _children(relative)]
            parts.append("+".join(f"{_attribute(pair[0])}={_escaped(pair[1])}" for pair in pairs))
        return ",".join(reversed(parts))
    except (IndexError, ValueError):
        return der.hex()


def _value(data: bytes) -> tuple[bytes, bytes]:
    """Return the contents of the first element, and what follows it."""
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("the element is longer than its surroundings")
    return data[start : start + length], data[start + length :]


def _children(data: bytes) -> list[bytes]:
    found = []
    while data:
        contents, data = _value(data)
        found.append(contents)
    return found


def _attribute(oid: bytes) -> str:
    numbers = [oid[0] // 40, oid[0] % 40]
    value = 0
    for byte in oid[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    dotted = ".".join(map(str, numbers))
    return SHORT_NAMES.get(dotted, dotted)


def _escaped(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in text)
