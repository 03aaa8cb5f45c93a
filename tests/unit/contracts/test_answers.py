# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module that an action plugin runs has a schema of its answer: what is in none never becomes a result."""

from __future__ import annotations

import pathlib
import re

from ansible_collections.portcullis.docker_tls.plugins.action.module import MODULES as SHARED
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import ANSWERS, COMMON
from support.contracts.documentation import block

ACTIONS = pathlib.Path(__file__).resolve().parents[3] / "plugins/action"
#: What action plugins put beside an answer, in the documentation of the module.
OF_ACTIONS = {"asked", "settings", "ansible_facts"}


def modules() -> set[str]:
    """Return the modules that action plugins run."""
    texts = [path.read_text() for path in ACTIONS.glob("*.py")]
    return {
        *(name for text in texts for name in re.findall(r'MODULE = "portcullis\.docker_tls\.(\w+)"', text)),
        *SHARED,
    }


def test_every_action_has_the_schema_of_its_module() -> None:
    assert modules() and modules() <= set(ANSWERS)


def test_every_documented_value_is_in_the_schema() -> None:
    """Else the schema would drop it."""
    for module in modules():
        known = {*ANSWERS[module].required, *ANSWERS[module].optional, *COMMON, *OF_ACTIONS}
        assert set(block(module, "RETURN")) <= known, module
