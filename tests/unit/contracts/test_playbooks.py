# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every playbook can be called by its full name, as the documents do."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
PLAYS = sorted(
    path for path in (ROOT / "playbooks").rglob("*.yml") if path.parent.name != "tasks" and "hosts:" in path.read_text()
)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md")])
COMMAND = re.compile(r"^.*\bansible-playbook\b.*? portcullis\.docker_tls\.(\w+)", re.M)


def test_playbook_has_no_directory_of_its_name() -> None:
    """Ansible tries the name as it is before it tries .yml, and cannot play a directory."""
    assert [path.name for path in (ROOT / "playbooks").iterdir() if path.is_dir() and path.name in PLAYBOOKS] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page_calls_playbooks_that_exist_by_their_full_name(path: pathlib.Path) -> None:
    text = path.read_text()
    assert set(COMMAND.findall(text)) - PLAYBOOKS == set()
    # Who has installed the collection has no directory playbooks/ before him.
    assert re.findall(r"^.*\bansible-playbook\b.* playbooks/.*$", text, re.M) == []


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_every_play_has_the_strategy_that_its_tasks_are_written_for(path: pathlib.Path) -> None:
    """With strategy free, a task that is to run once runs for every host, before the others are read."""
    plays = [play for play in yaml.safe_load(path.read_text()) if "hosts" in play]
    assert plays and {play.get("strategy") for play in plays} == {"ansible.builtin.linear"}
