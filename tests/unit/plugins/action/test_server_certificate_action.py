# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The installation of a server certificate: sent as a program where that can be, as the module where it cannot."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import server_certificate
from support.ansible.actions import Connection, action
from support.ca import certificates as made
from support.contracts import records

AUTHORITY = made.authority()
LEAF = made.leaf(AUTHORITY)


def given(directory: pathlib.Path | str, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "directory": str(directory),
        "certificate_content": LEAF.pem,
        "ca_content": AUTHORITY.pem,
        "cryptography_package": "python3-cryptography",
        **changes,
    }


def run(
    arguments: dict[str, t.Any], output: str | None = None, *, check: bool = False, **connection: t.Any
) -> tuple[dict[str, t.Any], int, int]:
    """Return the action's result, how many programs and how many modules the host was sent. It runs each program, or prints ``output``."""
    by_module = {"changed": False, "reasons": ["by-module"]}
    found = action(server_certificate, arguments, [by_module], check=check, connection=Connection(**connection))
    programs: list[bytes] = []

    def low_level(command: str, in_data: bytes, sudoable: bool) -> dict[str, t.Any]:
        programs.append(in_data)
        if output is not None:
            return {"stdout": output, "rc": 0}
        done = subprocess.run([sys.executable, "-I", "-"], input=in_data, capture_output=True, check=True)
        return {"stdout": done.stdout.decode(), "rc": 0}

    found._low_level_execute_command = low_level
    return found.run(task_vars={"ansible_python_interpreter": sys.executable}), len(programs), len(found.called)


@pytest.fixture
def certs(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "certs"
    path.mkdir(mode=0o700)
    (path / "server-key.pem.new").write_bytes(LEAF.key_pem)
    return path


def test_certificate_is_installed_by_one_program_and_once(certs: pathlib.Path) -> None:
    result, programs, modules = run(given(certs))
    records.returned("server_certificate", result)
    assert (result["changed"], programs, modules) == (True, 1, 0)
    assert (certs / "server-cert.pem").read_text() == LEAF.pem
    assert result["diff"]["after"]["fingerprint_sha256"] == LEAF.view.fingerprint_sha256
    again = run(given(certs))[0]
    assert (again["changed"], again["reasons"]) == (False, [])


def test_check_mode_reports_the_same_and_writes_nothing(certs: pathlib.Path) -> None:
    result, programs, modules = run(given(certs), check=True)
    assert (result["changed"], programs, modules) == (True, 1, 0)
    assert not (certs / "server-cert.pem").exists()


def test_failure_of_the_program_is_the_failure_of_the_task(certs: pathlib.Path) -> None:
    (certs / "server-key.pem.new").unlink()
    result, programs, modules = run(given(certs))
    assert (result["failed"], result["code"], programs, modules) == (True, "key-mismatch", 1, 0)


@pytest.mark.parametrize(
    "arguments",
    [given("~/certs"), given("$HOME/certs"), {"directory": "/certs"}],
    ids=["home", "variable", "no-certificate"],
)
def test_options_that_only_the_host_can_judge_go_to_the_module(arguments: dict[str, t.Any]) -> None:
    _result, programs, modules = run(arguments)
    assert (programs, modules) == (0, 1)


def said(answer: t.Any) -> str:
    return f"docker_tls: begun\n{json.dumps({'docker_tls_answer': answer})}\n"


@pytest.mark.parametrize(
    "output",
    [
        "",
        "sudo: a password is required\n",
        "docker_tls: begun\n",
        said({"crashed": "OSError: x"}),
        said({"failed": True, "msg": "no library", "hint": "", "code": "cryptography-missing"}),
    ],
    ids=["nothing", "sudo", "cut-off", "crashed", "without-library"],
)
def test_program_without_a_usable_answer_is_followed_by_the_module(certs: pathlib.Path, output: str) -> None:
    result, programs, modules = run(given(certs), output)
    assert (result["reasons"], programs, modules) == (["by-module"], 1, 1)


def test_answer_in_another_shape_is_the_failure_of_its_host(certs: pathlib.Path) -> None:
    result, _programs, modules = run(given(certs), said({"changed": True, "directory": 5, "certificate": None}))
    assert (result["failed"], result["code"], modules) == (True, "answer-unusable", 0)


def test_connection_without_a_pipe_gets_the_module(certs: pathlib.Path) -> None:
    _result, programs, modules = run(given(certs), has_pipelining=False)
    assert (programs, modules) == (0, 1)
