# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of the daemon: sent as a program where that can be, as the module where it cannot, and never twice once it has begun."""

from __future__ import annotations

import ast
import json
import pathlib
import subprocess
import sys
import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import endpoint as endpoint_module
from ansible_collections.portcullis.docker_tls.plugins.module_utils import _standalone
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import rollback_guard
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.programs import (
    CHANGE,
    change_answer,
    confirm_command,
)
from support.ansible.role_variables import ROOT, asked
from support.hosts.answers import least, whole

BEGUN = "docker_tls: begun\n"
DONE = least("endpoint", changed=True, reasons=["certificate-changed"])
UTILS = ROOT / "plugins" / "module_utils"


def said(found: t.Any) -> str:
    return f"Welcome!\n{BEGUN}{json.dumps({'docker_tls_answer': found})}\n"


def change(
    output: str | list[str],
    arguments: dict[str, t.Any] | None = None,
    *,
    module: t.Any = None,
    check: bool = False,
    code: int = 0,
    **task: t.Any,
) -> tuple[dict[str, t.Any], list[bytes], list[dict[str, t.Any]]]:
    """Return the action's result on a host whose program prints ``output`` (a list: one after the other), and what it was sent."""
    outputs = [output] if isinstance(output, str) else list(output)
    connection = types.SimpleNamespace(transport="ssh", has_pipelining=True, become=None)
    connection._shell = types.SimpleNamespace(tmpdir="/tmp")
    given = {"args": arguments or {}, "check_mode": check, "async_val": 0, "environment": [], "action": "x", **task}
    templar = types.SimpleNamespace(template=lambda value: value)
    make: t.Any = endpoint_module.ActionModule
    plugin = make(types.SimpleNamespace(**given), connection, None, None, templar, None)
    programs: list[bytes] = []
    modules: list[dict[str, t.Any]] = []

    def low_level(command: str, in_data: bytes = b"", sudoable: bool = False) -> dict[str, t.Any]:
        programs.append(in_data)
        return {"stdout": outputs.pop(0) if len(outputs) > 1 else outputs[0], "rc": code}

    def execute(module_name: str, module_args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        modules.append(module_args)
        return whole(module_name, module or {"changed": False, "reasons": ["by-module"]})

    plugin._low_level_execute_command = low_level
    plugin._execute_module = execute
    return plugin.run(task_vars={"ansible_python_interpreter": sys.executable}), programs, modules


@pytest.mark.parametrize("check", [False, True])
def test_change_is_sent_as_a_program_with_all_options(check: bool) -> None:
    result, programs, modules = change(said(DONE), {"listen": ["private"], "port": "2377"}, check=check)
    assert (result["changed"], result["reasons"], modules) == (True, ["certificate-changed"], [])
    sent = asked(programs[0])
    assert sent["check_mode"] is check
    assert (sent["options"]["port"], sent["options"]["start_timeout"]) == (2377, 120)


def test_failure_of_the_change_is_the_failure_of_the_task() -> None:
    result, _programs, modules = change(said({"failed": True, "msg": "no", "hint": "", "code": "port-in-use"}))
    assert (result["failed"], result["code"], modules) == (True, "port-in-use", [])


@pytest.mark.parametrize("output", ["", "sh: 1: /usr/bin/python3: not found\n", "sudo: a password is required\n"])
def test_program_that_did_not_begin_is_followed_by_the_module(output: str) -> None:
    """Ansible then says what is wrong with the host's Python, as it says it of every module."""
    result, programs, modules = change(output)
    assert (len(programs), len(modules), result["reasons"]) == (1, 1, ["by-module"])


def test_haproxy_that_is_installed_is_named_in_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"failed": True, "msg": "no haproxy", "hint": "Install it.", "code": "proxy-package-missing"}
    done = least("endpoint", changed=True, reasons=["proxy-new"], plan=["listen 0.0.0.0:2376 (proxy-new)"])
    installed: list[str] = []
    monkeypatch.setattr(
        endpoint_module.packages, "install", lambda _action, package, _vars: installed.append(package) or {}
    )
    options = {"listener": "proxy", "haproxy_package": "haproxy"}
    result, _programs, _modules = change([said(missing), "", said(done)], options)
    assert installed == ["haproxy"]
    assert result["plan"] == ["package haproxy (HAProxy)", "listen 0.0.0.0:2376 (proxy-new)"]
    assert result["changed"]
    result, _programs, _modules = change([said(missing)], {**options, "haproxy_package": ""})
    assert (result["failed"], installed) == (True, ["haproxy"])


