# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of docs/troubleshooting.md, and which of their texts were really said."""

from __future__ import annotations

import functools
import re
import typing as t

from support.contracts.documentation import ROOT

PAGE = ROOT / "docs/troubleshooting.md"
CLIENTS = "Errors in client programs"
#: The code under which texts of clients are noted; no error of ours has it.
OF_CLIENTS = "client"
#: Texts that only a real dockerd makes, by heading: the test on a host that has them said.
ON_HOSTS = {
    "Plain HTTP": ("molecule/shared/common_tests.py", "test_plain_http_is_not_answered_and_2375_is_closed"),
    "What a refused client prints": (
        "tests/faults/test_client_words.py",
        "test_words_of_a_rejected_client_are_those_of_the_page",
    ),
}


class Entry(t.NamedTuple):
    """One entry of the page."""

    section: str
    heading: str
    quotes: tuple[str, ...]
    body: str

    @property
    def code(self) -> str:
        """The code in the heading; empty for an entry that has none."""
        match = re.fullmatch(r"`([a-z0-9-]+)`", self.heading)
        return match.group(1) if match else OF_CLIENTS if self.section == CLIENTS else ""


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Return the entries in their order."""
    found = []
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.M)[1:]:
        title = section.splitlines()[0]
        for part in re.split(r"^### ", section, flags=re.M)[1:]:
            heading, _newline, body = part.partition("\n")
            found.append(Entry(title, heading.strip(), tuple(re.findall(r"^> (.+)$", body, re.M)), body))
    return tuple(found)


def says(text: str, quote: str) -> bool:
    """Whether ``text`` has the quote's pieces, in their order."""
    position = 0
    for piece in (piece.strip() for piece in quote.split("…")):
        position = text.find(piece, position)
        if position < 0:
            return False
        position += len(piece)
    return True


def produced(said: t.Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Return which quotes are among what was said under their code, and by which test."""
    found = {}
    for entry in entries():
        for quote in entry.quotes:
            tests = [test for (code, text), test in said.items() if code == entry.code and says(text, quote)]
            if tests:
                found[(entry.code, quote)] = tests[0]
    return found


def problems(entry: Entry, made: t.Mapping[tuple[str, str], str]) -> list[str]:
    """Return which texts of the entry no test has produced."""
    if entry.heading in ON_HOSTS:
        return []
    return [
        f"no test has produced, with the code {entry.code or 'of no kind'}: {quote}"
        for quote in entry.quotes
        if (entry.code, quote) not in made
    ]
