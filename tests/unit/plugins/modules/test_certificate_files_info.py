# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_files_info: many files, one call, no cryptography."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect_files
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_files_info
from support.ansible.modules import run_module
from support.hosts.fleet import client


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


def settings(directory: pathlib.Path, **changes: t.Any) -> str:
    return json.dumps({"tlsverify": True, "tlscert": f"{directory}/current/server-cert.pem", **changes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (lambda directory: settings(directory), True),
        (lambda directory: settings(directory, tlscert=f"{directory}/server-cert.pem"), True),
        (lambda directory: settings(directory, tlsverify=False), False),
        (lambda directory: settings(directory, tlscert="/etc/other.pem"), False),
        (lambda directory: settings(directory, tlscert=5), False),
        (lambda directory: '{"log-driver": "local"}', False),
        (lambda directory: "", False),
        (lambda directory: "[]", False),
        (lambda directory: "{", None),
        (lambda directory: None, None),
    ],
    ids=[
        "ours",
        "ours-by-the-link",
        "no-client-checks",
        "others",
        "nonsense",
        "rewritten",
        "empty",
        "list",
        "no-json",
        "no-file",
    ],
)
def test_certificate_files_info_tells_whether_dockerd_is_configured_with_the_set(
    tmp_path: pathlib.Path, text: t.Callable[[pathlib.Path], str | None], expected: bool | None
) -> None:
    (tmp_path / "server-cert.pem").write_text(client().pem)
    written = text(tmp_path)
    if written is not None:
        (tmp_path / "daemon.json").write_text(written)
    wanted = {
        "id": "server",
        "certificate_path": f"{tmp_path}/server-cert.pem",
        "config_path": f"{tmp_path}/daemon.json",
    }
    (found,) = run_module(certificate_files_info, {"files": [wanted]})["files"]
    assert found["configured"] is expected
    (unasked,) = run_module(certificate_files_info, {"files": [{**wanted, "config_path": ""}]})["files"]
    assert unasked["configured"] is None


SHOWN = "Id=docker.service\nLoadState={load}\nUnitFileState=disabled\n\nId=docker.socket\nLoadState=loaded\nUnitFileState=enabled\n"


@pytest.mark.parametrize(
    ("shown", "unit", "starts"),
    [
        (SHOWN.format(load="loaded"), "", False),
        (SHOWN.format(load="loaded"), "[Socket]\nListenStream=0.0.0.0:2376\n", True),
        (SHOWN.format(load="not-found"), "", None),
        ("", "", None),
    ],
    ids=["disabled", "systemd-holds-the-port", "no-docker", "no-systemd"],
)
def test_certificate_files_info_returns_whether_the_boot_opens_the_endpoint(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, shown: str, unit: str, starts: bool | None
) -> None:
    (tmp_path / "shown").write_text(shown)
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ntest -s {tmp_path}/shown && cat {tmp_path}/shown\n")
    (tmp_path / "systemctl").chmod(0o755)
    if unit:
        (tmp_path / "docker-tls.socket").write_text(unit)
    monkeypatch.setattr(collect_files, "UNIT_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    wanted = [{"id": "server", "certificate_path": f"{tmp_path}/server-cert.pem", "unit": "docker.service"}]
    (found,) = run_module(certificate_files_info, {"files": wanted}, check=True)["files"]
    assert found["starts_at_boot"] is starts
