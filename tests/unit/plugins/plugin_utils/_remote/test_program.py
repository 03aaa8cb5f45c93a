# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program through a pipe: how the host's shell starts it, and how it is found among what else a host prints."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import program
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.programs import CHANGE

KILLED = b"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


def run(source: bytes, variables: dict[str, t.Any], path: pathlib.Path, *, before: str = "") -> t.Any:
    """Return what Ansible's shell makes of a program, on a host whose only Python is in ``path``."""
    found = path / "python3.11"
    found.symlink_to(sys.executable)
    command = f"{before}{program.command(variables, lambda value: value)} && sleep 0"
    environment = {**os.environ, "PATH": f"{path}:/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", command], input=source, capture_output=True, env=environment, check=False)


@pytest.mark.parametrize("variables", [{}, {"ansible_python_interpreter": sys.executable}], ids=["sought", "named"])
def test_killed_program_is_a_failed_command_and_not_a_lost_connection(
    variables: dict[str, t.Any], tmp_path: pathlib.Path
) -> None:
    """ssh says 255, as for a host that it cannot reach, where the command itself was ended by a signal."""
    assert run(KILLED, variables, tmp_path).returncode == 128 + 9


def test_host_whose_profile_prints_half_a_line_is_understood(tmp_path: pathlib.Path) -> None:
    """Else the change is sent a second time as a module, which has nothing left to report."""
    source = CHANGE.script({"options": {}, "check_mode": True})
    output = run(source, {}, tmp_path, before="printf 'Good morning! '; ").stdout.decode()
    assert program.has_begun(output)
    assert program.answer(output) is not None


def test_program_on_a_host_does_not_search_for_reference_cycles(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = "import gc\n\n\ndef run(arguments):\n    return {'collects': gc.isenabled(), **arguments}\n"
    monkeypatch.setattr(program, "_source", {"probe": probe}.get)
    monkeypatch.setattr(program, "_path", lambda name: tmp_path / f"{name}.py")
    output = run(program.Program("probe").script({"asked": 1}), {}, tmp_path).stdout.decode()
    assert program.answer(output) == {"collects": False, "asked": 1}
