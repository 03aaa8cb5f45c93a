# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each promise of SECURITY.md and each statement of docs/threats.md has a test on real hosts (promises.yml), or says why it has none."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROMISES: dict[str, list[dict[str, t.Any]]] = yaml.safe_load(
    pathlib.Path(__file__).with_name("promises.yml").read_text()
)
ENTRIES = [(page, entry) for page, entries in PROMISES.items() for entry in entries]
#: Tests there run on real hosts with a real dockerd.
REAL = ("molecule/", "tests/faults/")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def plain(text: str) -> str:
    """Return a text of a page without its links and marks, each run of white space as one blank."""
    return " ".join(_LINK.sub(r"\1", text).replace("**", "").split())


def sentences(text: str) -> list[str]:
    return [one for one in re.split(r"(?<=[.:]) (?=[A-Z`])", plain(text)) if one]


def promises_of_security() -> t.Iterator[str]:
    """Yield the clauses of the sentence that says what counts as a vulnerability."""
    text = plain((ROOT / "SECURITY.md").read_text()).partition("What the collection promises, ")[2].partition(": ")[2]
    yield from (clause.strip() for clause in re.split(r";(?![^(]*\))", text))


def statements_of_the_threat_model() -> t.Iterator[str]:
    """Yield the cells of the tables, and every sentence of the sections but those that give advice."""
    page = (ROOT / "docs/threats.md").read_text().partition("\n# ")[2]
    for section in re.split(r"^## ", page, flags=re.MULTILINE):
        said = re.split(r"^\*\*What to do", section, flags=re.MULTILINE)[0]
        lines = said.splitlines()[1:]
        for line in lines:
            if line.startswith("|") and not line.startswith("|--") and not re.match(r"\| (stolen|name) ", line):
                first, *cells = [plain(cell) for cell in line.strip("| ").split(" | ")]
                yield from (f"{first}: {cell}" for cell in cells)
        for block in "\n".join(line for line in lines if not line.startswith("|")).split("\n\n"):
            yield from sentences(re.sub(r"^- ", "", block, flags=re.MULTILINE))


CLAIMS = [
    *(("SECURITY.md", claim) for claim in promises_of_security()),
    *(("docs/threats.md", claim) for claim in statements_of_the_threat_model()),
]


def defined(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("page", "claim"), CLAIMS, ids=[claim[:60] for _page, claim in CLAIMS])
def test_statement_has_a_test_or_a_reason_why_not(page: str, claim: str) -> None:
    assert claim in [plain(entry["says"]) for entry in PROMISES[page]]


@pytest.mark.parametrize(("page", "entry"), ENTRIES, ids=[entry["says"][:60] for _page, entry in ENTRIES])
def test_entry_is_about_what_its_page_says_and_its_tests_run_on_real_hosts(page: str, entry: dict[str, t.Any]) -> None:
    assert (page, plain(entry["says"])) in CLAIMS
    tests = entry.get("tests") or []
    assert bool(tests) is not bool(entry.get("why"))
    for test in tests:
        path, _colons, name = test.partition("::")
        assert path.startswith(REAL), test
        assert name in defined(path), test
    for path in re.findall(r"tests/[\w/]+\.py", str(entry.get("why") or "")):
        assert (ROOT / path).is_file(), path


def test_every_promise_of_the_security_page_has_a_test() -> None:
    assert len(list(promises_of_security())) >= 5
    assert [entry["says"] for entry in PROMISES["SECURITY.md"] if not entry.get("tests")] == []
