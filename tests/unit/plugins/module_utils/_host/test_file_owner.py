# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose files they are; root in a user's home has that user's rights only."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import file_owner
from support.hosts.accounts import GID, UID, account, add_accounts, home_of, needs_root


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[pathlib.Path]:
    with home_of(UID, GID) as path:
        lost = account("lost", UID + 1, GID, str(path.parent / "nowhere"))
        add_accounts(monkeypatch, account("deploy", UID, GID, str(path)), lost)
        yield path


def test_resolve_owner_by_name_number_and_default(home: pathlib.Path) -> None:
    expected = file_owner.Owner("deploy", UID, GID, None, str(home))
    assert file_owner.resolve_owner("deploy") == expected
    assert file_owner.resolve_owner(str(UID)) == expected
    assert file_owner.resolve_owner("").uid == os.geteuid()


def test_resolve_owner_group_by_name_and_number() -> None:
    assert file_owner.resolve_owner("", "root").gid == 0
    assert file_owner.resolve_owner("", "0").gid == 0


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
        file_owner.resolve_owner(owner, group)
    assert caught.value.code == code
    assert (owner or group) in caught.value.message


def test_resolve_owner_task_user_without_account_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 2_999_999_998)
    with pytest.raises(TlsError, match="2999999998"):
        file_owner.resolve_owner("")


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
    owner = file_owner.resolve_owner("deploy")
    assert file_owner.expand_path(path, owner) == expected.format(home=home)


@pytest.mark.parametrize("path", ["/a\nb", "~/a\tb", "~root\n/x", "/a\x00b"])
def test_expand_path_control_character_is_an_error(path: str) -> None:
    with pytest.raises(TlsError, match="control character") as error:
        file_owner.expand_path(path, file_owner.resolve_owner(""))
    assert error.value.code == "path-invalid"


def test_expand_path_named_user_counts_over_the_owner(home: pathlib.Path) -> None:
    assert file_owner.expand_path("~deploy/x", file_owner.resolve_owner("")) == f"{home}/x"


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
        file_owner.expand_path(path, file_owner.resolve_owner(owner), "key_path")
    assert caught.value.code == code


def test_acting_as_oneself_changes_nothing() -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    with file_owner.acting_as(file_owner.resolve_owner("")):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@needs_root
@pytest.mark.usefixtures("home")
def test_acting_as_user_has_that_users_rights_only_and_gives_them_back(tmp_path: pathlib.Path) -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    with file_owner.acting_as(file_owner.resolve_owner("deploy")):
        assert (os.geteuid(), os.getegid()) == (UID, GID)
        assert 0 not in os.getgroups()
        with pytest.raises(PermissionError):
            secret.read_text()
    with pytest.raises(TlsError), file_owner.acting_as(file_owner.resolve_owner("deploy", "0")):
        file_owner.check_directory("/", file_owner.Owner("deploy", UID, GID, 0, ""))
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@pytest.mark.usefixtures("home")
def test_acting_as_another_user_without_root_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = file_owner.resolve_owner("deploy")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(TlsError) as caught, file_owner.acting_as(owner):
        raise AssertionError("not reached")
    assert caught.value.code == "owner-not-permitted"


@needs_root
def test_check_directory_of_somebody_else_is_named(home: pathlib.Path) -> None:
    deploy = file_owner.resolve_owner("deploy")
    file_owner.check_directory(str(home), deploy)
    file_owner.check_directory(str(home / "none"), deploy)
    file_owner.check_directory(str(home), file_owner.resolve_owner("root"))
    (home / ".docker").mkdir()
    with pytest.raises(TlsError) as caught:
        file_owner.check_directory(str(home / ".docker"), deploy)
    assert caught.value.code == "directory-unusable"
    assert "chown deploy" in caught.value.hint


def test_read_regular_file_and_missing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    assert file_owner.read_regular(str(path)) is None
    path.write_bytes(b"data")
    (tmp_path / "link").symlink_to(path)
    assert file_owner.read_regular(str(tmp_path / "link")) == b"data"


def test_read_regular_pipe_is_refused_at_once(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TlsError, match="not a regular file"):
        file_owner.read_regular(str(tmp_path / "pipe"))


