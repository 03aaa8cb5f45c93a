# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real run that asks OpenBao for certificates: its credentials are in no output and in no file."""

from __future__ import annotations

import json
import pathlib
import typing as t

from support.ansible import playbook_runs
from support.ca import bao_server
from support.ca.ca_directory import csr


def request(host: str) -> dict[str, t.Any]:
    """Return an entry of ``requests`` of M(issued_certificates) for the server certificate of a host."""
    name = f"{host}.example.test"
    asked = {"id": f"{host}/server", "authority": "server", "profile": "server", "request_content": csr()}
    return {**asked, "common_name": name, "names": [name], "requester": host}


@bao_server.needs_bao
def test_play_with_openbao_shows_its_credentials_nowhere(tmp_path: pathlib.Path) -> None:
    """A real run with all there is to see: -vvv, ANSIBLE_DEBUG, kept files, a refused role and a good one."""
    for bao in bao_server.started(tmp_path / "bao"):
        root = bao.make_ca("pki", "Root")
        bao.make_role("pki", "dockerd")
        credentials = bao.make_approle("docker", 'path "pki/sign/dockerd" { capabilities = ["update"] }')
        settings = {"url": bao.url, "ca_content": bao.ca_content, **credentials}
        calls = [("web1", "dockerd"), ("web2", "forbidden")]
        play = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [
                    {
                        "portcullis.docker_tls.issued_certificates": {
                            "requests": [request(host)],
                            "issuers": [
                                {
                                    "authority": "server",
                                    "issuer": "openbao",
                                    "ca_content": root,
                                    "openbao": {
                                        **{name: f"{{{{ bao.{name} }}}}" for name in settings},
                                        "role": role,
                                    },
                                }
                            ],
                        },
                        "register": f"issued{number}",
                    }
                    for number, (host, role) in enumerate(calls)
                ]
                + [
                    {
                        "ansible.builtin.debug": {
                            "msg": "{{ issued0.certificates.keys() | list }} {{ issued1.rejected }}"
                        }
                    }
                ],
            }
        ]
        (tmp_path / "play.yml").write_text(json.dumps(play))
        (tmp_path / "secrets.yml").write_text(json.dumps({"bao": settings}))
        environment = playbook_runs.keeping(tmp_path / "project", tmp_path / "kept")
        command = [
            playbook_runs.PLAYBOOK,
            "-vvv",
            "--diff",
            "-e",
            f"@{tmp_path}/secrets.yml",
            str(tmp_path / "play.yml"),
        ]
        done = playbook_runs.run(command, {**environment, "ANSIBLE_DEBUG": "1"}, tmp_path)
        assert done.returncode == 0, done.stdout[-3000:]
        assert "web1/server" in done.stdout
        assert "issuer-denied" in done.stdout
        kept = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
        seen = done.stdout + done.stderr + "".join(path.read_text(errors="replace") for path in kept)
        assert [name for name, secret in credentials.items() if secret in seen] == []
