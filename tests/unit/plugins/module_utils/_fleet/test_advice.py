# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every finding that is a fault comes with what to do about it."""

from __future__ import annotations

import ast
import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import model

SOURCES = sorted(pathlib.Path(model.__file__).parent.rglob("*.py"))


def findings(path: pathlib.Path) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Finding"]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in SOURCES if findings(path)])
def test_finding_has_advice_unless_it_is_none_to_act_on(path: pathlib.Path) -> None:
    for call in findings(path):
        code, level = call.args[0], call.args[1]
        harmless = isinstance(level, ast.Constant) and level.value == "ok"
        assert harmless or len(call.args) + len(call.keywords) == 4, ast.dump(code)
