# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run in this process as Ansible runs them: arguments in, one JSON result out."""

from __future__ import annotations

import contextlib
import io
import json
import types
import typing as t

import pytest
from ansible.module_utils import basic

from support.contracts import records


def run_module(
    module: types.ModuleType, arguments: dict[str, t.Any], *, check: bool = False, diff: bool = False
) -> dict[str, t.Any]:
    """Return the result of ``module.main()``; ``failed`` and ``warnings`` are in it either way.

    Warnings are caught where modules give them: once Ansible's controller is loaded they go to its display.
    """
    warned: list[str] = []
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basic.AnsibleModule, "warn", lambda self, text: warned.append(text))
        with _arguments(given), contextlib.redirect_stdout(output), pytest.raises(SystemExit):
            module.main()
    result: dict[str, t.Any] = json.loads(output.getvalue())
    records.returned(module.__name__.rpartition(".")[2], result)
    return {"failed": False, **result, "warnings": warned}


@contextlib.contextmanager
def _arguments(given: dict[str, t.Any]) -> t.Iterator[None]:
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # ansible-core 2.18
        before = basic._ANSIBLE_ARGS
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = before
        return
    with patch_module_args(given):
        yield
