# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs for hosts bring bytecode along for the controller's version of Python, and are kept on the controller."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _standalone
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import rollback_guard
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import program, programs
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.program import Program

#: A host's Python, which prints what it compiles of our program.
COMPILED = """\
import sys
def watch(event, arguments):
    if event == "compile" and str(arguments[1]).startswith("docker_tls_program"):
        print("compiled", arguments[1])
sys.addaudithook(watch)
"""
SOURCES = {
    "_a.one": "from .two import TWO\n\ndef one():\n    from . import three\n    return TWO + three.THREE\n",
    "_a.two": '"""Text."""\nTWO = 2\n',
    "_a.three": "THREE = 3\n",
}
SHOW = f"from {_standalone.PACKAGE}._a import one\nprint('answer', one.one())"


@pytest.fixture(autouse=True)
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def text_for(place: pathlib.Path, sources: dict[str, str] = SOURCES) -> str:
    """Return the program as packed for a first module in ``place``."""
    return program.packed(str(place / "one.py"), sources, SHOW)


def kept_in(place: pathlib.Path) -> list[pathlib.Path]:
    """Return the files that were kept."""
    return list(place.rglob("*.program*"))


def run(program: str) -> list[str]:
    """Return the lines of a program on a host: what it compiled, and its answer."""
    source = COMPILED + program
    done = subprocess.run([sys.executable, "-I", "-"], input=source, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_host_with_the_controllers_python_compiles_nothing(tmp_path: pathlib.Path) -> None:
    assert run(text_for(tmp_path)) == ["answer 5"]


def test_host_with_another_python_compiles_the_sources(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python does not refuse bytecode of another version in memory; it crashes."""
    monkeypatch.setattr(_standalone, "MAGIC_NUMBER", b"\x00\x00\r\n")
    monkeypatch.setattr(program, "_bytecode", lambda _name, _source: b"\xff no code")
    *compiled, answer = run(text_for(tmp_path))
    assert set(compiled) == {f"compiled {_standalone.PACKAGE}.{name}" for name in SOURCES}
    assert answer == "answer 5"


def test_kept_program_is_used_again(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = text_for(tmp_path)
    monkeypatch.setattr(program, "_bytecode", lambda _name, _source: pytest.fail("made again"))
    assert text_for(tmp_path) == first


def test_program_of_changed_sources_is_made_again(tmp_path: pathlib.Path) -> None:
    text_for(tmp_path)
    assert run(text_for(tmp_path, {**SOURCES, "_a.two": "TWO = 40\n"}))[-1] == "answer 43"
    assert len(kept_in(tmp_path)) == 1


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"x\nprint('answer 0')\n"])
def test_damaged_file_is_made_again(tmp_path: pathlib.Path, damage: bytes) -> None:
    first = text_for(tmp_path)
    kept_in(tmp_path)[0].write_bytes(damage)
    assert text_for(tmp_path) == first


def test_file_that_a_power_failure_has_cut_off_is_made_again(tmp_path: pathlib.Path) -> None:
    first = text_for(tmp_path)
    kept = kept_in(tmp_path)[0]
    kept.write_text(kept.read_text()[:-100])
    assert text_for(tmp_path) == first


def test_program_that_cannot_be_kept_has_no_bytecode(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling it in each run would cost the controller more than it spares a few hosts."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(program, "_bytecode", lambda _name, _source: pytest.fail("compiled in vain"))
    *compiled, answer = run(text_for(tmp_path))
    assert set(compiled) == {f"compiled {_standalone.PACKAGE}.{name}" for name in SOURCES}
    assert answer == "answer 5"
    assert not kept_in(tmp_path)


def test_directory_that_is_a_file_is_no_failure(tmp_path: pathlib.Path) -> None:
    (tmp_path / "__pycache__").write_text("")
    assert run(text_for(tmp_path))[-1] == "answer 5"


@pytest.mark.parametrize("program", [programs.INSPECTION, programs.CHANGE], ids=["inspection", "change"])
def test_programs_for_hosts_compile_nothing(program: Program) -> None:
    script = program.script({}).decode("ascii")
    *found, _last = run(script)
    begun = found.index("docker_tls: begun") if "docker_tls: begun" in found else 0
    assert [line for line in found[begun:] if line.startswith("compiled")] == []


def test_change_that_runs_from_bytecode_writes_the_rollback_guard_of_the_sources(tmp_path: pathlib.Path) -> None:
    """The guard may be started by another Python, after an upgrade of the host."""
    sources = programs.CHANGE.sources
    show = (
        f"from {_standalone.PACKAGE}._endpoint import journal, rollback_guard\n"
        "print(rollback_guard.guard_text(journal.StateDirectory('/state')), end='')"
    )
    text = program.packed(str(tmp_path / "entry.py"), sources, show)
    assert "\n".join(run(text)) == rollback_guard.guard_text(StateDirectory("/state")).rstrip("\n")
