# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edited units of packages: the original found by its checksum, the edit moved to a drop-in, nothing else about Docker changed."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import assess, inspect_host, unit_diff
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import OWN_MARK
from support.hosts.edited_units import EDITS, ORIGINAL, UNIT, effective


@pytest.mark.parametrize(("original", "edited"), EDITS.values(), ids=EDITS)
def test_candidates_of_what_recipes_do_hold_the_original(original: str, edited: str) -> None:
    assert edited != original
    assert original in list(unit_diff.candidates(edited))


@pytest.mark.parametrize(
    "text", ["", "[Service]\nType=notify\n", "[Service]\nExecStart=a\nExecStart=b\n", "[Service]\nExecStart='open\n"]
)
def test_candidates_of_what_is_no_unit_of_docker_are_harmless(text: str) -> None:
    for one in unit_diff.candidates(text):
        assert "dockerd" in one


MORE = {
    "environment": ORIGINAL.replace("Type=notify", 'Type=notify\nEnvironment="HTTPS_PROXY=http://p:3128" A=b'),
    "environment-file-gone": ORIGINAL.replace("EnvironmentFile=-/etc/default/docker\n", ""),
    "limit": ORIGINAL.replace("LimitNOFILE=1048576", "LimitNOFILE=65536"),
    "order": ORIGINAL.replace("containerd.service\nWants", "containerd.service zfs.target\nWants"),
}


@pytest.mark.parametrize(
    ("original", "edited"), [*EDITS.values(), *((ORIGINAL, one) for one in MORE.values())], ids=[*EDITS, *MORE]
)
def test_as_dropin_has_the_effect_of_the_edit(original: str, edited: str) -> None:
    dropin, obstacles = unit_diff.as_dropin(original, edited, UNIT)
    assert obstacles == ()
    assert effective((UNIT, original), ("/etc/x.conf", dropin)) == effective((UNIT, edited))
    assert not dropin.startswith(OWN_MARK)
    assert UNIT in dropin


def test_as_dropin_says_each_kind_as_systemd_takes_it() -> None:
    assert "[Service]\nLimitNOFILE=65536\n" in unit_diff.as_dropin(ORIGINAL, MORE["limit"], UNIT)[0]
    assert "[Unit]\nAfter=zfs.target\n" in unit_diff.as_dropin(ORIGINAL, MORE["order"], UNIT)[0]
    assert "[Service]\nEnvironmentFile=\n" in unit_diff.as_dropin(ORIGINAL, MORE["environment-file-gone"], UNIT)[0]


@pytest.mark.parametrize(
    "edited",
    [ORIGINAL, ORIGINAL.replace("# the default", "# see the wiki"), ORIGINAL.replace("\nDelegate", "\n\nDelegate")],
)
def test_as_dropin_of_what_means_the_same_is_none(edited: str) -> None:
    assert unit_diff.as_dropin(ORIGINAL, edited, UNIT) == ("", ())


@pytest.mark.parametrize(
    ("edited", "key"),
    [
        (ORIGINAL.replace("Requires=docker.socket\n", ""), "[Unit] Requires"),
        (ORIGINAL.replace("firewalld.service ", ""), "[Unit] After"),
        (ORIGINAL.replace("Type=notify", "Type=simple"), "[Service] Type"),
        (ORIGINAL.replace("LimitNOFILE=1048576\n", ""), "[Service] LimitNOFILE"),
        (ORIGINAL.replace("multi-user", "graphical"), "[Install] WantedBy"),
    ],
)
def test_as_dropin_of_what_no_drop_in_can_say_names_it(edited: str, key: str) -> None:
    assert unit_diff.as_dropin(ORIGINAL, edited, UNIT)[1] == (key,)


def test_changed_lines_are_named_without_their_values() -> None:
    edited = MORE["environment"].replace("LimitNOFILE=1048576\n", "")
    assert unit_diff.changed_lines(ORIGINAL, edited) == ("line 9 (Environment)", "LimitNOFILE removed")
    assert unit_diff.endpoint_lines(EDITS["sed-for-fd"][1]) == ("line 11 (ExecStart)",)
    assert unit_diff.endpoint_lines(ORIGINAL) == ()


# --- the package manager


def dpkg(sums: str = "", verified: str = f"??5??????   {UNIT}\n") -> inspect_host.Run:
    answers = {"-S": (0, f"docker.io: {UNIT}\n"), "--verify": (2, verified), "--control-show": (0, sums)}
    return lambda command: answers[command[1]]


def md5(text: str) -> str:
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}  lib/systemd/system/docker.service\n"


