# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_bundles for users: whose the files are, and where links do not lead."""

from __future__ import annotations

import os
import pathlib

import pytest
from test_certificate_bundles import CLIENT, bundle, run, wait

from support.hosts.accounts import GID, UID, account, add_accounts, home_of, needs_root


@needs_root
def test_bundle_in_a_users_home_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    with home_of(UID, GID) as home:
        add_accounts(monkeypatch, account("deploy", UID, GID, str(home)))
        directory = home / ".docker"
        wait(directory)
        os.chown(directory, UID, GID)
        os.chown(directory / "key.pem.new", UID, GID)
        result = run(bundle(directory, owner="deploy", directory="~/.docker"))
        assert result["bundles"][0]["directory"] == str(directory)
        for path in (directory, *directory.iterdir()):
            assert (path.stat().st_uid, path.stat().st_gid) == (UID, GID)
        os.chown(directory / "cert.pem", 0, 0)
        again = run(bundle(directory, None, owner="deploy"))
        assert again["bundles"][0]["reasons"] == ["permissions-changed"]
        assert (directory / "cert.pem").stat().st_uid == UID


@needs_root
def test_files_of_root_in_a_users_bundle_are_replaced_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user once ran ``sudo cp``: the key is root's and closed, the directory the user's."""
    with home_of(UID, GID) as home:
        add_accounts(monkeypatch, account("deploy", UID, GID, str(home)))
        directory = home / ".docker"
        wait(directory)
        (directory / "key.pem").write_text("root's")
        (directory / "key.pem").chmod(0o400)
        for path in (directory, directory / "key.pem.new"):
            os.chown(path, UID, GID)
        result = run(bundle(directory, owner="deploy"))
        assert [pathlib.Path(path).read_text() for path in result["bundles"][0]["backup_files"]] == ["root's"]
        assert (directory / "key.pem").read_bytes() == CLIENT.key_pem


@needs_root
def test_group_is_set_where_it_is_given(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "portainer"
    wait(directory)
    run(bundle(directory, group=str(0)))
    os.chown(directory / "ca.pem", -1, GID)
    assert run(bundle(directory, None))["changed"] is False
    assert run(bundle(directory, None, group="0"))["bundles"][0]["reasons"] == ["permissions-changed"]
    assert (directory / "ca.pem").stat().st_gid == 0


@needs_root
@pytest.mark.parametrize("name", [".", "cert.pem"])
def test_link_of_a_user_is_refused_where_root_shall_own_the_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, name: str
) -> None:
    """Else root would write into somebody else's directory, or keep a copy of a secret file for all to read."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "cert.pem").write_text("the secret")
    with home_of(UID, GID) as home:
        add_accounts(monkeypatch, account("deploy", UID, GID, str(home)))
        place = home / "bundle"
        if name != ".":
            place.mkdir()
        (place / name).symlink_to(secret / name) if name != "." else place.symlink_to(secret)
        result = run(bundle(place, owner="root"))
        assert result["code"] == "directory-unsafe"
        assert str(home) in result["msg"]
        assert [path.name for path in secret.iterdir()] == ["cert.pem"]
        assert not list(home.rglob("*.bak"))


@needs_root
def test_bundle_in_a_users_directory_is_the_users_where_no_owner_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with home_of(UID, GID) as home:
        add_accounts(monkeypatch, account("deploy", UID, GID, str(home)))
        place = home / "bundle"
        place.mkdir(0o700)
        wait(place)
        for path in (place, *place.iterdir()):
            os.chown(path, UID, GID)
        assert not run(bundle(place))["failed"]
        assert {path.stat().st_uid for path in (place, *place.iterdir())} == {UID}