def test_read_regular_directory_and_huge_file_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TlsError, match="not a regular file"):
        file_owner.read_regular(str(tmp_path))
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(file_owner.MAXIMUM_FILE_BYTES + 1)
    with pytest.raises(TlsError, match="more than"):
        file_owner.read_regular(str(tmp_path / "huge"))


def test_read_regular_private_file_is_no_link_no_copy_and_closed(tmp_path: pathlib.Path) -> None:
    path, uid = tmp_path / "file", os.geteuid()
    path.write_bytes(b"data")
    path.chmod(0o600)
    assert file_owner.read_regular(str(path), private_to=uid) == b"data"
    with pytest.raises(TlsError, match="not private"):
        file_owner.read_regular(str(path), private_to=uid + 1)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(TlsError):
        file_owner.read_regular(str(tmp_path / "link"), private_to=uid)
    os.link(path, tmp_path / "second")
    with pytest.raises(TlsError, match="not private"):
        file_owner.read_regular(str(path), private_to=uid)
    (tmp_path / "second").unlink()
    path.chmod(0o640)
    with pytest.raises(TlsError, match="not private"):
        file_owner.read_regular(str(path), private_to=uid)


# ---- root in directories that another user controls


@needs_root
def test_check_links_of_root_in_a_users_directory_refuses_the_users_links(
    home: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (home / "real").mkdir()
    (home / "link").symlink_to(tmp_path)
    os.lchown(home / "link", UID, GID)
    root = file_owner.resolve_owner("root")
    file_owner.check_links(str(home / "real" / "key.pem"), root)
    file_owner.check_links(str(home / "nothing" / "there"), root)
    for path in ("link", "link/below", "link/../real"):
        with pytest.raises(TlsError) as caught:
            file_owner.check_links(f"{home}/{path}", root)
        assert caught.value.code == "directory-unsafe"
        assert str(home / "link") in caught.value.message
        assert "deploy" in caught.value.hint


@needs_root
def test_check_links_leaves_root_s_own_links_and_follows_them(home: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root = file_owner.resolve_owner("root")
    (tmp_path / "homes").symlink_to(home.parent)
    file_owner.check_links(str(tmp_path / "homes" / "deploy" / "x"), root)
    (home / "link").symlink_to("/etc")
    with pytest.raises(TlsError, match="link"):
        file_owner.check_links(str(tmp_path / "homes" / "deploy" / "link" / "x"), root)


@needs_root
def test_check_links_of_a_user_is_the_kernel_s_business(home: pathlib.Path) -> None:
    (home / "link").symlink_to("/etc")
    file_owner.check_links(str(home / "link"), file_owner.resolve_owner("deploy"))


@needs_root
def test_check_links_in_a_directory_for_everybody(tmp_path: pathlib.Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "link").symlink_to("/etc")
    root = file_owner.resolve_owner("root")
    file_owner.check_links(str(shared / "link"), root)
    os.lchown(shared / "link", UID, GID)
    with pytest.raises(TlsError):
        file_owner.check_links(str(shared / "link"), root)


@needs_root
def test_check_links_that_lead_in_a_circle_end(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(TlsError) as caught:
        file_owner.check_links(str(tmp_path / "a" / "x"), file_owner.resolve_owner("root"))
    assert caught.value.code == "directory-unsafe"


@needs_root
def test_owner_of_place_is_the_user_whose_directory_it_is(home: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root, deploy = file_owner.resolve_owner(""), file_owner.resolve_owner("deploy")
    assert file_owner.owner_of_place(str(home / ".docker" / "key.pem"), root) == deploy
    assert file_owner.owner_of_place(str(tmp_path / "x"), root) == root
    (home / "roots").mkdir()
    assert file_owner.owner_of_place(str(home / "roots" / "x"), root) == root
    (home / "link").symlink_to(tmp_path)
    os.lchown(home / "link", UID, GID)
    assert file_owner.owner_of_place(str(home / "link" / "x"), root) == deploy


@needs_root
def test_owner_of_place_without_an_account_is_root(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x").mkdir()
    os.chown(tmp_path / "x", 2_999_999_997, 0)
    assert file_owner.owner_of_place(str(tmp_path / "x" / "y"), file_owner.resolve_owner("")).uid == 0
