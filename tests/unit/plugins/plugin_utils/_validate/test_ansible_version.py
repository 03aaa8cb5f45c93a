# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The oldest ansible-core: where the limit is, and that everything says the same."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import module_runner
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import preflight, surroundings
from support.contracts import documentation, records

MINIMUM = ".".join(map(str, surroundings.MINIMUM_VERSION))


@pytest.mark.parametrize("running", ["2.9.27", "2.14.18", "2.17.14", "2.17.0rc1"])
def test_problem_of_an_older_one_names_both_versions(running: str) -> None:
    found = surroundings.version_problem(running)
    assert running in found and MINIMUM in found


@pytest.mark.parametrize("running", ["2.18.0", "2.18.0.dev0", "2.19.14", "2.21.1", "3.0", "devel"])
def test_problem_of_a_supported_one_is_none(running: str) -> None:
    assert surroundings.version_problem(running) == ""


def test_first_task_of_site_names_it_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes first: what an older one makes of the inventory is not known."""
    monkeypatch.setattr(preflight, "RUNNING", "2.17.14")
    problems = preflight.inventory_problems({"docker_ca": ["a", "b"]}, {})
    assert len(problems) == 1 and "ansible-core 2.17.14" in problems[0] and "pipx" in problems[0]


def test_every_module_of_ours_fails_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Roles and modules may be used without site.yml."""
    monkeypatch.setattr(module_runner, "RUNNING", "2.17.14")
    action = object.__new__(module_runner.ModuleAction)
    monkeypatch.setattr(module_runner.ActionBase, "run", lambda self, tmp, task_vars: {})
    outcome = records.returned("authorities", action.run(None, {}))
    assert (outcome["failed"], outcome["code"]) == (True, "ansible-too-old")
    assert "2.17.14" in outcome["msg"] and "pipx" in outcome["hint"]


def test_metadata_says_the_same() -> None:
    runtime = yaml.safe_load((documentation.ROOT / "meta/runtime.yml").read_text())
    assert runtime["requires_ansible"] == f">={MINIMUM}.0"
