# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module is in the action group, documented, and known by its action plugin; nothing is left over."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.action import module as shared
from ansible_collections.portcullis.docker_tls.plugins.doc_fragments._attributes import ModuleDocFragment
from support.contracts import return_values
from support.contracts.documentation import MODULES, ROOT, block

#: Modules for plays of users; all others may change at any time.
PUBLIC = {
    "authorities",
    "authority_backup",
    "authority_generation",
    "authority_info",
    "authority_passphrase",
    "authority_restore",
    "certificate_bundles",
    "certificate_requests",
    "client_session",
    "endpoint",
    "endpoint_info",
    "fleet_status",
    "ledger_info",
    "portainer_environment",
    "signed_certificates",
    "temporary_client",
}
FOR_THE_ROLES = "For the roles and playbooks of this collection; options and results may change at any time."
FRAGMENT = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)
SOURCES = sorted((ROOT / "plugins").rglob("*.py"))
#: Pylint of ansible-test checks these too; it takes minutes, and `make test` leaves it to `--all`.
SHIPPED = [path for top in ("plugins", "playbooks", "tests/unit", "tests/fuzz") for path in (ROOT / top).rglob("*.py")]


def test_action_group_holds_every_module_and_nothing_else() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())
    assert runtime["action_groups"]["docker_tls"] == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_module_documents_itself_and_its_attributes(module: str) -> None:
    documented = block(module, "DOCUMENTATION")
    assert documented["module"] == module
    assert documented["version_added"] == "1.0.0"
    support = {
        name: value.get("support")
        for name, value in {**FRAGMENT["attributes"], **documented.get("attributes", {})}.items()
    }
    assert support["check_mode"] == "full"
    assert support["diff_mode"] and support["idempotent"]
    assert "portcullis.docker_tls._attributes" in documented["extends_documentation_fragment"]
    assert block(module, "EXAMPLES")
    assert not {"code", "hint"} & set(block(module, "RETURN")), "the fragment documents what a failure returns"


@pytest.mark.parametrize("module", sorted({*MODULES} - PUBLIC))
def test_module_for_the_roles_says_so_first(module: str) -> None:
    assert block(module, "DOCUMENTATION")["description"][0] == FOR_THE_ROLES


def test_values_of_a_failure_are_documented_once() -> None:
    assert {name for name in return_values.FAILURE if f"C({name})" in " ".join(FRAGMENT["notes"])} == {"code", "hint"}


def test_every_module_has_one_action_plugin_its_own_or_the_shared_one() -> None:
    """The answer of a module without one would not be checked (plugin_utils/_remote/answers.py)."""
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())
    routed = runtime["plugin_routing"]["modules"]
    own = {path.stem for path in (ROOT / "plugins/action").glob("*.py")} - {"module"}
    assert sorted([*own, *routed]) == MODULES
    assert list(routed) == list(shared.MODULES)
    assert {route["action_plugin"] for route in routed.values()} == {"portcullis.docker_tls.module"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_file_is_short_enough_for_a_head(path: pathlib.Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("core", ["_pki", "_ca", "_docker", "_endpoint", "_host", "_fleet", "_rotation"])
def test_core_is_free_of_ansible(core: str) -> None:
    for path in (ROOT / "plugins/module_utils" / core).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] == "ansible"], path


def test_no_value_is_thrown_away_into_an_underscore() -> None:
    """Sanity refuses the name, and no linter of `make lint` knows that."""
    found = []
    for path in SHIPPED:
        text = path.read_text()
        if re.search(r"\b_\b", text):
            names = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name) and node.id == "_")
            found += [f"{path.relative_to(ROOT)}:{node.lineno}" for node in names]
    assert found == []


def test_author_is_the_same_everywhere() -> None:
    texts = [
        path.read_text()
        for folder in ("plugins", "playbooks")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in (".py", ".yml")
    ]
    found = {name.strip() for text in texts for name in re.findall(r"^ *author: (.+)$", text, re.MULTILINE)}
    assert found == {"The portcullis.docker_tls contributors (@portcullis-collections)"}
