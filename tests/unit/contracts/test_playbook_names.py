# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages name a playbook as it is run where the collection is installed, and as it can be run in a checkout too."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import pytest

from support.contracts.documentation import ROOT

PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
FILES = sorted((ROOT / "plugins").rglob("*.py"))
_FILE_NAME = re.compile(rf"(?<![\w./-])(playbooks/)?({'|'.join(PLAYBOOKS)})\.yml\b")
#: Module documentation, where C(playbooks/site.yml) is a file of the collection.
_DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


def messages(path: pathlib.Path) -> t.Iterator[str]:
    """Yield the texts in a file that are neither docstrings nor documentation."""
    tree = ast.parse(path.read_text())
    left_out: set[int] = set()
    for node in ast.walk(tree):
        names = (
            {each.id for each in node.targets if isinstance(each, ast.Name)} if isinstance(node, ast.Assign) else set()
        )
        if names & _DOCUMENTATION or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            left_out |= {id(each) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "plugins")))
def test_message_names_a_playbook_by_its_collection(path: pathlib.Path) -> None:
    assert [text for text in messages(path) if _FILE_NAME.search(text)] == []
