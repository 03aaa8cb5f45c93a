# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output that README and quick start show is that of a real first run, as far as it is about the controller."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from support.ansible import playbook_runs
from support.contracts.documentation import ROOT

PAGES = ("README.md", "docs/quickstart.md")
#: Without a Docker host there is no env.sh to try.
_CHANGES = (
    (r"try \. \S+/env\.sh && docker version; ", ""),
    (r"\d{4}-\d\d-\d\d", "DATE"),
    (r"/\S*(?=/\.docker_tls)", "HOME"),
    (r"\b\d+:[0-9a-f]{64}", "HEAD"),
)


def normalized(text: str) -> list[str]:
    for pattern, word in _CHANGES:
        text = re.sub(pattern, word, text)
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("first")
    home = directory / "home"
    settings = playbook_runs.environment(directory, home, directory / "tmp")
    (home / ".docker_tls").mkdir()
    passphrase: pathlib.Path = home / ".docker_tls/passphrase"
    passphrase.write_text("a passphrase of a test\n")
    (directory / "inventory.yml").write_text(
        "all: {vars: {docker_ca_passphrase: \"{{ lookup('ansible.builtin.file', '~/.docker_tls/passphrase') }}\"}}\n"
    )
    command = [playbook_runs.PLAYBOOK, "-i", "inventory.yml", "portcullis.docker_tls.site"]
    done = playbook_runs.run(command, settings, directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return normalized(done.stdout)


@pytest.mark.parametrize("page", PAGES)
def test_summary_on_the_page_is_what_a_run_prints(page: str, printed: list[str]) -> None:
    text = (ROOT / page).read_text()
    shown = text.partition("\nchanged      localhost ")[2].partition("\n$ ")[0].partition("\n```")[0]
    lines = normalized(f"changed      localhost {shown}")
    assert len(lines) == 6
    assert [line for line in lines if line not in printed] == []


@pytest.mark.parametrize("page", PAGES)
def test_names_on_the_page_are_those_that_its_inventory_gives(page: str) -> None:
    """A certificate has the inventory name and ansible_host; no address that the page does not contain."""
    text = (ROOT / page).read_text()
    inventory = yaml.safe_load(text.partition("# inventory.yml\n")[2].partition("\n```")[0])
    hosts = {name: variables or {} for name, variables in inventory["docker_hosts"]["hosts"].items()}
    shown = re.findall(r"^changed +(\S+) .*, SAN ([^,]+),", text, re.MULTILINE)
    assert shown
    for host, names in shown:
        assert set(names.split()) == {host, *filter(None, [hosts[host].get("ansible_host")])}
    for host, names in re.findall(r"^ok +(\S+) .* ok +(\S.*)$", text, re.MULTILINE):
        given = {host, *filter(None, [hosts[host].get("ansible_host")])}
        assert set(names.split()) == {*given, "localhost", "127.0.0.1", "::1"}
