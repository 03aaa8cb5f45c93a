# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every function that docs/dev/architecture.md names exists in the file that it names."""

from __future__ import annotations

import ast
import re

import pytest

from support.contracts.documentation import ROOT

PAGE = (ROOT / "docs/dev/architecture.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py):(\w+)`", PAGE)))


def test_page_names_the_functions_of_every_flow() -> None:
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) == 6
    assert len(NAMED) > 50


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}:{name}" for file, name in NAMED])
def test_function_exists(file: str, name: str) -> None:
    found = [ROOT / "plugins" / place / file for place in ("module_utils", "plugin_utils")]
    (path,) = [path for path in found if path.is_file()]
    functions = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
    assert name in functions
