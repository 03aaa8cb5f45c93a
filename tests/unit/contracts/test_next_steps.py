# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No failure without a next step: each error in the code says what to do, and each failing task of a role or play does."""

from __future__ import annotations

import ast
import pathlib
import typing as t

import pytest
import yaml

from support.contracts.documentation import ROOT

SOURCES = sorted((ROOT / "plugins").rglob("*.py"))
TASKS = sorted(path for top in ("roles", "playbooks") for path in (ROOT / top).rglob("*.yml"))


def failures(tree: ast.AST) -> t.Iterator[tuple[int, ast.expr | None]]:
    """Yield line and hint (None: there is none) of each TlsError, of each finding that forbids a change, and of each failed result."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if name == "TlsError":
                yield node.lineno, given.get("hint")
            elif name == "error" and isinstance(node.func, ast.Name):
                yield node.lineno, node.args[2] if len(node.args) > 2 else given.get("hint")
        elif isinstance(node, ast.Dict):
            entries = {key.value: value for key, value in zip(node.keys, node.values) if isinstance(key, ast.Constant)}
            failed = entries.get("failed")
            if isinstance(failed, ast.Constant) and failed.value is True and "code" in entries:
                yield node.lineno, entries.get("hint")


def is_empty(hint: ast.expr | None) -> bool:
    return hint is None or (isinstance(hint, ast.Constant) and not str(hint.value).strip())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "plugins")))
def test_error_says_what_to_do_next(path: pathlib.Path) -> None:
    assert [line for line, hint in failures(ast.parse(path.read_text())) if is_empty(hint)] == []


def test_error_without_a_hint_is_found() -> None:
    found = list(
        failures(
            ast.parse('raise TlsError("no", code="x")\nraise TlsError("no", hint="", code="x")\nerror("x", "no")\n')
        )
    )
    assert len(found) == 3
    assert all(is_empty(hint) for _line, hint in found)


def tasks(document: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield each task below a play, a block or a list of tasks."""
    for entry in document if isinstance(document, list) else []:
        if isinstance(entry, dict):
            yield entry
            for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
                yield from tasks(entry.get(part))


def test_every_assertion_of_a_role_or_play_has_its_own_message() -> None:
    """Ansible's own says no more than that an assertion failed."""
    silent = []
    for path in TASKS:
        for task in tasks(yaml.safe_load(path.read_text())):
            asserted, failed = task.get("ansible.builtin.assert"), task.get("ansible.builtin.fail")
            if asserted is not None and len(str(asserted.get("fail_msg", ""))) < 20:
                silent.append(f"{path.relative_to(ROOT)}: {task.get('name')}")
            if failed is not None and len(str(failed.get("msg", ""))) < 20:
                silent.append(f"{path.relative_to(ROOT)}: {task.get('name')}")
    assert silent == []
