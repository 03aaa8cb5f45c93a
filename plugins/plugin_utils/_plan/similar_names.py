# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the name of a client is another one written wrongly, so that a revocation of it meets nobody."""

from __future__ import annotations

import unicodedata

# Letters of Cyrillic and Greek that are written like Latin ones (Unicode Technical Standard 39, confusables), lower case.
_CONFUSABLES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u043a\u043c\u0442\u043d\u0432\u04cf\u0431"
    "\u03b1\u03bf\u03c1\u03bd\u03b9\u03ba\u03c4\u03c5\u03c7\u03b5\u03b3",
    "aeopcyxijshdqwkmthbl6aopviktuxey",
)


def are_similar(name: str, other: str) -> bool:
    """Return whether two names differ in case, white space, accents, look-alikes of other alphabets, or by one slip of the keyboard.

    A slip is a letter too many, too few, another or two exchanged. Digits are none: ``ci-1`` and ``ci-2`` are two clients.
    """
    one, two = _folded(name), _folded(other)
    return one == two or _looks_like(one, two) or _is_slip(one, two)


def _folded(name: str) -> str:
    """Return the name without case, white space, accents and invisible characters."""
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_CONFUSABLES)
    kept = "".join(each for each in plain if not each.isspace() and unicodedata.category(each) not in ("Mn", "Cf"))
    return kept.replace("rn", "m").replace("vv", "w")


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
