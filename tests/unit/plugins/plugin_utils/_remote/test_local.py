# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules for the controller, run in Ansible's own process: where that may be, and that the result is a module's."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_requests
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import local

SECRET = "correct horse battery staple"


def action(**changes: t.Any) -> t.Any:
    """Return as much of an action plugin as is checked, for a task on the controller."""
    found = {"transport": "local", "become": None, "async_val": 0, "environment": [], "delegate_to": None, **changes}
    return types.SimpleNamespace(
        _task=types.SimpleNamespace(**found),
        _connection=types.SimpleNamespace(**found),
        _templar=types.SimpleNamespace(template=lambda value: value),
    )


OWN = {"ansible_python_interpreter": sys.executable}


def test_task_for_the_controller_itself_is_possible() -> None:
    assert local.is_possible(action(), OWN) and local.is_possible(action(), {})


@pytest.mark.parametrize(
    ("changes", "variables"),
    [
        ({"transport": "ssh"}, OWN),
        ({"transport": "simulated"}, OWN),
        ({"become": object()}, OWN),
        ({"async_val": 10}, OWN),
        ({"environment": [{"HOME": "/srv"}]}, OWN),
        ({}, {"ansible_python_interpreter": "/opt/other/bin/python"}),
        ({"delegate_to": "ca1"}, {**OWN, "ansible_delegated_vars": {"ca1": {"ansible_python_interpreter": "/x"}}}),
    ],
    ids=["ssh", "simulated", "become", "async", "environment", "interpreter", "delegated"],
)
def test_task_with_another_place_user_python_or_environment_is_not(
    changes: dict[str, t.Any], variables: dict[str, t.Any]
) -> None:
    assert not local.is_possible(action(**changes), variables)


def answer(function: t.Callable[[t.Any], dict[str, t.Any]], **arguments: t.Any) -> dict[str, t.Any] | None:
    def main(run: t.Callable[..., None]) -> None:
        run(
            function,
            argument_spec={
                "passphrase": {"type": "str", "no_log": True},
                "path": {"type": "path"},
                "count": {"type": "int", "default": 3},
            },
        )

    return local.execute(main, arguments, check_mode=True, diff=True)


def test_result_is_plain_and_without_secrets() -> None:
    def work(module: t.Any) -> dict[str, t.Any]:
        module.warn("one")
        assert module.check_mode and module._diff and module.params["count"] == 3
        return {"changed": True, "seen": (f"it is {SECRET}",), "warnings": ["two"], "invocation": {}}

    result = answer(work, passphrase=SECRET)
    assert result is not None
    assert SECRET not in json.dumps(result)
    assert isinstance(result["seen"], list) and result["warnings"] == ["one", "two"] and "invocation" not in result


def test_error_is_a_failure_with_hint_and_code_and_no_secret() -> None:
    def work(module: t.Any) -> dict[str, t.Any]:
        raise TlsError(f"cannot open with {module.params['passphrase']}", hint="look", code="some-code")

    result = answer(work, passphrase=SECRET)
    assert result is not None and SECRET not in json.dumps(result)
    assert (result["failed"], result["hint"], result["code"], result["changed"]) == (True, "look", "some-code", False)


def test_wrong_arguments_are_a_failure() -> None:
    result = answer(lambda module: {}, count="many", unknown=1)
    assert result is not None and result["failed"] and "unknown" in result["msg"]


def test_argument_that_is_no_json_goes_to_the_module() -> None:
    assert answer(lambda module: {}, passphrase=object()) is None


def test_without_cryptography_the_module_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "cryptography_problem", lambda: ("none", "cryptography-missing"))
    assert answer(lambda module: {}) is None


def test_real_module_decides_as_in_a_process_of_its_own(tmp_path: pathlib.Path) -> None:
    request = {
        "id": "deploy",
        "profile": "client",
        "key_path": str(tmp_path / "key.pem"),
        "certificate_path": str(tmp_path / "cert.pem"),
        "authority_content": "",
    }
    result = local.execute(certificate_requests.main, {"requests": [request]}, check_mode=True, diff=False)
    assert result is not None
    assert (result["changed"], result["requests"][0]["reasons"]) == (True, ["certificate-missing", "key-missing"])
    assert list(tmp_path.iterdir()) == []


#: The actions of a run of site.yml, and what none of them loads before it has something to do with it.
ACTIONS = ("plan", "authorities", "host_state", "certificate_requests", "signed_certificates", "certificate_bundles")
UNUSED = ("module_utils._issuers.http", "module_utils._ca.sign_batch", "plugin_utils._plan.adoption")


def test_run_with_nothing_to_do_loads_nothing_that_it_does_not_use() -> None:
    package = "ansible_collections.portcullis.docker_tls.plugins"
    code = f"import importlib, sys; [importlib.import_module(f'{package}.action.{{one}}') for one in {ACTIONS}]; print(*sys.modules)"
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=paths)
    loaded = set(done.stdout.split())
    assert f"{package}.module_utils._ca.create" in loaded, done.stderr
    assert [name for name in UNUSED if f"{package}.{name}" in loaded] == []


def test_main_of_a_module_is_the_one_that_the_module_has() -> None:
    used: list[t.Any] = []
    local.main_of("certificate_requests")(lambda *_arguments, **options: used.append(options["argument_spec"]))
    assert "requests" in used[0]
