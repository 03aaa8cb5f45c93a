# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback beside site.yml: when it speaks, where it writes, and what it takes from Ansible's objects, old and new."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import types
import typing as t

import pytest
from ansible import constants as C

PATH = pathlib.Path(__file__).resolve().parents[4] / "playbooks/callback_plugins/docker_tls_summary.py"
INSPECTION, CURRENT = "portcullis.docker_tls.host_state", {"changed": False, "current": True}
RESULT = {"changed": True, "plan": ["restart yes, 14 containers kept (certificate-changed)"]}


@pytest.fixture(scope="module")
def plugin() -> t.Any:
    specification = importlib.util.spec_from_file_location("docker_tls_summary", PATH)
    if specification is None or specification.loader is None:
        raise AssertionError(PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Heard:
    """A callback with an ear at its display."""

    def __init__(self, plugin: t.Any, *, wanted: bool = True) -> None:
        self.callback = plugin.CallbackModule()
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.callback._display = types.SimpleNamespace(
            display=lambda line, color=None: self.lines.append(line), warning=self.warnings.append
        )
        variables = {"__docker_tls_summary": True} if wanted else {}
        self.callback.v2_playbook_on_play_start(types.SimpleNamespace(get_vars=lambda: variables, check_mode=False))

    def end(self, **counts: dict[str, int]) -> str:
        stats = {"failures": {}, "dark": {}, "processed": {"web1": 1}, **counts}
        self.callback.v2_playbook_on_stats(types.SimpleNamespace(**stats))
        return "\n".join(self.lines)


def result_of(found: dict[str, t.Any], *, old: bool = False, action: str = "portcullis.docker_tls.endpoint") -> t.Any:
    """Return a result as ansible-core 2.19 and later hand it over, with its old names, or as 2.18 did, with these alone.

    What the callback leaves to the class that it inherits from reads the names of the ansible-core that is there.
    """
    parts = {
        "host": types.SimpleNamespace(get_name=lambda: "web1"),
        "task": types.SimpleNamespace(action=action, resolved_action=action),
        "result": found,
    }
    names = {f"_{name}": part for name, part in parts.items()}
    return types.SimpleNamespace(**names if old else {**parts, **names})


@pytest.mark.parametrize("old", [False, True], ids=["2.19", "2.18"])
def test_callback_tells_what_the_modules_said(plugin: t.Any, old: bool) -> None:
    heard = Heard(plugin)
    heard.callback.v2_runner_on_ok(result_of(RESULT, old=old))
    assert "changed      web1  restart yes, 14 containers kept" in heard.end()


def test_run_without_any_task_is_not_passed_over(plugin: t.Any) -> None:
    """Ansible ends well where --start-at-task names a task that it does not find."""
    assert "no task was run, so nothing was inspected" in Heard(plugin).end()
    skipped = Heard(plugin)
    skipped.callback.v2_runner_on_skipped(result_of({}))  # the plan of adopt.yml
    assert skipped.end() == ""


def test_callback_is_silent_where_no_play_wants_it(
    plugin: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_TLS_SUMMARY_PATH", str(tmp_path / "summary.json"))
    heard = Heard(plugin, wanted=False)
    heard.callback.v2_runner_on_ok(result_of(RESULT))
    assert heard.end() == ""
    assert list(tmp_path.iterdir()) == []


def test_callback_is_silent_where_every_task_was_skipped(
    plugin: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan of adopt.yml skips site.yml: no host was inspected."""
    monkeypatch.setenv("DOCKER_TLS_SUMMARY_PATH", str(tmp_path / "summary.json"))
    heard = Heard(plugin)
    heard.callback.v2_runner_on_skipped(result_of({"skipped": True}))
    assert heard.end() == ""
    assert list(tmp_path.iterdir()) == []


def test_callback_takes_no_other_modules_word_for_a_change(plugin: t.Any) -> None:
    heard = Heard(plugin)
    heard.callback.v2_runner_on_ok(result_of(CURRENT, action=INSPECTION))
    heard.callback.v2_runner_on_ok(result_of(RESULT, action="ansible.builtin.copy"))
    assert "1 as it should be" in heard.end()


def test_callback_counts_only_what_failed_for_good(plugin: t.Any) -> None:
    heard = Heard(plugin)
    heard.callback.v2_runner_on_failed(result_of({"msg": "ignored"}), ignore_errors=True)
    heard.callback.v2_runner_on_failed(result_of({"msg": "rescued"}))
    heard.callback.v2_runner_on_ok(result_of(CURRENT, action=INSPECTION))
    assert "1 as it should be" in heard.end(failures={"web1": 0})


def test_callback_tells_any_tasks_failure(plugin: t.Any) -> None:
    heard = Heard(plugin)
    heard.callback.v2_runner_on_failed(result_of({"msg": "no such user"}, action="ansible.builtin.assert"))
    assert "FAILED       web1  no such user" in heard.end(failures={"web1": 1})


def test_callback_prints_nothing_into_json(
    plugin: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(C, "DEFAULT_STDOUT_CALLBACK", "ansible.posix.json")
    monkeypatch.setenv("DOCKER_TLS_SUMMARY_PATH", str(tmp_path / "summary.json"))
    heard = Heard(plugin)
    heard.callback.v2_runner_on_unreachable(result_of({"msg": "No route to host"}))
    assert heard.end(dark={"web1": 1}) == ""
    assert json.loads((tmp_path / "summary.json").read_text())["hosts"][0]["problem"] == "No route to host"


def test_callback_that_cannot_write_warns_and_fails_nothing(plugin: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_SUMMARY_PATH", "/nowhere/summary.json")
    heard = Heard(plugin)
    heard.callback.v2_runner_on_ok(result_of(RESULT))
    heard.end()
    assert "/nowhere/summary.json" in heard.warnings[0]


class Inventory:
    """What Ansible's inventory says of its groups, of hosts outside the limit too."""

    def get_groups_dict(self) -> dict[str, list[str]]:
        return {"docker_hosts": ["web1", "web2"]}


def test_callback_names_the_docker_hosts_outside_the_limit(plugin: t.Any) -> None:
    heard = Heard(plugin)
    manager = types.SimpleNamespace(_inventory=Inventory())
    play = types.SimpleNamespace(get_vars=dict, check_mode=False, get_variable_manager=lambda: manager)
    heard.callback.v2_playbook_on_play_start(play)
    heard.callback.v2_runner_on_ok(result_of(CURRENT, action=INSPECTION))
    said = heard.end()
    assert "Not in this run: 1 of 2 Docker hosts (web2)." in said
    assert "NOT CHECKED  localhost  this run has not inspected its client bundles" in said


@pytest.mark.parametrize(
    ("callback", "hidden"), [("default", True), ("awx_display", False), ("ansible.posix.json", False)]
)
def test_callback_hides_empty_plays_of_the_usual_output_only(
    plugin: t.Any, monkeypatch: pytest.MonkeyPatch, callback: str, hidden: bool
) -> None:
    monkeypatch.setattr(C, "DEFAULT_STDOUT_CALLBACK", callback)
    seen: list[t.Any] = []
    monkeypatch.setattr(plugin.run_output, "hide", seen.append)
    plugin.CallbackModule()
    assert bool(seen) is hidden
