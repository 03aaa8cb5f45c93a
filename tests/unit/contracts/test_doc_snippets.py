# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands and YAML of the pages are valid: command lines by the programs' own parsers, YAML by the rules of roles and modules."""

from __future__ import annotations

import fnmatch
import pathlib
import re
import subprocess
import typing as t

import pytest
import yaml
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.splitter import parse_kv

from support.contracts import snippets
from support.contracts.documentation import (
    FILTERS,
    MODULES,
    PLAYBOOKS,
    ROLES,
    ROOT,
    block,
    of_playbooks,
    of_roles,
    options_of,
)

OURS = "portcullis.docker_tls."
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
#: Programs of others, whose lines are read by the shell only: there is nothing of ours in them but a path.
OF_OTHERS = set(
    ". bao curl direnv docker echo export firewall-cmd git install journalctl keytool ln ls mkdir mv nft openssl printf python3 rm set".split()
    + "sed sha256sum ssh sudo systemctl ufw umask".split()
)
GROUPS = {"docker_ca", "docker_clients", "docker_hosts"}
#: Modules have options such as docker_host.
LIKE_A_VARIABLE = re.compile(r"docker_(?!host$)")
#: Names that begin like a variable of a playbook, and are something else.
NO_VARIABLES = {"docker_status"}
#: Variables of other people: of geerlingguy.docker, in the recipe beside it; what the tasks of an issuer set.
VARIABLES_OF_OTHERS = {"docker_daemon_options", "docker_issuer_answers"}


def known_variables() -> set[str]:
    return {*of_roles(), *of_playbooks()}


def pages_with(language: str) -> list[t.Any]:
    return [pytest.param(path, id=snippets.name_of(path)) for path in snippets.PAGES if snippets.blocks(path, language)]


def commands_of(*programs: str) -> list[t.Any]:
    return [pytest.param(one, id=str(one)) for one in snippets.all_commands() if one.words[0] in programs]


def arguments(cli: type, words: t.Sequence[str]) -> t.Any:
    """Return what the program's own parser makes of a command line; it exits where it does not understand."""
    program = cli(list(words))  # type: ignore[call-arg]
    program.init_parser()
    return program.parser.parse_args(list(words[1:]))


@pytest.mark.parametrize("path", pages_with("console"))
def test_shell_understands_every_command_line(path: pathlib.Path) -> None:
    script = "\n".join(snippets.commands(path))
    assert script, "a block of commands without a prompt"
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_program_is_looked_at() -> None:
    ours = {"ansible", "ansible-galaxy", "ansible-playbook", "make", "tools/bench", "cd"}
    ours |= {path.name for path in (ROOT / "docs/examples").glob("*/docker-tls-*")}
    assert {one.words[0] for one in snippets.all_commands()} - OF_OTHERS - ours == set()


@pytest.mark.parametrize("command", commands_of("ansible-playbook"))
def test_playbook_and_its_variables_exist(command: snippets.Command) -> None:
    parsed = arguments(PlaybookCLI, command.words)
    for name in parsed.args:
        if name.startswith(OURS):
            assert name[len(OURS) :] in PLAYBOOKS
        elif name.startswith("playbooks/"):
            assert (ROOT / name).is_file()
        else:
            assert f"```yaml\n# {name}\n" in (ROOT / command.page).read_text(), "a playbook that the page does not show"
    for extra in parsed.extra_vars:
        assert set(yaml.safe_load(extra) if extra.startswith("{") else parse_kv(extra)) <= known_variables()


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbook_is_in_the_readme(playbook: str) -> None:
    text = (ROOT / "README.md").read_text()
    assert f"`{OURS}{playbook}`" in text or f", `{playbook}`" in text


@pytest.mark.parametrize("command", commands_of("ansible"))
def test_module_of_an_ad_hoc_command_takes_its_options(command: snippets.Command) -> None:
    parsed = arguments(AdHocCLI, command.words)
    assert parsed.module_name.startswith(OURS)
    module = parsed.module_name[len(OURS) :]
    assert module in MODULES and set(parse_kv(parsed.module_args)) <= set(options_of(module))


