# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every public variable, of roles and of playbooks, is set by a scenario on real hosts; variables.yml says where and with what effect."""

from __future__ import annotations

import ast
import functools
import itertools
import pathlib
import re
import typing as t

import pytest
import yaml

from support.contracts.documentation import ROOT, of_playbooks, of_roles

TABLE = yaml.safe_load(pathlib.Path(__file__).with_name("variables.yml").read_text())
#: A value that is only known when the test runs, so that it counts as another than the default.
COMPUTED = object()


VARIABLES = sorted([*of_roles(), *of_playbooks()])


def default_of(variable: str) -> t.Any:
    return of_roles().get(variable, {}).get("default", COMPUTED)


def _of_yaml(node: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """Yield every key of a document with its value."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key), COMPUTED if "{{" in str(value) else value
            yield from _of_yaml(value)
    elif isinstance(node, list):
        for item in node:
            yield from _of_yaml(item)


def _literal(node: ast.expr) -> t.Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return COMPUTED


def _of_python(node: ast.AST) -> t.Iterator[tuple[str, t.Any]]:
    """Yield every keyword argument and key of a dict with its value, and what plays inside of texts set."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.keyword) and inner.arg:
            yield inner.arg, _literal(inner.value)
        elif isinstance(inner, ast.Dict):
            yield from (
                (key.value, _literal(value))
                for key, value in zip(inner.keys, inner.values)
                if isinstance(key, ast.Constant)
            )
        elif (
            isinstance(inner, ast.Constant)
            and isinstance(inner.value, str)
            and inner.value.lstrip().startswith("- hosts:")
        ):
            yield from _of_yaml(yaml.safe_load(inner.value))


@functools.cache
def functions_of(scenario: str) -> dict[str, ast.FunctionDef]:
    """Return the tests of a scenario by name, those that all scenarios share among them."""
    paths = [*(ROOT / "molecule" / scenario / "tests").glob("test_*.py"), ROOT / "molecule/shared/common_tests.py"]
    nodes = itertools.chain.from_iterable(ast.parse(path.read_text()).body for path in paths)
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


@functools.cache
def settings_of(scenario: str) -> list[tuple[str, t.Any]]:
    """Return what a scenario sets: in its inventory, in the one that all share, and in its tests."""
    inventories = [ROOT / "molecule" / scenario / "molecule.yml", ROOT / ".config/molecule/config.yml"]
    tests = (ROOT / "molecule" / scenario / "tests").glob("test_*.py")
    return [
        *(setting for path in inventories for setting in _of_yaml(yaml.safe_load(path.read_text()))),
        *(setting for path in tests for setting in _of_python(ast.parse(path.read_text()))),
    ]


def test_playbooks_are_read_for_their_variables() -> None:
    assert {
        "docker_daemon_serial",
        "docker_rotate_ca_authority",
        "docker_adopt_search_paths",
        "docker_status_become",
    } <= of_playbooks()


@pytest.mark.parametrize("variable", VARIABLES)
def test_variable_has_a_scenario_or_a_reason(variable: str) -> None:
    assert (variable in TABLE["scenarios"]) != (variable in TABLE["elsewhere"])


def test_table_names_only_variables_that_exist() -> None:
    assert {*TABLE["scenarios"], *TABLE["elsewhere"]} == set(VARIABLES)


@pytest.mark.parametrize("variable", TABLE["scenarios"])
def test_scenario_sets_the_variable_to_another_value_and_has_the_test(variable: str) -> None:
    scenario, test = TABLE["scenarios"][variable].split()
    values = [value for name, value in settings_of(scenario) if name == variable]
    assert [value for value in values if value is COMPUTED or value != default_of(variable)], values
    body = ast.unparse(functions_of(scenario)[test])
    assert "assert" in body or "check_output" in body


@pytest.mark.parametrize("variable", TABLE["elsewhere"])
def test_variable_without_a_scenario_has_a_reason_and_a_test_elsewhere(variable: str) -> None:
    entry = TABLE["elsewhere"][variable]
    path, test = entry["test"].split()
    assert entry["why"]
    assert re.search(rf"^def {test}\(", (ROOT / path).read_text(), re.MULTILINE)
    scenarios = [path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")]
    assert not [one for one in scenarios if variable in dict(settings_of(one))], (
        "a scenario has it now: write that into the table"
    )


@pytest.mark.parametrize("variable", sorted(of_playbooks()))
def test_variable_of_a_playbook_is_documented(variable: str) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert any(re.search(rf"\b{variable}\b", path.read_text()) for path in pages)
