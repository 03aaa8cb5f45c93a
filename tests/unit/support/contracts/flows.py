# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flows of docs/dev/architecture.md, and the functions of the collection that a piece of code calls."""

from __future__ import annotations

import contextlib
import re
import sys
import typing as t

from support.contracts.documentation import ROOT

_NAMED = re.compile(r"`([\w/]+\.py:\w+)`")
_PLACE = re.compile(r"/docker_tls/plugins/(?:module_utils|plugin_utils)/(.+)$")


def page() -> str:
    """Return the page."""
    return (ROOT / "docs/dev/architecture.md").read_text()


def named(text: str) -> list[str]:
    """Return the functions that ``text`` names, as ``file.py:function``, in its order."""
    return _NAMED.findall(text)


def tables(heading: str) -> list[list[str]]:
    """Return the functions of each table of a section, in the order of the page."""
    section = re.split(r"^## ", page(), flags=re.MULTILINE)
    (text,) = [one for one in section if one.startswith(f"{heading}\n")]
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [named(one) for one in found]


@contextlib.contextmanager
def calls() -> t.Iterator[list[str]]:
    """Collect the functions of the collection that are called inside, as ``file.py:function``, each at its first call."""
    found: dict[str, None] = {}
    places: dict[t.Any, str] = {}

    def note(frame: t.Any, event: str, _argument: t.Any) -> None:
        code = frame.f_code
        if event == "call":
            if code not in places:
                place = _PLACE.search(code.co_filename)
                places[code] = f"{place[1]}:{code.co_name}" if place else ""
            found.setdefault(places[code])

    result: list[str] = []
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield result
    finally:
        sys.setprofile(before)
        result += [name for name in found if name]
