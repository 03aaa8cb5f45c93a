# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents agree with the code: variables that exist, links that lead somewhere, error texts that are produced."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
import unicodedata

import pytest
import yaml

from support.contracts.documentation import ROOT
from support.contracts.troubleshooting import CLIENTS, Entry, entries, says

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "roles").glob("*/README.md"),
        ROOT / "molecule/shared/README.md",
    ]
)
#: Words that begin like a role's variable and are none: facts and results that the roles leave behind, and variables of playbooks.
NOT_OPTIONS = {
    "docker_ca_authorities",
    "docker_ca_ledger",
    "docker_client_cert_signed",
    "docker_daemon_endpoint",
    "docker_daemon_options",  # of geerlingguy.docker
    "docker_daemon_verification",
    "docker_daemon_serial",
    "docker_server_cert_signed",
}
VARIABLE = re.compile(r"(?<![\w{<-])docker_(?:ca|client_cert|daemon|server_cert)_[a-z][a-z_]*[a-z]\b(?![*<])")


def page_id(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def variables() -> frozenset[str]:
    specs = (ROOT / "roles").glob("*/meta/argument_specs.yml")
    return frozenset(
        name for spec in specs for name in yaml.safe_load(spec.read_text())["argument_specs"]["main"]["options"]
    )


def template(node: ast.AST) -> str:
    """Return the text that an expression makes, with … for what is only known when it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    return "…"


@functools.cache
def texts_of(path: pathlib.Path) -> tuple[str, ...]:
    """Return every text that a file of code can make."""
    kinds = (ast.Constant, ast.JoinedStr, ast.BinOp)
    return tuple(
        text for node in ast.walk(ast.parse(text_of(path))) if isinstance(node, kinds) if (text := template(node))
    )


@functools.cache
def sources() -> list[pathlib.Path]:
    return sorted((ROOT / "plugins").rglob("*.py"))


@functools.cache
def places_of(code: str) -> frozenset[pathlib.Path]:
    """Return the directories with a file that has the error code; all of them for ""."""
    return frozenset(path.parent for path in sources() if not code or f'"{code}"' in text_of(path))


@functools.cache
def text_of(path: pathlib.Path) -> str:
    return path.read_text()


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_page_names_variables_that_exist(path: pathlib.Path) -> None:
    assert set(VARIABLE.findall(path.read_text())) - variables() - NOT_OPTIONS == set()


@pytest.mark.parametrize("path", sources(), ids=page_id)
def test_message_names_variables_that_exist(path: pathlib.Path) -> None:
    named = {name for text in texts_of(path) for name in VARIABLE.findall(text)}
    assert named - variables() - NOT_OPTIONS == set()


def prose(path: pathlib.Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)


def anchors(path: pathlib.Path) -> set[str]:
    """Return the anchors that the page's headings get, on GitHub as on the site."""
    return {slug(match) for match in re.findall(r"^#+ (.+)$", prose(path), re.M)}


def slug(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return "".join(
        "-" if character == " " else character
        for character in text
        if character in " -_" or unicodedata.category(character)[0] in "LN"
    )


def links(path: pathlib.Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)) if not re.match(r"\w+:", link)]


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_link_leads_somewhere(path: pathlib.Path) -> None:
    for link in links(path):
        file, _hash, anchor = link.partition("#")
        # Pages of the reference are made by `make docs`, which checks the links to them.
        if "reference/" in file:
            continue
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


ENTRIES = entries()
OURS = [entry for entry in ENTRIES if entry.section != CLIENTS]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.heading)
def test_troubleshooting_entry_says_what_you_see_why_and_what_to_do(entry: Entry) -> None:
    assert entry.quotes and "**Why.**" in entry.body and "**What to do.**" in entry.body


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.heading)
def test_troubleshooting_text_is_made_beside_its_code(entry: Entry) -> None:
    paths = [path for path in sources() if path.parent in places_of(entry.code)]
    for quote in entry.quotes:
        assert any(says(text, quote) for path in paths for text in texts_of(path)), quote
