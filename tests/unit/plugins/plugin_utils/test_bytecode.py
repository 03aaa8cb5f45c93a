# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytecode of the collection's own modules: kept by Python on the controller."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _bytecode

PLUGINS = pathlib.Path(_bytecode.__file__).parents[1]
#: What a run of Ansible does before it loads a callback plugin of ours; then every file of ours that is compiled is printed.
IMPORT = """\
import json, sys
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
import ansible.template
compiled = []
def watch(event, arguments):
    if event == "compile" and "docker_tls" in str(arguments[1]) and arguments[0] is not None:
        compiled.append(str(arguments[1]).rpartition("/plugins/")[2])
_AnsibleCollectionFinder(paths=[sys.argv[1]])._install()
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _bytecode
sys.addaudithook(watch)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run_output
print(json.dumps({"compiled": compiled, "text": reader.__file__, "known": run_output.__doc__}))
"""


def collection(root: pathlib.Path) -> pathlib.Path:
    """Return a copy of the collection's plugins that has no bytecode yet."""
    place = root / "ansible_collections" / "portcullis" / "docker_tls" / "plugins"
    for name in ("module_utils", "plugin_utils"):
        shutil.copytree(PLUGINS / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def imported(root: pathlib.Path, **environment: str) -> dict[str, t.Any]:
    """Return what a new process reports that imports some modules as Ansible would."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", IMPORT, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**given, **environment})
    found: dict[str, t.Any] = json.loads(done.stdout)
    return found


def test_second_run_compiles_no_module_of_the_collection(tmp_path: pathlib.Path) -> None:
    collection(tmp_path)
    first = imported(tmp_path)
    assert "module_utils/_pki/reader.py" in first["compiled"]
    assert imported(tmp_path) == {**first, "compiled": []}


def test_changed_source_is_compiled_again(tmp_path: pathlib.Path) -> None:
    source = collection(tmp_path) / "plugin_utils" / "_output" / "run_output.py"
    imported(tmp_path)
    source.write_text('"""Another one."""\n')
    found = imported(tmp_path)
    assert (found["compiled"], found["known"]) == (["plugin_utils/_output/run_output.py"], "Another one.")


def test_run_that_may_keep_no_bytecode_compiles_as_before(tmp_path: pathlib.Path) -> None:
    place = collection(tmp_path)
    found = [imported(tmp_path, PYTHONDONTWRITEBYTECODE="1") for _attempt in range(2)]
    assert found[0] == found[1]
    assert "module_utils/_pki/reader.py" in found[1]["compiled"]
    assert not list(place.rglob("*.pyc"))
