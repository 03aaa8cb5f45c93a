# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real run of the wrapper of docs/examples/evidence: one report of what is verified, what there is, and what was issued."""

from __future__ import annotations

import json
import pathlib
import subprocess

from test_limited_runs import site

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRAPPER = ROOT / "docs/examples/evidence/docker-tls-evidence"


def test_report_has_the_verification_the_status_and_the_ledger(tmp_path: pathlib.Path) -> None:
    site(tmp_path)
    given = {
        "docker_ca_path": str(tmp_path / "ca"),
        "docker_ca_passphrase": PASSPHRASE_TEXT,
        "docker_client_cert_path": str(tmp_path / "bundles"),
        "docker_client_cert_clients": [{"name": "alice"}, {"name": "bob"}],
    }
    (tmp_path / "given.json").write_text(json.dumps(given))
    settings = {
        **playbook_runs.environment(tmp_path, tmp_path / "home", tmp_path / "tmp"),
        "DOCKER_TLS_CA_HOST": "cahost",
        "DOCKER_TLS_VERIFY_PLAYBOOK": str(ROOT / "playbooks/verify.yml"),
        "DOCKER_TLS_STATUS_PLAYBOOK": str(ROOT / "playbooks/status.yml"),
    }
    command = [str(WRAPPER), str(tmp_path / "evidence"), "-i", str(tmp_path / "inventory")]
    done = playbook_runs.run([*command, "-e", f"@{tmp_path}/given.json"], settings, tmp_path)
    output = done.stdout + done.stderr
    assert (tmp_path / "evidence/report.json").is_file(), output
    report = json.loads((tmp_path / "evidence/report.json").read_text())
    issued = [(one["event"], one["request"]) for one in report["ledger"]["entries"] if one["event"] == "issued"]
    assert sorted(issued) == [("issued", "localhost/alice"), ("issued", "localhost/bob")], output
    lines = (tmp_path / "ca/ledger.jsonl").read_text().splitlines()
    assert report["ledger"]["ledger"]["head"].partition(":")[0] == str(len(lines))
    assert {one["client"] for one in report["status"]["clients"]} == {"alice", "bob"}
    assert {one["name"] for one in report["verify"]["authorities"]} == {"server", "clients"}
    assert done.returncode == 2, output  # there is no Docker host, so verify has nothing to say
    sums = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(sums, cwd=tmp_path / "evidence", check=False).returncode == 0
    assert PASSPHRASE_TEXT not in output + (tmp_path / "evidence/report.json").read_text()
