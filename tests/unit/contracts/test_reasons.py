# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every reason that the code gives has words, and every word belongs to a reason that the code gives."""

from __future__ import annotations

import ast
import re
import typing as t

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output.run_output import WORDS
from support.contracts.documentation import ROOT

_CODE = re.compile(r"[a-z]+(-[a-z0-9]+)+")
#: In the same places and no reasons: a key of daemon.json, an error's code, an event of the ledger.
OTHERS = {"live-restore", "daemon-start-failed", "certificate-revoked"}


def codes_in(node: ast.AST, constants: t.Mapping[str, set[str]]) -> set[str]:
    """Return the codes in a part of the code, literally or by the name of a constant."""
    values = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    names |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    values |= {value for name in names for value in constants.get(name, ())}
    return set(filter(_CODE.fullmatch, values))


def constants_of(trees: t.Iterable[ast.Module]) -> dict[str, set[str]]:
    """Return the texts that constants of any file stand for, by their name."""
    found: dict[str, set[str]] = {}
    for node in (node for tree in trees for node in tree.body if isinstance(node, ast.Assign)):
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for target in node.targets:
                found.setdefault(ast.unparse(target), set()).add(node.value.value)
    return found


def is_about_reasons(node: ast.AST) -> bool:
    return "reason" in ast.unparse(node).lower()


def given_by(node: ast.AST) -> t.Iterator[ast.AST]:
    """Yield the parts of the code in which reasons are written down."""
    if isinstance(node, ast.FunctionDef) and ("reason" in node.name or node.name == "outdated"):
        yield node
    elif isinstance(node, ast.keyword) and "reason" in (node.arg or ""):
        yield node.value
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(map(is_about_reasons, targets)):
            yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("append", "add", "extend") and is_about_reasons(node.func.value):
            yield node
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Current":
        yield node
    elif isinstance(node, ast.Dict):
        yield from (
            value
            for key, value in zip(node.keys, node.values)
            if isinstance(key, ast.Constant) and key.value == "reasons"
        )


def reasons() -> dict[str, str]:
    """Return every reason in the code, with a file that gives it."""
    found: dict[str, str] = {}
    paths = [path for path in sorted((ROOT / "plugins").rglob("*.py")) if "_output" not in path.parts]
    trees = {path: ast.parse(path.read_text()) for path in paths}
    constants = constants_of(trees.values())
    for path, tree in trees.items():
        for node in ast.walk(tree):
            for part in given_by(node):
                found.update(dict.fromkeys(codes_in(part, constants), str(path.relative_to(ROOT))))
    return {code: path for code, path in found.items() if code not in OTHERS}


def test_every_reason_has_words() -> None:
    missing = {code: path for code, path in reasons().items() if code not in WORDS}
    assert missing == {}


def test_words_are_phrases_of_their_own_without_the_code() -> None:
    for code, phrase in WORDS.items():
        assert phrase == phrase.strip().rstrip("."), code
        assert not _CODE.fullmatch(phrase) or code == phrase or phrase == "live-restore", code


def test_no_words_are_left_of_a_reason_that_is_gone() -> None:
    """Reasons of one word, and those that are named by a constant, are searched in the whole code."""
    text = "\n".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py") if "_output" not in path.parts)
    assert [code for code in WORDS if f'"{code}' not in text] == []
