# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module does around its one call."""

from __future__ import annotations

import sys
import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _module
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ansible.modules import run_module


def module_of(function: t.Callable[[t.Any], dict[str, t.Any]], **more: t.Any) -> types.ModuleType:
    """Return a module whose main calls ``function`` through run_module."""
    module = types.ModuleType("probe")
    module.main = lambda: _module.run_module(function, argument_spec={"path": {"type": "path"}}, **more)  # type: ignore[attr-defined]
    return module


def test_run_module_result_is_returned_also_in_check_mode() -> None:
    module = module_of(lambda module: {"changed": False, "path": module.params["path"], "check": module.check_mode})
    assert run_module(module, {"path": "/x"})["path"] == "/x"
    assert run_module(module, {"path": "/x"}, check=True)["check"] is True


@pytest.mark.parametrize("hint", ["Do this.", ""], ids=["hint", "no-hint"])
def test_run_module_tls_error_becomes_message_hint_and_code_each_once(hint: str) -> None:
    def fail(_module: t.Any) -> dict[str, t.Any]:
        raise TlsError("cannot read /x", hint=hint, code="file-unreadable")

    result = run_module(module_of(fail), {})
    assert result["failed"]
    assert (result["msg"], result["hint"], result["code"]) == ("cannot read /x", hint, "file-unreadable")


def test_run_module_without_cryptography_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    result = run_module(module_of(lambda _module: {"changed": False}), {})
    assert result["failed"]
    assert result["code"] == "cryptography-missing"
    assert sys.executable in result["msg"]
    assert "python3-cryptography" in result["hint"]
    assert not run_module(module_of(lambda _module: {"changed": False}, needs_cryptography=False), {})["failed"]
