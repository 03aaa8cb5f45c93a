# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_files_info: many files, one call, no cryptography."""

from __future__ import annotations

import pathlib

from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_files_info
from helpers_modules import run_module
from helpers_status import client


def test_certificate_files_info_returns_each_set_by_its_id(tmp_path: pathlib.Path) -> None:
    (tmp_path / "cert.pem").write_text(client().pem)
    (tmp_path / "key.pem").write_bytes(client().key_pem)
    wanted = [
        {"id": "client alice", "certificate_path": f"{tmp_path}/cert.pem", "key_path": f"{tmp_path}/key.pem"},
        {"id": "server", "certificate_path": f"{tmp_path}/server-cert.pem"},
    ]
    result = run_module(certificate_files_info, {"files": wanted}, check=True)
    assert (result["failed"], result["changed"]) == (False, False)
    assert [(found["id"], found["state"], found["key_matches"]) for found in result["files"]] == [
        ("client alice", "read", True),
        ("server", "missing", None),
    ]
    assert "PRIVATE" not in str(result)
