# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of site.yml on hosts that no change is possible on. They are this machine, without a docker.service."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from test_limited_runs import play

from support.ansible.playbook_runs import LOCAL

SUMMARY = "summary.json"


def run(directory: pathlib.Path, *options: str) -> tuple[int, str, dict[str, t.Any]]:
    """Run site.yml for two Docker hosts; return how it ended, what it said, and its summary."""
    hosts = "".join(
        f"{name} {LOCAL} ansible_become=false docker_server_cert_path={directory}/{name}\n" for name in ("web1", "web2")
    )
    code, output = play(
        directory,
        "site.yml",
        *options,
        more=f"[docker_hosts]\n{hosts}",
        settings={"DOCKER_TLS_SUMMARY_PATH": str(directory / SUMMARY)},
    )
    return code, output, json.loads((directory / SUMMARY).read_text())


def issued(directory: pathlib.Path) -> list[str]:
    """Return the requesters of all certificates in the ledger."""
    lines = map(json.loads, (directory / "ca/ledger.jsonl").read_text().splitlines())
    return [line["requester"] for line in lines if line["event"] == "issued"]


def problems(summary: dict[str, t.Any]) -> dict[str, str]:
    return {one["host"]: one["problem"] for one in summary["hosts"] if one["state"] == "failed"}


def test_refused_hosts_cost_no_certificate_and_check_mode_says_it_on_the_first_run(tmp_path: pathlib.Path) -> None:
    predicted_code, _output, predicted = run(tmp_path, "--check", "--diff")
    assert not (tmp_path / "ca").exists()
    code, output, summary = run(tmp_path)
    assert code == predicted_code != 0
    assert set(problems(summary)) == {"web1", "web2"}
    assert problems(predicted) == problems(summary)
    assert len(re.findall(r"fatal: \[web1\]", output)) == 1
    assert not any("web" in requester for requester in issued(tmp_path))
    assert not (tmp_path / "web1").exists()
    # The rest of the run is done.
    assert (tmp_path / "bundles/bob/cert.pem").is_file()
    before = (tmp_path / "ca/ledger.jsonl").read_text()
    assert run(tmp_path)[0] != 0
    assert (tmp_path / "ca/ledger.jsonl").read_text() == before