@pytest.mark.parametrize("command", commands_of("ansible-galaxy"))
def test_collection_is_built_and_installed_under_its_name(command: snippets.Command) -> None:
    parsed = arguments(GalaxyCLI, command.words)
    if command.words[2] == "list":
        assert parsed.collection == OURS.rstrip(".")
        return
    tarball = f"{GALAXY['namespace']}-{GALAXY['name']}-{GALAXY['version']}.tar.gz"
    named = [word for word in parsed.args if word.endswith(".gz")]
    assert all(fnmatch.fnmatch(tarball, pathlib.PurePath(word).name) for word in named)


@pytest.mark.parametrize("command", commands_of("tools/bench"))
def test_option_of_a_tool_exists(command: snippets.Command) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "tests/benchmark/harness").rglob("*.py"))
    for word in command.words[1:]:
        assert not word.startswith("--") or word == "--help" or f'"{word}"' in sources, word


@pytest.mark.parametrize("command", commands_of("git"))
def test_repository_is_the_collections(command: snippets.Command) -> None:
    assert command.words[1:] in (("clone", GALAXY["repository"]), ("pull",))


@pytest.mark.parametrize("path", [pytest.param(path, id=snippets.name_of(path)) for path in snippets.PAGES])
def test_target_path_and_name_on_the_page_exist(path: pathlib.Path) -> None:
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text)) <= targets
    places = "make|tools|playbooks|docs|tests|molecule|roles|changelogs|plugins"
    for name in re.findall(rf"`((?:{places})/[^`\s]*)", text):
        # A page beside the scenarios means the files of each.
        assert list(ROOT.glob(name)) or list(path.parents[1].glob(f"*/{name}")), name
    names = {*MODULES, *FILTERS, *PLAYBOOKS, *ROLES}
    assert set(re.findall(r"portcullis\.docker_tls\.([a-z0-9_]+)", text)) - names == set()


@pytest.mark.parametrize("path", [pytest.param(path, id=snippets.name_of(path)) for path in snippets.PAGES])
def test_variable_of_a_playbook_on_the_page_exists(path: pathlib.Path) -> None:
    named = set(
        re.findall(r"(?<![\w.])((?:docker_(?:adopt|status|verify)|rotate_ca)_?\w*[a-z])\b(?![*<(])", path.read_text())
    )
    assert named - of_playbooks() - NO_VARIABLES == set()


#: Of the pages, and the examples of every module.
DOCUMENTS = [
    *(pytest.param(document, id=f"{page}-{number}") for number, (page, document) in enumerate(snippets.documents())),
    *(pytest.param(block(module, "EXAMPLES"), id=module) for module in MODULES),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_variables_of_a_document_are_such_as_the_role_takes(document: t.Any) -> None:
    """Groups of the inventory have the names of the design; values without a template are checked against the role's specification."""
    for one in snippets.dicts(document):
        given = {name: value for name, value in one.items() if LIKE_A_VARIABLE.match(str(name)) and name not in GROUPS}
        assert set(given) <= known_variables() | VARIABLES_OF_OTHERS
        plain = {name: value for name, value in given.items() if name in of_roles() and not snippets.templated(value)}
        specification = {name: {**of_roles()[name], "required": False} for name in plain}
        assert ArgumentSpecValidator(specification).validate(plain).error_messages == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_tasks_of_a_document_name_modules_options_roles_and_playbooks_that_exist(document: t.Any) -> None:
    for one in snippets.dicts(document):
        for name, value in one.items():
            if str(name).startswith(OURS):
                module = name[len(OURS) :]
                given = value or {}
                assert module in MODULES and set(given) <= set(options_of(module)), module
                required = {key for key, option in options_of(module).items() if option.get("required")}
                assert required <= set(given) or module == "client_session"
        for role in one.get("roles", []):
            assert (ROOT / "roles" / str(role["role"] if isinstance(role, dict) else role)[len(OURS) :]).is_dir()
        if "import_playbook" in one:
            assert one["import_playbook"][len(OURS) :] in PLAYBOOKS


@pytest.mark.parametrize("path", pages_with("yaml"))
def test_lookups_and_filters_of_the_documents_are_understood(path: pathlib.Path) -> None:
    """Each template is one that Jinja can parse, and each filter of ours exists."""
    from jinja2 import Environment

    environment = Environment()
    for text in snippets.blocks(path, "yaml"):
        for template in re.findall(r"\{\{.*?\}\}", text):
            environment._parse(template, None, None)
