# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A play of roles with a strategy that runs for every host what is to run once."""

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
