# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strategies that run for every host what is to run once."""

from __future__ import annotations

import json
import pathlib

from test_limited_runs import play

from support.ansible.playbook_runs import LOCAL


def test_role_is_refused_where_each_host_would_sign_for_all(tmp_path: pathlib.Path) -> None:
    ours = "portcullis.docker_tls."
    plays = [
        {"hosts": "cahost", "gather_facts": False, "roles": [f"{ours}docker_ca"]},
        {"hosts": "docker_hosts", "gather_facts": False, "strategy": "free", "roles": [f"{ours}docker_server_cert"]},
    ]
    (tmp_path / "plays.yml").write_text(json.dumps(plays))
    hosts = "".join(f"{name} {LOCAL} docker_server_cert_path={tmp_path}/{name}\n" for name in ("web1", "web2"))
    code, output = play(tmp_path, str(tmp_path / "plays.yml"), more=f"[docker_hosts]\n{hosts}")
    assert code != 0
    assert "the strategy of this play is free" in output and "Write strategy: linear" in output
    issued = [json.loads(line)["event"] for line in (tmp_path / "ca/ledger.jsonl").read_text().splitlines()]
    assert "issued" not in issued


def test_report_is_made_once_where_the_configuration_asks_for_another_strategy(tmp_path: pathlib.Path) -> None:
    desks = "".join(f"{name} {LOCAL} ansible_become=false\n" for name in ("desk1", "desk2"))
    free = {"ANSIBLE_STRATEGY": "ansible.builtin.free"}
    more = {"docker_status_become": False, "docker_status_fail_on": "never"}
    code, output = play(tmp_path, "status.yml", more=f"[docker_clients]\n{desks}", settings=free, **more)
    assert code == 0, output
    assert output.count("Docker TLS status") <= 1 and output.count("TASK [Collect the results]") == 1, output
