# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is and how it is documented: modules, filters, playbooks, and the variables of roles and playbooks."""

from __future__ import annotations

import ast
import functools
import importlib
import pathlib
import re
import typing as t

import yaml

from ansible_collections.portcullis.docker_tls.plugins.filter import docker_tls
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import site

ROOT = pathlib.Path(__file__).resolve().parents[4]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
FILTERS: dict[str, t.Callable[..., t.Any]] = docker_tls.FILTERS
_COLLECTION = "portcullis.docker_tls."
Options = dict[str, t.Any]


def block(module: str, name: str) -> t.Any:
    """Return a module's DOCUMENTATION, EXAMPLES or RETURN, read without importing it."""
    tree = ast.parse((ROOT / "plugins/modules" / f"{module}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


def _options_of_fragment(name: str) -> Options:
    """Return the options of a fragment, or of the section of one whose name follows behind a dot."""
    name, _dot, section = name[len(_COLLECTION) :].partition(".")
    module = importlib.import_module(f"ansible_collections.{_COLLECTION}plugins.doc_fragments.{name}")
    options: Options = yaml.safe_load(getattr(module.ModuleDocFragment, section.upper() or "DOCUMENTATION"))["options"]
    return options


@functools.cache
def options_of(module: str) -> Options:
    """Return the module's documented options with those of its fragments."""
    documentation = block(module, "DOCUMENTATION")
    found: Options = {}
    for fragment in documentation.get("extends_documentation_fragment", []):
        found.update(_options_of_fragment(fragment))
    return {**found, **documentation.get("options", {})}


@functools.cache
def of_roles() -> Options:
    """Return every variable of the four roles with its specification."""
    specs = [yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text()) for role in ROLES]
    return {name: option for spec in specs for name, option in spec["argument_specs"]["main"]["options"].items()}


@functools.cache
def of_playbooks() -> frozenset[str]:
    """Return the variables that a playbook reads and neither a role nor the playbook itself gives it."""
    texts = [path.read_text() for path in (ROOT / "playbooks").rglob("*.yml")]
    reading = re.compile(r"(?<![\w.])((?:docker|rotate)_[a-z0-9_]+) (?:\| default\(|is defined)")
    read = {name for text in texts for name in reading.findall(text)}
    read |= {name for text in texts for name in re.findall(r"__docker_tls_host_timeout: (\w+)", text)}
    read.add(site.VARIABLE)  # the plans read it
    made = {name for text in texts for name in re.findall(r"(?:register|loop_var): (\w+)", text)}
    return frozenset(read - made - of_roles().keys())
