# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module fleet_status: one call for all endpoints, four forms of one report."""

from __future__ import annotations

import json
import pathlib
import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import fleet_status as action
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect
from ansible_collections.portcullis.docker_tls.plugins.modules import fleet_status
from support.ansible.modules import run_module
from support.hosts.fleet import ca, host, served, server, stored, unwanted


@pytest.fixture(autouse=True)
def endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network: every endpoint serves the same certificate."""
    monkeypatch.setattr(collect, "probe", lambda asked, _patience: {one: served(server()) for one in asked})


def paths(directory: pathlib.Path) -> dict[str, t.Any]:
    return {f"{kind}_path": str(directory / f"status.{kind}") for kind in ("json", "prometheus")}


def test_fleet_status_with_names_and_endpoints_only_judges_the_wire() -> None:
    result = run_module(
        fleet_status, {"hosts": [{"name": "web1", "endpoint": "tcp://10.0.0.5:2376", "access_groups": ["clients"]}]}
    )
    assert (result["failed"], result["changed"]) == (False, False)
    assert result["report"]["hosts"][0]["served"]["certificate"]["names"] == ["web.example.org", "10.0.0.5"]


def test_fleet_status_writes_two_files_that_agree(tmp_path: pathlib.Path) -> None:
    known = {**ca(), "certificates": [unwanted()]}
    result = run_module(fleet_status, {"hosts": [host()], "ca": known, **paths(tmp_path)})
    assert result["changed"] is True
    assert [one["opens"] for one in result["report"]["certificates"]] == [["web1"]]
    document = json.loads((tmp_path / "status.json").read_text())
    assert document == result["report"]
    assert "docker_tls_report_timestamp_seconds" in (tmp_path / "status.prometheus").read_text()
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o644


def test_fleet_status_in_check_mode_writes_nothing_and_shows_the_diff(tmp_path: pathlib.Path) -> None:
    result = run_module(fleet_status, {"hosts": [host()], "ca": ca(), **paths(tmp_path)}, check=True, diff=True)
    assert (result["changed"], list(tmp_path.iterdir())) == (True, [])
    assert [entry.get("after_header", "page") for entry in result["diff"]] == [
        str(tmp_path / "status.json"),
        str(tmp_path / "status.prometheus"),
    ]


@pytest.mark.parametrize(
    ("fail_on", "files", "alarm"),
    [
        ("critical", stored(server(-1)), True),
        ("critical", stored(None), False),
        ("warning", stored(None), True),
        ("warning", stored(None, state="not-readable"), False),
        ("never", stored(server(-1)), False),
    ],
)
def test_fleet_status_alarm_follows_fail_on(fail_on: str, files: dict[str, t.Any], alarm: bool) -> None:
    result = run_module(fleet_status, {"hosts": [host(stored=files)], "fail_on": fail_on})
    assert (result["failed"], result["status"]["alarm"]) == (False, alarm)


@pytest.mark.parametrize(
    ("table", "last"), [("all", "WARNING: 1 warning"), ("problems", "WARNING: 1 warning"), ("none", "")]
)
def test_fleet_status_returns_the_table_that_was_asked_for(table: str, last: str) -> None:
    result = run_module(fleet_status, {"hosts": [host(stored=stored(None))], "table": table})
    assert (result["table"] or [""])[-1].startswith(last)
    assert bool(result["table"]) is (table != "none")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"warning": ["soon"]}, "duration-invalid"),
        ({"file_mode": "9"}, "mode-invalid"),
        ({"hosts": [{"name": "a", "endpoint": "nowhere"}]}, "endpoint-invalid"),
        ({"json_path": "/nonexistent/status.json"}, "directory-missing"),
    ],
)
def test_fleet_status_of_bad_options_names_them(options: dict[str, t.Any], code: str) -> None:
    result = run_module(fleet_status, options)
    assert (result["failed"], result["code"]) == (True, code)


class Action(action.ActionModule):
    """The action plugin with the module in this process, and what it prints."""

    def __init__(self, arguments: dict[str, t.Any], *, check: bool = False, transport: str = "local") -> None:
        self._task = types.SimpleNamespace(args=arguments, check_mode=check)
        self._connection = types.SimpleNamespace(transport=transport)
        self.printed: list[str] = []
        self._display = types.SimpleNamespace(display=lambda line, color=None: self.printed.append(line))
        self.check = check

    def _execute_module(self, *_arguments: t.Any, **_options: t.Any) -> dict[str, t.Any]:
        return run_module(fleet_status, dict(self._task.args), check=self.check)


@pytest.fixture
def no_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action.ActionBase, "run", lambda *_arguments: {})


@pytest.mark.usefixtures("no_base")
def test_action_prints_the_table_line_by_line() -> None:
    plugin = Action({"hosts": [host()]})
    result = plugin.run()
    assert plugin.printed == result["table"] and plugin.printed[-1].startswith("OK: ")


@pytest.mark.usefixtures("no_base")
@pytest.mark.parametrize("check", [True, False])
def test_action_writes_the_page_and_counts_it_as_a_change(tmp_path: pathlib.Path, check: bool) -> None:
    path = tmp_path / "status.html"
    result = Action({"hosts": [host()], "html_path": str(path), "title": "My <fleet>"}, check=check).run()
    assert (result["changed"], path.exists()) == (True, not check)
    assert result["diff"][-1]["prepared"].startswith(f"{path}: ")
    if not check:
        assert "<h1>My &lt;fleet&gt;</h1>" in path.read_text() and path.stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("no_base")
@pytest.mark.parametrize(
    ("transport", "path", "code"),
    [("ssh", "/tmp/status.html", "html-not-here"), ("local", "/nonexistent/status.html", "directory-missing")],
)  # fmt: skip
def test_action_that_cannot_write_the_page_runs_nothing(
    transport: str, path: str, code: str, tmp_path: pathlib.Path
) -> None:
    json_path = tmp_path / "status.json"
    result = Action({"hosts": [host()], "html_path": path, "json_path": str(json_path)}, transport=transport).run()
    assert (result["failed"], result["code"], bool(result["hint"])) == (True, code, True)
    assert not json_path.exists()
