# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of a CA: private, local, and owned by its user."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
nas:/export /srv nfs4 rw 0 0
/dev/vdb /srv/local xfs rw 0 0
//win/share /mnt/with\\040space cifs rw 0 0
C: /mnt/c 9p rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/docker/ca", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/ca", "nfs4"),
        ("/srv/local/ca", "xfs"),
        ("/srvother/ca", "ext4"),
        ("/mnt/with space/ca", "cifs"),
        ("/mnt/c/ca", "9p"),
    ],
)
def test_file_system_type_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert layout.file_system_type(path, MOUNTS) == kind


@pytest.mark.parametrize("path", ["/srv/ca", "/mnt/with space/ca", "/mnt/c/ca"])
def test_check_file_system_on_the_network_is_refused_unless_allowed(path: str) -> None:
    with pytest.raises(TlsError) as caught:
        layout.check_file_system(path, allow_network=False, mounts=MOUNTS)
    assert caught.value.code == "network-filesystem"
    assert "allow_network_filesystem" in caught.value.hint
    layout.check_file_system(path, allow_network=True, mounts=MOUNTS)


@pytest.mark.parametrize("mounts", [MOUNTS, "", None])
def test_check_file_system_on_a_local_disk_passes(tmp_path: pathlib.Path, mounts: str | None) -> None:
    layout.check_file_system(str(tmp_path), allow_network=False, mounts=mounts)


def test_check_parents_below_a_world_writable_directory_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for path in (tmp_path / "open" / "ca", tmp_path / "open" / "deeper" / "ca"):
        with pytest.raises(TlsError) as caught:
            layout.check_parents(str(path))
        assert caught.value.code == "ca-directory-unsafe"
        assert str(tmp_path / "open") in caught.value.message


def test_check_parents_below_a_sticky_directory_passes(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    layout.check_parents(str(tmp_path / "sticky" / "ca"))


@pytest.mark.parametrize("dangling", [True, False])
def test_check_parents_of_a_symbolic_link_is_refused(tmp_path: pathlib.Path, dangling: bool) -> None:
    if not dangling:
        (tmp_path / "real").mkdir()
    (tmp_path / "ca").symlink_to(tmp_path / "real")
    with pytest.raises(TlsError) as caught:
        layout.check_parents(str(tmp_path / "ca"))
    assert caught.value.code == "ca-directory-unsafe"


def test_prepare_makes_everything_private_and_is_idempotent(tmp_path: pathlib.Path) -> None:
    place = layout.ca_directory(str(tmp_path / "new" / "parents" / "ca"))
    assert layout.prepare(place)
    assert not layout.prepare(place)
    for path in (place.path, *place.subdirectories):
        assert os.stat(path).st_mode & 0o7777 == 0o700
    assert layout.insecure_entries(place, os.geteuid()) == ()


def make_authority(tmp_path: pathlib.Path) -> tuple[layout.CaDirectory, pathlib.Path]:
    place = layout.ca_directory(str(tmp_path / "ca"))
    layout.prepare(place)
    key = pathlib.Path(place.authorities, "server-g1", "key.pem")
    key.parent.mkdir(mode=0o700)
    key.touch(0o600)
    return place, key


def test_insecure_entries_are_found_and_repaired(tmp_path: pathlib.Path) -> None:
    place, key = make_authority(tmp_path)
    key.chmod(0o644)
    key.parent.chmod(0o755)
    os.chmod(place.path, 0o711)
    pathlib.Path(place.ledger).touch(0o640)
    loose = layout.insecure_entries(place, os.geteuid())
    assert set(loose) == {str(key), str(key.parent), place.path, place.ledger}
    layout.repair_modes(loose)
    assert layout.insecure_entries(place) == ()
    assert key.stat().st_mode & 0o7777 == 0o600


def test_insecure_entries_that_are_tighter_than_needed_pass(tmp_path: pathlib.Path) -> None:
    place, key = make_authority(tmp_path)
    key.chmod(0o400)
    assert layout.insecure_entries(place) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("what", ["directory", "key"])
def test_insecure_entries_of_another_owner_are_refused(tmp_path: pathlib.Path, what: str) -> None:
    place, key = make_authority(tmp_path)
    os.chown(place.path if what == "directory" else key, 4242, -1)
    with pytest.raises(TlsError) as caught:
        layout.insecure_entries(place, os.geteuid())
    assert caught.value.code == "ca-directory-unsafe"
    assert "4242" in caught.value.message


@pytest.mark.parametrize("what", ["ledger", "authorities", "key"])
def test_insecure_entries_with_a_symbolic_link_inside_are_refused(tmp_path: pathlib.Path, what: str) -> None:
    place, key = make_authority(tmp_path)
    path = key if what == "key" else pathlib.Path(getattr(place, what))
    if what == "authorities":
        path.rename(tmp_path / "moved")
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(TlsError) as caught:
        layout.insecure_entries(place)
    assert caught.value.code == "ca-directory-unsafe"


def test_empty_staging_removes_half_made_certificates_only(tmp_path: pathlib.Path) -> None:
    place, unused = make_authority(tmp_path)
    pathlib.Path(place.staging, "0a.pem").touch()
    pathlib.Path(place.staging, "server-g2").mkdir()
    layout.empty_staging(place)
    assert os.listdir(place.staging) == ["server-g2"]


def test_prepare_where_a_file_is_in_the_way_fails_clearly(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TlsError) as caught:
        layout.prepare(layout.ca_directory(str(tmp_path / "file" / "ca")))
    assert caught.value.code == "directory-unusable"
