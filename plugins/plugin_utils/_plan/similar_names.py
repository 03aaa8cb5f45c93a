# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the name of a client is another one written wrongly, so that a revocation of it meets nobody."""

from __future__ import annotations

import unicodedata


def are_similar(name: str, other: str) -> bool:
    """Return whether two names differ in case, white space, accents, look-alikes of other alphabets, or by one slip of the keyboard.

    A slip is a letter too many, too few, another or two exchanged. Digits are none: ``ci-1`` and ``ci-2`` are two clients.
    """
    one, two = _folded(name), _folded(other)
    return one == two or _looks_like(one, two) or _is_slip(one, two)


def _folded(name: str) -> str:
    """Return the name without case, white space, accents and invisible characters."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(each for each in plain if not each.isspace() and unicodedata.category(each) not in ("Mn", "Cf"))


def _looks_like(one: str, two: str) -> bool:
    """Return whether an ASCII name and one of the same length share at least half of their characters, and differ where only one has ASCII."""
    if len(one) != len(two) or one.isascii() == two.isascii():
        return False
    different = [(a, b) for a, b in zip(one, two) if a != b]
    return len(different) * 2 <= len(one) and all(a.isascii() != b.isascii() for a, b in different)


def _is_slip(one: str, two: str) -> bool:
    short, long = sorted((one, two), key=len)
    if len(short) < 3 or len(long) - len(short) > 1:
        return False
    begin = next((at for at, (a, b) in enumerate(zip(short, long)) if a != b), len(short))
    if len(short) < len(long):
        return not long[begin].isdigit() and short[begin:] == long[begin + 1 :]
    changed = short[begin : begin + 2] + long[begin : begin + 2]
    if short[begin + 1 :] == long[begin + 1 :]:
        return not (short[begin] + long[begin]).isdigit()
    return (
        not any(each.isdigit() for each in changed)
        and short[begin : begin + 2] == long[begin : begin + 2][::-1]
        and short[begin + 2 :] == long[begin + 2 :]
    )
