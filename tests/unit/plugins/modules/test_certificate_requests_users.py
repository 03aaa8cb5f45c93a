# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_requests for users: whose the files are, and where links do not lead."""

from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t

import pytest
from test_certificate_requests import CLIENTS, run

from support.hosts.accounts import GID, UID, account, add_accounts, home_of, mode, needs_root


@contextlib.contextmanager
def _user(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[tuple[pathlib.Path, dict[str, t.Any]]]:
    with home_of(UID, GID) as home:
        add_accounts(monkeypatch, account("deploy", UID, GID, str(home)))
        yield (
            home,
            {
                "id": "deploy",
                "profile": "client",
                "owner": "deploy",
                "key_path": "~/.docker/key.pem",
                "certificate_path": "~deploy/.docker/cert.pem",
                "authority_content": CLIENTS.pem,
            },
        )


@needs_root
def test_key_in_a_users_home_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    with _user(monkeypatch) as (home, request):
        entry = run(request)["requests"][0]
        pending = home / ".docker" / "key.pem.new"
        assert entry["key_path"] == str(home / ".docker" / "key.pem")
        for path, expected in ((home / ".docker", 0o700), (pending, 0o600)):
            assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (UID, GID, expected)


@needs_root
def test_link_in_a_users_home_leads_root_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(0o755)
    with _user(monkeypatch) as (home, request):
        (home / ".docker").symlink_to(victim)
        result = run(request)
        assert result["failed"]
        assert list(victim.iterdir()) == []
        assert mode(victim) == 0o755


@needs_root
def test_directory_of_root_in_a_users_home_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with _user(monkeypatch) as (home, request):
        (home / ".docker").mkdir()
        result = run(request)
        assert result["code"] == "directory-unusable"
        assert "chown deploy" in result["hint"]


@needs_root
def test_user_without_a_home_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with _user(monkeypatch) as (home, request):
        home.rmdir()
        result = run(request, check=True)
        assert result["code"] == "home-missing"
        assert str(home) in result["msg"]
        home.mkdir()


@needs_root
def test_key_in_a_users_directory_is_the_users_where_no_owner_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with _user(monkeypatch) as (home, request):
        run(
            {
                **request,
                "owner": None,
                "key_path": str(home / "x/key.pem"),
                "certificate_path": str(home / "x/cert.pem"),
            }
        )
        assert (home / "x").stat().st_uid == UID
        assert (home / "x" / "key.pem.new").stat().st_uid == UID


@needs_root
def test_link_of_a_user_is_refused_where_root_shall_own_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(0o755)
    with _user(monkeypatch) as (home, request):
        (home / ".docker").symlink_to(victim)
        os.lchown(home / ".docker", UID, GID)
        result = run({**request, "owner": "root", "key_path": str(home / ".docker/key.pem")})
        assert result["code"] == "directory-unsafe"
        assert (list(victim.iterdir()), mode(victim)) == ([], 0o755)