@pytest.fixture
def edited(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An edited unit of Debian's package under another root."""
    monkeypatch.setattr(inspect_host.shutil, "which", lambda name: name if name == "dpkg" else None)
    path = tmp_path / "docker.service"
    path.write_text(EDITS["sed-behind-fd"][1])
    monkeypatch.setattr(inspect_host, "_names", lambda name: (UNIT, f"/usr{UNIT}") if name == str(path) else (name,))
    return path


def test_unit_of_finds_the_original_by_its_checksum(edited: pathlib.Path) -> None:
    found = inspect_host.unit_of(str(edited), dpkg(f"{'0' * 32}  usr/bin/dockerd\n{md5(ORIGINAL)}"))
    assert (found.changed, found.original, found.text) == (True, ORIGINAL, EDITS["sed-behind-fd"][1])


@pytest.mark.parametrize(("sums", "changed"), [("", None), (md5(ORIGINAL), False)], ids=["no-checksum", "checksum"])
def test_unit_of_a_package_without_checksums_is_not_called_unchanged(
    edited: pathlib.Path, sums: str, changed: bool | None
) -> None:
    found = inspect_host.unit_of(str(edited), dpkg(sums, ""))
    assert found.changed is changed
    assert [one.code for one in assess._unit(found)] == ([] if sums else ["unit-edited"])


@pytest.mark.parametrize("sums", ["", "x", md5(ORIGINAL + "\n"), "0  lib/systemd/system/docker.service"])
def test_unit_of_without_a_text_of_that_checksum_knows_no_original(edited: pathlib.Path, sums: str) -> None:
    assert inspect_host.unit_of(str(edited), dpkg(sums)).original == ""


def test_unit_of_takes_a_backup_beside_it_that_has_the_checksum(edited: pathlib.Path) -> None:
    other = ORIGINAL.replace("Type=notify", "Type=notify\nX-Vendor=1")
    edited.with_name("docker.service.bak").write_text("[Service]\n")
    edited.with_name("docker.service.orig").write_text(other)
    assert inspect_host.unit_of(str(edited), dpkg(md5(other))).original == other


def test_unit_of_takes_it_from_an_archive_that_apt_has_kept(edited: pathlib.Path, tmp_path: pathlib.Path) -> None:
    other = ORIGINAL.replace("Type=notify", "Type=notify\nX-Vendor=1")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: docker.io\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n"
    )
    (tree / "lib/systemd/system").mkdir(parents=True)
    (tree / "lib/systemd/system/docker.service").write_text(other)
    built = subprocess.run(
        ["dpkg-deb", "-b", str(tree), str(tmp_path / "docker.io_1_all.deb")], capture_output=True, check=False
    )
    if built.returncode != 0:
        pytest.skip("no dpkg-deb here")
    (tmp_path / "docker.io_2_all.deb").write_text("torn")
    found = inspect_host.unit_of(str(edited), dpkg(md5(other)), archives=str(tmp_path))
    assert found.original == other


def test_unit_of_asks_rpm_for_the_checksum(edited: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_host.shutil, "which", lambda name: name if name == "rpm" else None)
    digest = hashlib.sha256(ORIGINAL.encode()).hexdigest()

    def run(command: t.Sequence[str]) -> tuple[int, str]:
        if "--dump" in command:
            return (
                0,
                f"/usr/bin/dockerd 1 2 aa 0100755 root root\n{UNIT} 100 1700000000 {digest} 0100644 root root 0 0 0 X\n",
            )
        return (1, f"S.5....T.    {UNIT}\n") if command[1] == "-Vf" else (0, "moby-engine")

    assert inspect_host.unit_of(str(edited), run).original == ORIGINAL


@pytest.mark.parametrize("verified", ["", f"??5??????   {UNIT}\n"], ids=["as-packaged", "edited-too"])
def test_unit_of_a_copy_knows_the_package_s_where_that_is_as_packaged(
    edited: pathlib.Path, tmp_path: pathlib.Path, verified: str
) -> None:
    copy = tmp_path / "etc/docker.service"
    copy.parent.mkdir()
    copy.write_text(MORE["limit"])
    edited.write_text(ORIGINAL)
    found = inspect_host._copy(str(copy), copy.read_text(), dpkg(md5(ORIGINAL), verified), [str(tmp_path)])
    assert (found.packaged_path, found.package, found.text) == (str(edited), "docker.io", MORE["limit"])
    assert found.original == ("" if verified else ORIGINAL)
    assert finding(found).action == ("" if verified else "unit")
    assert inspect_host._copy(str(copy), "", dpkg(), [str(tmp_path / "none")]).packaged_path == ""


# --- the judgement


def finding(unit: assess.Unit) -> assess.Finding:
    (found,) = assess._unit(unit)
    return found


def test_judge_of_an_edit_says_the_lines_and_what_repairs_it() -> None:
    unit = assess.Unit(
        UNIT, "docker.io", True, "apt-get install --reinstall docker.io", EDITS["sed-behind-fd"][1], ORIGINAL
    )
    found = finding(unit)
    assert (found.code, found.action) == ("unit-edited", "unit")
    assert "line 11 (ExecStart)" in found.message
    assert unit_diff.DROPIN_NAME in found.repair


@pytest.mark.parametrize("changed", [True, None], ids=["checksum", "flags-alone"])
def test_judge_of_an_edit_of_an_unknown_original_says_what_restores_it(changed: bool | None) -> None:
    unit = assess.Unit(UNIT, "docker.io", changed, "apt-get install --reinstall docker.io", EDITS["sed-behind-fd"][1])
    found = finding(unit)
    assert (found.code, found.action) == ("unit-edited", "")
    assert "line 11 (ExecStart)" in found.message
    assert "apt-get install --reinstall docker.io" in found.repair


def test_judge_of_an_edit_that_no_drop_in_can_say_repairs_nothing() -> None:
    unit = assess.Unit(UNIT, "docker.io", True, "apt-get x", ORIGINAL.replace("Type=notify", "Type=simple"), ORIGINAL)
    found = finding(unit)
    assert found.action == ""
    assert "[Service] Type" in found.repair and "apt-get x" in found.repair


def test_judge_of_a_unit_of_the_administrator_alone_finds_nothing() -> None:
    assert list(assess._unit(assess.Unit("/etc/systemd/system/docker.service", text=ORIGINAL))) == []
    assert list(assess._unit(assess.Unit(UNIT, "docker.io", False, text=ORIGINAL))) == []