def test_missing_library_is_told_by_the_module_whose_python_ansible_knows() -> None:
    missing = {"failed": True, "msg": "no cryptography", "hint": "", "code": "cryptography-missing"}
    _result, programs, modules = change(said(missing))
    assert (len(programs), len(modules)) == (1, 1)


@pytest.mark.parametrize(
    "output",
    [BEGUN, BEGUN + "Killed\n", said([]), said({"crashed": "KeyError: 'x'"}), said({"msg": "\ud800"})],
    ids=["nothing", "killed", "no answer", "crashed", "no text"],
)
def test_program_that_began_is_not_repeated_when_nobody_knows_what_it_has_done(output: str) -> None:
    result, _programs, modules = change(output)
    assert (result["failed"], result["code"], modules) == (True, "answer-unusable", [])
    assert result["hint"]


@pytest.mark.parametrize(
    "lie",
    [
        {"_ansible_no_log": True, "_ansible_delegated_vars": {"a": 1}},
        {"ansible_facts": {"discovered_interpreter_python": "/opt/liar"}},
        {"ansible_facts": 5},
        {"unreachable": True, "results": [1], "skipped": True, "deprecations": [5], "exception": {"a": 1}},
    ],
    ids=str,
)
def test_what_no_module_of_ours_says_is_not_taken_from_a_host(lie: dict[str, t.Any]) -> None:
    """Ansible takes most of it out of a module's answer: it would be its own word, or break what shows results."""
    result, _programs, modules = change(said({**DONE, **lie}))
    assert (result, modules) == (DONE, [])


@pytest.mark.parametrize(
    "lie",
    [
        {"changed": "perhaps"},
        {"warnings": {"a": 1}},
        {"warnings": [{"a": 1}]},
        {"diff": 5},
        {"diff": [{"before": 5}]},
        {"endpoint": []},
        {"msg": ["x"]},
    ],
    ids=str,
)
def test_answer_in_another_shape_is_the_failure_of_its_host(lie: dict[str, t.Any]) -> None:
    result, _programs, modules = change(said({**DONE, **lie}))
    assert (result["failed"], result["code"], modules) == (True, "answer-unusable", [])
    assert next(iter(lie)) in result["msg"]


def test_program_that_was_killed_says_with_which_exit_code() -> None:
    """Without memory the kernel ends it; only the exit code shows that."""
    result, _programs, _modules = change(BEGUN, code=137)
    assert "137" in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "task"),
    [
        ({"listener": "neither"}, {}),
        ({"port": "many"}, {}),
        ({"no_such_option": 1}, {}),
        ({"directory": "~/certs"}, {}),
        ({"config_path": "$HOME/daemon.json"}, {}),
        ({}, {"environment": [{"HTTPS_PROXY": "x"}]}),
    ],
    ids=str,
)
def test_what_the_module_has_to_refuse_or_to_understand_on_the_host_goes_to_it(
    arguments: dict[str, t.Any], task: dict[str, t.Any]
) -> None:
    _result, programs, modules = change(said(DONE), arguments, **task)
    assert (programs, len(modules)) == ([], 1)


def test_request_that_the_ca_has_refused_is_the_failure_of_its_host() -> None:
    reason = {"code": "name-taken", "msg": "the name is another host's", "hint": "Use another."}
    result, programs, modules = change(said(DONE), {"rejected": {"server": reason}})
    assert (result["failed"], result["code"], programs, modules) == (True, "name-taken", [], [])


