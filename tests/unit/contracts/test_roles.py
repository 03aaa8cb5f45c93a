# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's defaults, its argument_specs and its README say the same."""

from __future__ import annotations

import functools
import pathlib
import re
from typing import Any

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import options as plan
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding
from support.ansible.role_variables import AUTHORITIES, variables

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PYTHON_TYPES = {"str": str, "path": str, "list": list, "dict": dict, "int": int, "bool": bool}


@functools.cache
def defaults(role: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text()) or {}


@functools.cache
def options(role: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]


VARIABLES = [(role, name) for role in ROLES for name in options(role)]


def test_roles_are_the_four_of_the_design() -> None:
    assert ROLES == ["docker_ca", "docker_client_cert", "docker_daemon", "docker_server_cert"]


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_specification_have_the_same_variables(role: str) -> None:
    assert sorted(defaults(role)) == sorted(options(role))


@pytest.mark.parametrize(("role", "name"), VARIABLES)
def test_default_is_the_specified_one(role: str, name: str) -> None:
    option = options(role)[name]
    if option.get("no_log"):
        # A secret has no default: it is empty, or taken from where the user has put it.
        assert "default" not in option or option["default"] == defaults(role)[name] == ""
        assert defaults(role)[name] == "" or "{{" in defaults(role)[name]
        return
    assert defaults(role)[name] == option["default"]


@pytest.mark.parametrize("role", ROLES)
def test_specification_does_not_compute_a_secret(role: str) -> None:
    """Ansible prints the specification, its templates filled in, where any variable of the role is wrong."""
    secret = [option for option in options(role).values() if option.get("no_log")]
    assert secret and not [option for option in secret if "{{" in str(option.get("default", ""))]


@pytest.mark.parametrize(("role", "name"), VARIABLES)
def test_default_has_the_specified_type_and_is_a_choice(role: str, name: str) -> None:
    option, value = options(role)[name], defaults(role)[name]
    if isinstance(value, str) and "{{" in value:
        return
    assert isinstance(value, PYTHON_TYPES[option["type"]]) and isinstance(value, bool) is (option["type"] == "bool")
    if isinstance(value, list) and option.get("elements") in PYTHON_TYPES:
        assert all(isinstance(element, PYTHON_TYPES[option["elements"]]) for element in value)
    if "choices" in option:
        assert set(value if isinstance(value, list) else [value]) <= set(option["choices"])


@pytest.mark.parametrize(("role", "name"), VARIABLES)
def test_variable_carries_its_roles_prefix_and_a_description(role: str, name: str) -> None:
    assert name.startswith(f"{role}_")
    assert options(role)[name]["description"]


@functools.cache
def words_of(role: str) -> frozenset[str]:
    """Return every word of the role's tasks and variables, and of the plugins that read variables."""
    files = [*(ROOT / "roles" / role).glob("tasks/*.yml"), *(ROOT / "roles" / role).glob("vars/*.yml")]
    plugins = [*(ROOT / "plugins/plugin_utils").rglob("*.py")]
    return frozenset(word for path in files + plugins for word in re.findall(r"\w+", path.read_text()))


@pytest.mark.parametrize(("role", "name"), VARIABLES)
def test_variable_is_used_by_the_role(role: str, name: str) -> None:
    assert name in words_of(role)


@pytest.mark.parametrize("role", ROLES)
def test_passphrases_are_not_logged(role: str) -> None:
    for name, option in options(role).items():
        assert option.get("no_log", False) is ("passphrase" in name), name


@pytest.mark.parametrize("role", ROLES)
def test_internal_variables_carry_the_roles_prefix(role: str) -> None:
    path = ROOT / "roles" / role / "vars/main.yml"
    internal = yaml.safe_load(path.read_text()) if path.exists() else {}
    assert all(name.startswith(f"__{role}_") for name in internal)


@pytest.mark.parametrize("role", ROLES)
def test_internal_variables_that_a_role_uses_are_set_somewhere(role: str) -> None:
    texts = [path.read_text() for place in ("roles", "playbooks") for path in (ROOT / place).rglob("*.yml")]
    used = {
        name for path in (ROOT / "roles" / role).rglob("*.yml") for name in re.findall(r"\b__\w+", path.read_text())
    }
    for name in sorted(used):
        set_here = rf"(^\s*(- )?{name}:)|((register|loop_var|index_var): {name}\b)"
        assert any(re.search(set_here, text, re.MULTILINE) for text in texts), f"{name} is used and never set"


@pytest.mark.parametrize("role", ROLES)
def test_readme_table_is_the_specification(role: str) -> None:
    import importlib.machinery
    import importlib.util

    loader = importlib.machinery.SourceFileLoader("role_readme", str(ROOT / "tools/role-readme"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("role_readme", loader))
    loader.exec_module(module)
    text = (ROOT / "roles" / role / "README.md").read_text()
    assert module.with_table(text, options(role)) == text, "run tools/role-readme"


# Options of endpoint that no user of the role needs, and why.
NOT_IN_THE_ROLE = {
    "crl_content",
    "kept_lists",  # where an issuer has none that could be taken
    "allow_dual_trust",  # follows from the authorities
    "lock_timeout",  # two runs at once are an accident, not a policy
    "service",  # the unit of every distribution that is supported
}


def test_every_option_of_daemon_endpoint_is_reached_by_the_role() -> None:
    known = variables(docker_daemon_config_path="/srv/daemon.json")
    bound = binding.Bound(known, str)
    passed = {**plan.endpoint(bound, AUTHORITIES), **plan.signed_for(bound, "web1")}
    text = (ROOT / "plugins/modules/endpoint.py").read_text()
    documented = yaml.safe_load(text.split('DOCUMENTATION = r"""')[1].split('"""')[0])["options"]
    assert set(documented) - NOT_IN_THE_ROLE <= set(passed)
    assert set(documented) >= NOT_IN_THE_ROLE
