# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a file from being replaced is found without writing. Mounts and attributes are real: root, in a namespace of its own."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import preflight_certificates

MOUNTINFO = (
    "22 1 0:20 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "30 22 0:20 /a\\040b /etc/docker/daemon.json rw shared:7 - ext4 /dev/sda1 rw\n"
    "31 22 0:21 / /mnt/a\\040b\\134c rw - tmpfs tmpfs rw\n"
    "broken\n"
)
INSPECTION = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import preflight_certificates
print(json.dumps([[item.code, item.message, item.hint] for item in preflight_certificates.obstacles(sys.argv[2:])]))
"""


def obstacles(directory: pathlib.Path, before: str, *paths: str) -> list[tuple[str, str, str]]:
    """Return what is found after the shell commands ``before``, in a mount namespace that ends with this."""
    packages = next(p for p in sys.path if (pathlib.Path(p) / "ansible_collections/portcullis").exists())
    command = f"cd {directory} && {before} && exec {sys.executable} - {packages} {' '.join(map(str, paths))}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", command], input=INSPECTION, capture_output=True, text=True, check=False
    )
    if done.returncode and ("Operation not permitted" in done.stderr or "Operation not supported" in done.stderr):
        pytest.skip(f"this machine does not allow it: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return [t.cast("tuple[str, str, str]", tuple(item)) for item in json.loads(done.stdout)]


def test_mount_points_are_read_with_their_escapes() -> None:
    assert preflight_certificates.mount_points(MOUNTINFO) == {"/", "/etc/docker/daemon.json", "/mnt/a b\\c"}


def test_plain_files_and_missing_directories_can_be_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "daemon.json").write_text("{}")
    paths = [tmp_path / "daemon.json", tmp_path / "new.json", tmp_path / "no/such/directory/file"]
    assert preflight_certificates.obstacles(map(str, paths)) == ()
    assert sorted(os.listdir(tmp_path)) == ["daemon.json"]


def test_file_where_a_directory_has_to_be_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "docker.service.d").write_text("")
    (found,) = preflight_certificates.obstacles([str(tmp_path / "docker.service.d/zz.conf")])
    assert (found.code, found.message) == (
        "file-not-replaceable",
        f"{tmp_path}/docker.service.d is not a directory",
    )


def test_file_that_the_kernel_lists_as_a_mount_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    monkeypatch.setattr(preflight_certificates, "_mountinfo", lambda: f"30 22 0:20 / {path} rw - ext4 /dev/sda1 rw\n")
    (found,) = preflight_certificates.obstacles([str(path)])
    assert found.code == "file-not-replaceable"
    assert f"umount {path}" in found.hint


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"f_flag": os.ST_RDONLY}, "file-system-read-only"),
        ({"f_bfree": 1}, "file-system-full"),
        ({"f_files": 100, "f_ffree": 3}, "file-system-full"),
        ({"f_blocks": 0, "f_bfree": 0}, ""),  # a file system that counts no blocks
    ],
)
def test_state_of_the_file_system_is_reported_once_for_all_files_in_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], code: str
) -> None:
    roomy = {"f_flag": 0, "f_blocks": 1000, "f_bfree": 900, "f_frsize": 4096, "f_files": 0, "f_ffree": 0}
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(**{**roomy, **changes}))
    (tmp_path / "d").mkdir()
    found = preflight_certificates.obstacles([str(tmp_path / "one"), str(tmp_path / "d/two")])
    assert [item.code for item in found] == ([code] if code else [])


CASES = {
    "file mounted": (
        "echo {} >a; touch f; mount --bind a f",
        "f",
        "file-not-replaceable",
        "mount of its own",
        "umount",
    ),
    "directory mounted": ("mkdir d; touch d/f; mount --bind d d", "d/f", "", "", ""),
    "link into a mounted directory": (
        "mkdir d e; touch d/f; mount --bind d e; mount --bind d/f e/f; ln -s e g",
        "g/f",
        "file-not-replaceable",
        "mount of its own",
        "umount",
    ),
    "immutable file": ("touch f; chattr +i f", "f", "file-not-replaceable", "immutable", "chattr -i"),
    "append-only file": ("touch f; chattr +a f", "f", "file-not-replaceable", "append-only", "chattr -a"),
    "immutable directory": ("mkdir d; touch d/f; chattr +i d", "d/f", "file-not-replaceable", "immutable", "chattr -i"),
    "append-only directory": ("mkdir d; chattr +a d", "d/f", "file-not-replaceable", "append-only", "chattr -a"),
    "immutable parent of a missing directory": (
        "mkdir d; chattr +i d",
        "d/e/f",
        "file-not-replaceable",
        "immutable",
        "chattr -i",
    ),
    "read-only file system": (
        "mkdir d; mount -t tmpfs -o ro none d",
        "d/e/f",
        "file-system-read-only",
        "read-only",
        "remount",
    ),
    "no space": ("mkdir d; mount -t tmpfs -o size=8k none d", "d/f", "file-system-full", "bytes left", "df -i"),
    "no inodes": (
        "mkdir d; mount -t tmpfs -o nr_inodes=4 none d",
        "d/f",
        "file-system-full",
        "inodes left",
        "df -i",
    ),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts and attributes need root")
@pytest.mark.parametrize(("before", "path", "code", "found", "advice"), CASES.values(), ids=CASES.keys())
def test_what_keeps_a_file_from_being_replaced_is_found(
    tmp_path: pathlib.Path, before: str, path: str, code: str, found: str, advice: str
) -> None:
    try:
        items = obstacles(tmp_path, before, path)
    finally:
        subprocess.run(["chattr", "-R", "-ia", str(tmp_path)], capture_output=True, check=False)
    if not code:
        assert items == []
        return
    ((seen, message, hint),) = items
    assert seen == code
    assert found in message
    assert advice in hint


@pytest.mark.parametrize("number", [*_files._ADVICE, 9999])
def test_each_error_of_a_file_has_advice_of_its_own(number: int) -> None:
    texts = {_files.advice(OSError(other, "")) for other in (*_files._ADVICE, 9999)}
    assert len(texts) == len(_files._ADVICE) + 1
    assert _files.advice(OSError(number, "")) in texts


@pytest.mark.parametrize(
    ("link", "exists", "expected"),
    [
        pytest.param("", True, [], id="no-link"),
        pytest.param("/etc/docker/daemon.json", True, [("warning", "/srv/dotfiles/daemon.json")], id="link"),
        pytest.param("/etc/docker/daemon.json", False, [("error", "/srv/dotfiles/daemon.json")], id="dangling"),
    ],
)
def test_daemon_json_that_is_a_link_names_its_target(link: str, exists: bool, expected: list[tuple[str, str]]) -> None:
    found = preflight_certificates.link_findings(link, "/srv/dotfiles/daemon.json", exists=exists)
    assert [(item.severity, item.code) for item in found] == [
        (severity, "daemon-json-link") for severity, _target in expected
    ]
    assert all(target in item.message and item.hint for item, (_severity, target) in zip(found, expected))