@pytest.mark.parametrize("rejected", ["no", ["no"], {"server": "no"}, {"server": {"msg": "no"}}], ids=str)
def test_refusal_in_another_shape_is_refused_by_the_name_of_its_option(rejected: t.Any) -> None:
    result, programs, modules = change(said(DONE), {"rejected": rejected})
    assert (result["failed"], result["code"], programs, modules) == (True, "option-invalid", [], [])
    assert "rejected" in result["msg"]


def test_program_runs_in_a_bare_python_and_refuses_as_the_module_does(tmp_path: pathlib.Path) -> None:
    """An option that no host can have: the program ends before it inspects this machine."""
    options = endpoint_module._options({"directory": "/etc"})
    program = CHANGE.script({"options": options, "check_mode": True})
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, check=True, cwd=tmp_path)
    found = change_answer(done.stdout.decode(), done.returncode)
    assert (found["failed"], found["changed"]) == (True, False)
    assert found["code"] in ("option-invalid", "not-root")


def imported(name: str) -> set[str]:
    """Return the modules of ours that one imports, at once or when it needs them."""
    parts = name.split("/")[:-1]
    found = set()
    for node in ast.walk(ast.parse((UTILS / f"{name}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*parts[: len(parts) - node.level + 1], *(node.module or "").split(".")]
            place = "/".join(filter(None, base))
            names = {place, *(f"{place}/{each.name}".lstrip("/") for each in node.names)}
            found |= {each for each in names if (UTILS / f"{each}.py").is_file()}
    return found


def test_sources_of_the_program_are_all_that_a_change_can_import() -> None:
    """The rollback guard is among them: what the guard process runs is made of the sources that came through the pipe."""
    known: set[str] = set()
    left = {"_endpoint/entry"}
    while left:
        name = left.pop()
        known.add(name)
        left |= imported(name) - known
    assert {name.replace("/", ".") for name in known} == set(CHANGE.sources)


def test_guard_is_made_of_the_sources_that_came_through_the_pipe(tmp_path: pathlib.Path) -> None:
    """There are no files on the host to read them from."""
    text = rollback_guard.guard_text(StateDirectory("/state"))
    show = (
        f"from {_standalone.PACKAGE}._endpoint import journal, rollback_guard\n"
        "print(rollback_guard.guard_text(journal.StateDirectory('/state')), end='')"
    )
    sent = _standalone.program(CHANGE.sources, after=show)
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=sent, capture_output=True, check=True, text=True, cwd=tmp_path
    )
    assert done.stdout == text


@pytest.mark.parametrize(("journal", "mark"), [(False, True), (True, True), (False, False)])
def test_verification_is_confirmed_by_a_command_unless_a_change_waits(
    tmp_path: pathlib.Path, journal: bool, mark: bool
) -> None:
    state = StateDirectory(str(tmp_path / "state"))
    state.make()
    if mark:
        state.mark_unverified()
    if journal:
        pathlib.Path(state.journal_path).write_text("{}")
    done = subprocess.run(["sh", "-c", confirm_command(state.path)], check=False)
    assert (done.returncode == 0) is not journal
    assert state.is_unverified() is journal


def test_verification_of_a_host_without_our_state_is_confirmed(tmp_path: pathlib.Path) -> None:
    assert subprocess.run(["sh", "-c", confirm_command(str(tmp_path / "none"))], check=False).returncode == 0


@pytest.mark.parametrize(("code", "check", "programs"), [(0, False, 0), (1, False, 1), (0, True, 1)])
def test_confirmation_needs_the_program_only_where_a_change_waits(code: int, check: bool, programs: int) -> None:
    result, sent, modules = change(said(DONE), {"state": "confirmed"}, code=code, check=check)
    assert (len([one for one in sent if one]), modules) == (programs, [])
    assert result["changed"] is bool(programs)
