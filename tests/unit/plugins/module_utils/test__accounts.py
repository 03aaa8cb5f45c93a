# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose files they are; root in a user's home has that user's rights only."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _accounts
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from helpers_accounts import GID, UID, account, add_accounts, home_of, needs_root


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[pathlib.Path]:
    with home_of(UID, GID) as path:
        lost = account("lost", UID + 1, GID, str(path.parent / "nowhere"))
        add_accounts(monkeypatch, account("deploy", UID, GID, str(path)), lost)
        yield path


def test_resolve_owner_by_name_number_and_default(home: pathlib.Path) -> None:
    expected = _accounts.Owner("deploy", UID, GID, None, str(home))
    assert _accounts.resolve_owner("deploy") == expected
    assert _accounts.resolve_owner(str(UID)) == expected
    assert _accounts.resolve_owner("").uid == os.geteuid()


def test_resolve_owner_group_by_name_and_number() -> None:
    assert _accounts.resolve_owner("", "root").gid == 0
    assert _accounts.resolve_owner("", "0").gid == 0


@pytest.mark.parametrize(
    ("owner", "group", "code"),
    [
        ("no-such-user", "", "user-unknown"),
        ("2999999999", "", "user-unknown"),
        ("99999999999999999999", "", "user-unknown"),
        ("", "no-such-group", "group-unknown"),
        ("", "99999999999999999999", "group-unknown"),
    ],
)
def test_resolve_owner_unknown_is_named(owner: str, group: str, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        _accounts.resolve_owner(owner, group)
    assert caught.value.code == code
    assert (owner or group) in caught.value.message


def test_resolve_owner_task_user_without_account_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 2_999_999_998)
    with pytest.raises(TlsError, match="2999999998"):
        _accounts.resolve_owner("")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/docker/certs", "/etc/docker/certs"),
        ("/etc//docker/../docker/certs/", "/etc/docker/certs"),
        ("~", "{home}"),
        ("~/.docker", "{home}/.docker"),
        ("~deploy/.docker/key.pem", "{home}/.docker/key.pem"),
        ("~deploy", "{home}"),
    ],
)
def test_expand_path_home_is_the_owners(home: pathlib.Path, path: str, expected: str) -> None:
    owner = _accounts.resolve_owner("deploy")
    assert _accounts.expand_path(path, owner) == expected.format(home=home)


def test_expand_path_named_user_counts_over_the_owner(home: pathlib.Path) -> None:
    assert _accounts.expand_path("~deploy/x", _accounts.resolve_owner("")) == f"{home}/x"


@pytest.mark.parametrize(
    ("path", "owner", "code"),
    [
        ("certs", "deploy", "path-invalid"),
        ("", "deploy", "path-invalid"),
        ("./certs", "deploy", "path-invalid"),
        ("~nobody-here/.docker", "deploy", "user-unknown"),
        ("~/.docker", "lost", "home-missing"),
        ("~lost/.docker", "deploy", "home-missing"),
    ],
)
@pytest.mark.usefixtures("home")
def test_expand_path_bad_path_is_an_error(path: str, owner: str, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        _accounts.expand_path(path, _accounts.resolve_owner(owner), "key_path")
    assert caught.value.code == code


def test_acting_as_oneself_changes_nothing() -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    with _accounts.acting_as(_accounts.resolve_owner("")):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@needs_root
@pytest.mark.usefixtures("home")
def test_acting_as_user_has_that_users_rights_only_and_gives_them_back(tmp_path: pathlib.Path) -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    with _accounts.acting_as(_accounts.resolve_owner("deploy")):
        assert (os.geteuid(), os.getegid()) == (UID, GID)
        assert 0 not in os.getgroups()
        with pytest.raises(PermissionError):
            secret.read_text()
    with pytest.raises(TlsError), _accounts.acting_as(_accounts.resolve_owner("deploy", "0")):
        _accounts.check_directory("/", _accounts.Owner("deploy", UID, GID, 0, ""))
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@pytest.mark.usefixtures("home")
def test_acting_as_another_user_without_root_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = _accounts.resolve_owner("deploy")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(TlsError) as caught, _accounts.acting_as(owner):
        raise AssertionError("not reached")
    assert caught.value.code == "owner-not-permitted"


@needs_root
def test_check_directory_of_somebody_else_is_named(home: pathlib.Path) -> None:
    deploy = _accounts.resolve_owner("deploy")
    _accounts.check_directory(str(home), deploy)
    _accounts.check_directory(str(home / "none"), deploy)
    _accounts.check_directory(str(home), _accounts.resolve_owner("root"))
    (home / ".docker").mkdir()
    with pytest.raises(TlsError) as caught:
        _accounts.check_directory(str(home / ".docker"), deploy)
    assert caught.value.code == "directory-unusable"
    assert "chown deploy" in caught.value.hint


def test_read_regular_file_and_missing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    assert _accounts.read_regular(str(path)) is None
    path.write_bytes(b"data")
    (tmp_path / "link").symlink_to(path)
    assert _accounts.read_regular(str(tmp_path / "link")) == b"data"


def test_read_regular_pipe_is_refused_at_once(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TlsError, match="no regular file"):
        _accounts.read_regular(str(tmp_path / "pipe"))


def test_read_regular_directory_and_huge_file_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TlsError, match="no regular file"):
        _accounts.read_regular(str(tmp_path))
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(_accounts.MAXIMUM_FILE_BYTES + 1)
    with pytest.raises(TlsError, match="more than"):
        _accounts.read_regular(str(tmp_path / "huge"))


def test_read_regular_private_file_is_no_link_no_copy_and_closed(tmp_path: pathlib.Path) -> None:
    path, uid = tmp_path / "file", os.geteuid()
    path.write_bytes(b"data")
    path.chmod(0o600)
    assert _accounts.read_regular(str(path), private_to=uid) == b"data"
    with pytest.raises(TlsError, match="not private"):
        _accounts.read_regular(str(path), private_to=uid + 1)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(TlsError):
        _accounts.read_regular(str(tmp_path / "link"), private_to=uid)
    os.link(path, tmp_path / "second")
    with pytest.raises(TlsError, match="not private"):
        _accounts.read_regular(str(path), private_to=uid)
    (tmp_path / "second").unlink()
    path.chmod(0o640)
    with pytest.raises(TlsError, match="not private"):
        _accounts.read_regular(str(path), private_to=uid)
