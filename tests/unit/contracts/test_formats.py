# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every format of a client's identity: the same names everywhere, a recipe in the docs, and a test."""

from __future__ import annotations

import pathlib
import re
import types
from typing import Any

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles.formats import registry, tool_files
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_bundles

ROOT = pathlib.Path(__file__).resolve().parents[3]
TESTS = [
    *(ROOT / "tests/unit/plugins/module_utils/_bundles").glob("test_*.py"),
    ROOT / "tests/integration/test_client_session.py",
]


def role_options() -> dict[str, Any]:
    specs = yaml.safe_load((ROOT / "roles/docker_client_cert/meta/argument_specs.yml").read_text())
    options: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return options


def test_choices_are_the_same_in_module_documentation_and_role() -> None:
    documented = yaml.safe_load(certificate_bundles.DOCUMENTATION)["options"]["bundles"]["suboptions"]["formats"]
    options = role_options()
    of_a_client = options["docker_client_cert_clients"]["options"]["bundles"]
    assert documented["choices"] == list(registry.NAMES)
    assert options["docker_client_cert_bundle_formats"]["choices"] == list(registry.NAMES)
    assert of_a_client["choices"] == list(registry.NAMES)


def test_registry_has_every_format_of_another_tool() -> None:
    """A format is a function from a bundle's material to the files that it writes."""
    found = [value for value in vars(tool_files).values() if isinstance(value, types.FunctionType)]
    makers = {
        one.__name__ for one in found if one.__annotations__ == {"identity": "Identity", "return": "dict[str, File]"}
    }
    assert {*makers, "pkcs12"} == set(registry.MAKERS)


@pytest.mark.parametrize("name", registry.NAMES)
def test_format_has_a_recipe(name: str) -> None:
    recipes = (ROOT / "docs/clients.md").read_text()
    assert re.search(rf"^## .*`{name}`", recipes, re.MULTILINE), f"docs/clients.md has no section for {name}"


@pytest.mark.parametrize("name", sorted(registry.MAKERS))
def test_format_is_exercised(name: str) -> None:
    assert any(f'"{name}"' in path.read_text() for path in TESTS), name
