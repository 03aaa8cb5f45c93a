# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of docs/examples/monitoring fit the metrics that status writes, and the page about them."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet.render import prometheus
from support.contracts.documentation import ROOT

EXAMPLES = ROOT / "docs/examples/monitoring"
PAGE = (ROOT / "docs/monitoring.md").read_text()
RULES = yaml.safe_load((EXAMPLES / "docker-tls-alerts.yml").read_text())["groups"][0]["rules"]
BOARD = json.loads((EXAMPLES / "docker-tls-dashboard.json").read_text())
METRIC = re.compile(r"\bdocker_tls_[a-z_]+\b")
WRITTEN = set(METRIC.findall(pathlib.Path(prometheus.__file__).read_text()))
PROMTOOL = shutil.which("promtool", path=f"{ROOT}/.cache/promtool") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; tools/promtool fetches it")


def promtool(*words: str | pathlib.Path) -> str:
    """Run promtool beside the rules; fail with what it says."""
    done = subprocess.run([str(PROMTOOL), *map(str, words)], cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions() -> list[str]:
    return [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def table(first: str) -> set[str]:
    """Return the names in the first column of the page's table that begins with ``first``."""
    body = PAGE.partition(f"| {first} |")[2].partition("\n\n")[0]
    return {name for line in body.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}


def test_metrics_of_status_are_those_of_the_page_the_rules_and_the_dashboard() -> None:
    used = set(METRIC.findall(" ".join([*(rule["expr"] for rule in RULES), *expressions()])))
    assert used <= WRITTEN
    assert WRITTEN - {"docker_tls_status"} <= used, "a metric that neither alerts nor dashboard use"
    assert table("metric") == WRITTEN


def test_page_has_every_alert_with_its_severity() -> None:
    for rule in RULES:
        assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in PAGE
    assert table("alert") == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_alert_has_a_severity_and_says_what_to_do(rule: dict[str, t.Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert {"summary", "description"} <= set(rule["annotations"])
    assert rule["for"], "one bad sample is not an alarm"
    assert len(" ".join(rule["annotations"]["description"].split())) > 60


def test_missing_metrics_are_an_alert_too() -> None:
    assert "absent(docker_tls_report_timestamp_seconds)" in {rule["expr"] for rule in RULES}


@needs_promtool
def test_promtool_accepts_the_rules_and_their_tests_pass() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "docker-tls-alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", "docker-tls-alerts.test.yml")


@needs_promtool
def test_promtool_accepts_every_expression_of_the_dashboard(tmp_path: pathlib.Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_dashboard_is_one_that_grafana_imports() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating"} <= set(BOARD)
    (source,) = BOARD["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    identifiers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
