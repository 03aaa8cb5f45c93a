# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edited units of packages: the original found by its checksum, the edit moved to a drop-in, nothing else about Docker changed."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adopt import (
    judge,
    packages,
    repair,
    unit_repair,
    units,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.environment import OWN_MARK, parse_unit
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.systemd import Services, UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

# Made after docker.io's of Debian 12.
ORIGINAL = """\
[Unit]
Description=Docker Application Container Engine
After=network-online.target docker.socket firewalld.service containerd.service
Wants=network-online.target containerd.service
Requires=docker.socket

[Service]
Type=notify
# the default is not to use systemd for cgroups
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
LimitNOFILE=1048576
Delegate=yes

[Install]
WantedBy=multi-user.target
"""
FEDORA = """\
[Service]
ExecStart=/usr/bin/dockerd \\
          --host=fd:// \\
          --exec-opt native.cgroupdriver=systemd \\
          $OPTIONS
"""
COMMAND = "-H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
TLS = "--tlsverify --tlscacert=/etc/docker/ca.pem --tlscert /etc/docker/server-cert.pem --tlskey=/etc/docker/server-key.pem"
UNIT = "/lib/systemd/system/docker.service"

EDITS: dict[str, tuple[str, str]] = {
    "sed-behind-fd": (ORIGINAL, ORIGINAL.replace("-H fd://", f"-H fd:// -H tcp://0.0.0.0:2376 {TLS}")),
    "sed-for-fd": (ORIGINAL, ORIGINAL.replace("-H fd://", "-H tcp://0.0.0.0:2375 -H unix:///var/run/docker.sock")),
    "fd-moved": (ORIGINAL, ORIGINAL.replace("-H fd://", f"{TLS} -H tcp://0.0.0.0:2376 -H fd://")),
    "at-the-end": (ORIGINAL, ORIGINAL.replace("$DOCKER_OPTS", f"$DOCKER_OPTS {TLS} -H=0.0.0.0:2376")),
    "other-flags-too": (
        ORIGINAL,
        ORIGINAL.replace("-H fd://", "-H fd:// -H tcp://:2375 --label a=b --data-root /srv/d"),
    ),
    "new-command": (ORIGINAL, ORIGINAL.replace(COMMAND, "-H unix:// -H tcp://0.0.0.0:2375")),
    "another-binary": (
        ORIGINAL,
        ORIGINAL.replace("/usr/sbin/dockerd " + COMMAND, "/usr/bin/dockerd -H tcp://0.0.0.0:2375"),
    ),
    "commented-out": (
        ORIGINAL,
        ORIGINAL.replace("ExecStart=", "#ExecStart=").replace(
            "ExecReload", "ExecStart=/usr/sbin/dockerd -H :2375\nExecReload"
        ),
    ),
    "continued": (FEDORA, FEDORA.replace("--host=fd:// \\\n", f"--host=fd:// -H tcp://0.0.0.0:2376 {TLS} \\\n")),
}


@pytest.mark.parametrize(("original", "edited"), EDITS.values(), ids=EDITS)
def test_candidates_of_what_recipes_do_hold_the_original(original: str, edited: str) -> None:
    assert edited != original
    assert original in list(units.candidates(edited))


@pytest.mark.parametrize(
    "text", ["", "[Service]\nType=notify\n", "[Service]\nExecStart=a\nExecStart=b\n", "[Service]\nExecStart='open\n"]
)
def test_candidates_of_what_is_no_unit_of_docker_are_harmless(text: str) -> None:
    for one in units.candidates(text):
        assert "dockerd" in one


def effective(*files: tuple[str, str]) -> tuple[t.Any, ...]:
    model = parse_unit(list(files), "/none")
    return (
        model.commands,
        [(one.name, one.value) for one in model.environment],
        [s.pattern for s in model.environment_files],
    )


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
    dropin, obstacles = units.as_dropin(original, edited, UNIT)
    assert obstacles == ()
    assert effective((UNIT, original), ("/etc/x.conf", dropin)) == effective((UNIT, edited))
    assert not dropin.startswith(OWN_MARK)
    assert UNIT in dropin


def test_as_dropin_says_each_kind_as_systemd_takes_it() -> None:
    assert "[Service]\nLimitNOFILE=65536\n" in units.as_dropin(ORIGINAL, MORE["limit"], UNIT)[0]
    assert "[Unit]\nAfter=zfs.target\n" in units.as_dropin(ORIGINAL, MORE["order"], UNIT)[0]
    assert "[Service]\nEnvironmentFile=\n" in units.as_dropin(ORIGINAL, MORE["environment-file-gone"], UNIT)[0]


@pytest.mark.parametrize(
    "edited",
    [ORIGINAL, ORIGINAL.replace("# the default", "# see the wiki"), ORIGINAL.replace("\nDelegate", "\n\nDelegate")],
)
def test_as_dropin_of_what_means_the_same_is_none(edited: str) -> None:
    assert units.as_dropin(ORIGINAL, edited, UNIT) == ("", ())


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
    assert units.as_dropin(ORIGINAL, edited, UNIT)[1] == (key,)


def test_changed_lines_are_named_without_their_values() -> None:
    edited = MORE["environment"].replace("LimitNOFILE=1048576\n", "")
    assert units.changed_lines(ORIGINAL, edited) == ("line 9 (Environment)", "LimitNOFILE removed")
    assert units.endpoint_lines(EDITS["sed-for-fd"][1]) == ("line 11 (ExecStart)",)
    assert units.endpoint_lines(ORIGINAL) == ()


# --- the package manager


def dpkg(sums: str = "", verified: str = f"??5??????   {UNIT}\n") -> packages.Run:
    answers = {"-S": (0, f"docker.io: {UNIT}\n"), "--verify": (2, verified), "--control-show": (0, sums)}
    return lambda command: answers[command[1]]


def md5(text: str) -> str:
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}  lib/systemd/system/docker.service\n"


@pytest.fixture
def edited(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An edited unit of Debian's package under another root."""
    monkeypatch.setattr(packages.shutil, "which", lambda name: name if name == "dpkg" else None)
    path = tmp_path / "docker.service"
    path.write_text(EDITS["sed-behind-fd"][1])
    monkeypatch.setattr(packages, "_names", lambda name: (UNIT, f"/usr{UNIT}") if name == str(path) else (name,))
    return path


def test_unit_of_finds_the_original_by_its_checksum(edited: pathlib.Path) -> None:
    found = packages.unit_of(str(edited), dpkg(f"{'0' * 32}  usr/bin/dockerd\n{md5(ORIGINAL)}"))
    assert (found.changed, found.original, found.text) == (True, ORIGINAL, EDITS["sed-behind-fd"][1])


@pytest.mark.parametrize(("sums", "changed"), [("", None), (md5(ORIGINAL), False)], ids=["no-checksum", "checksum"])
def test_unit_of_a_package_without_checksums_is_not_called_unchanged(
    edited: pathlib.Path, sums: str, changed: bool | None
) -> None:
    found = packages.unit_of(str(edited), dpkg(sums, ""))
    assert found.changed is changed
    assert [one.code for one in judge._unit(found)] == ([] if sums else ["unit-edited"])


@pytest.mark.parametrize("sums", ["", "x", md5(ORIGINAL + "\n"), "0  lib/systemd/system/docker.service"])
def test_unit_of_without_a_text_of_that_checksum_knows_no_original(edited: pathlib.Path, sums: str) -> None:
    assert packages.unit_of(str(edited), dpkg(sums)).original == ""


def test_unit_of_takes_a_backup_beside_it_that_has_the_checksum(edited: pathlib.Path) -> None:
    other = ORIGINAL.replace("Type=notify", "Type=notify\nX-Vendor=1")
    edited.with_name("docker.service.bak").write_text("[Service]\n")
    edited.with_name("docker.service.orig").write_text(other)
    assert packages.unit_of(str(edited), dpkg(md5(other))).original == other


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
    found = packages.unit_of(str(edited), dpkg(md5(other)), archives=str(tmp_path))
    assert found.original == other


def test_unit_of_asks_rpm_for_the_checksum(edited: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.shutil, "which", lambda name: name if name == "rpm" else None)
    digest = hashlib.sha256(ORIGINAL.encode()).hexdigest()

    def run(command: t.Sequence[str]) -> tuple[int, str]:
        if "--dump" in command:
            return (
                0,
                f"/usr/bin/dockerd 1 2 aa 0100755 root root\n{UNIT} 100 1700000000 {digest} 0100644 root root 0 0 0 X\n",
            )
        return (1, f"S.5....T.    {UNIT}\n") if command[1] == "-Vf" else (0, "moby-engine")

    assert packages.unit_of(str(edited), run).original == ORIGINAL


@pytest.mark.parametrize("verified", ["", f"??5??????   {UNIT}\n"], ids=["as-packaged", "edited-too"])
def test_unit_of_a_copy_knows_the_package_s_where_that_is_as_packaged(
    edited: pathlib.Path, tmp_path: pathlib.Path, verified: str
) -> None:
    copy = tmp_path / "etc/docker.service"
    copy.parent.mkdir()
    copy.write_text(MORE["limit"])
    edited.write_text(ORIGINAL)
    found = packages._copy(str(copy), copy.read_text(), dpkg(md5(ORIGINAL), verified), [str(tmp_path)])
    assert (found.packaged_path, found.package, found.text) == (str(edited), "docker.io", MORE["limit"])
    assert found.original == ("" if verified else ORIGINAL)
    assert finding(found).action == ("" if verified else "unit")
    assert packages._copy(str(copy), "", dpkg(), [str(tmp_path / "none")]).packaged_path == ""


# --- the judgement


def finding(unit: judge.Unit) -> judge.Finding:
    (found,) = judge._unit(unit)
    return found


def test_judge_of_an_edit_says_the_lines_and_what_repairs_it() -> None:
    unit = judge.Unit(
        UNIT, "docker.io", True, "apt-get install --reinstall docker.io", EDITS["sed-behind-fd"][1], ORIGINAL
    )
    found = finding(unit)
    assert (found.code, found.action) == ("unit-edited", "unit")
    assert "line 11 (ExecStart)" in found.message
    assert units.DROPIN_NAME in found.repair


@pytest.mark.parametrize("changed", [True, None], ids=["checksum", "flags-alone"])
def test_judge_of_an_edit_of_an_unknown_original_says_what_restores_it(changed: bool | None) -> None:
    unit = judge.Unit(UNIT, "docker.io", changed, "apt-get install --reinstall docker.io", EDITS["sed-behind-fd"][1])
    found = finding(unit)
    assert (found.code, found.action) == ("unit-edited", "")
    assert "line 11 (ExecStart)" in found.message
    assert "apt-get install --reinstall docker.io" in found.repair


def test_judge_of_an_edit_that_no_drop_in_can_say_repairs_nothing() -> None:
    unit = judge.Unit(UNIT, "docker.io", True, "apt-get x", ORIGINAL.replace("Type=notify", "Type=simple"), ORIGINAL)
    found = finding(unit)
    assert found.action == ""
    assert "[Service] Type" in found.repair and "apt-get x" in found.repair


def test_judge_of_a_unit_of_the_administrator_alone_finds_nothing() -> None:
    assert list(judge._unit(judge.Unit("/etc/systemd/system/docker.service", text=ORIGINAL))) == []
    assert list(judge._unit(judge.Unit(UNIT, "docker.io", False, text=ORIGINAL))) == []


# --- on disk


class FakeSystemd:
    """A systemd of one unit, whose files are in a directory."""

    service = "docker.service"

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.unit_directory = str(root / "etc")
        self.need_daemon_reload = False
        self.reloads = 0
        self.lies = False
        self.daemon_reload()

    def daemon_reload(self) -> None:
        self.reloads += 1
        fragment = next(
            path for path in (self.root / "etc/docker.service", self.root / "lib/docker.service") if path.is_file()
        )
        dropins = sorted((self.root / "etc/docker.service.d").glob("*.conf"))
        found = effective(*((str(path), path.read_text()) for path in (fragment, *dropins)))
        self.loaded = found

    def exec_start(self) -> str:
        commands = self.loaded[0]
        if self.lies and self.reloads > 1:
            commands = ("/bin/other",)
        return json.dumps({"data": [[one.split()[0], one.split(), False, 0] for one in commands]})

    def properties(self, _names: t.Iterable[str]) -> str:
        return f"Environment={self.loaded[1]}\nEnvironmentFiles={self.loaded[2]}\n"

    def show(self) -> Services:
        return Services(
            UnitState("docker.service", need_daemon_reload=self.need_daemon_reload), UnitState("docker.socket")
        )


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "lib/docker.service").write_text(EDITS["sed-behind-fd"][1])
    return tmp_path


def edited_unit(root: pathlib.Path, text: str = "") -> judge.Unit:
    text = text or (root / "lib/docker.service").read_text()
    return judge.Unit(str(root / "lib/docker.service"), "docker.io", True, "apt-get x", text, ORIGINAL)


def files_of(root: pathlib.Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def put_back(root: pathlib.Path, unit: judge.Unit, systemd: t.Any = None) -> t.Any:
    systemd = systemd or FakeSystemd(root)
    unit_repair.put_back(systemd, unit, str(root / "state/adopted/unit"))
    return systemd


def test_put_back_restores_the_package_s_text_and_keeps_the_effect(root: pathlib.Path) -> None:
    before = FakeSystemd(root).loaded
    systemd = put_back(root, edited_unit(root))
    assert (root / "lib/docker.service").read_text() == ORIGINAL
    assert systemd.loaded == before
    assert (root / "state/adopted/unit").read_text() == EDITS["sed-behind-fd"][1]
    dropin = root / "etc/docker.service.d" / units.DROPIN_NAME
    assert "-H tcp://0.0.0.0:2376" in dropin.read_text()
    assert dropin.stat().st_mode & 0o777 == 0o644


def test_put_back_of_a_copy_takes_it_away_and_leads_links_to_the_package_s(root: pathlib.Path) -> None:
    (root / "lib/docker.service").write_text(ORIGINAL)
    copy = root / "etc/docker.service"
    copy.write_text(EDITS["sed-for-fd"][1])
    (root / "etc/multi-user.target.wants").mkdir()
    link = root / "etc/multi-user.target.wants/docker.service"
    link.symlink_to(copy)
    before = FakeSystemd(root).loaded
    unit = judge.Unit(
        str(copy), "docker.io", None, "x", copy.read_text(), ORIGINAL, packaged_path=str(root / "lib/docker.service")
    )
    systemd = put_back(root, unit)
    assert not copy.exists()
    assert os.readlink(link) == str(root / "lib/docker.service")
    assert systemd.loaded == before
    assert (root / "state/adopted/unit").read_text() == EDITS["sed-for-fd"][1]


@pytest.mark.parametrize("copied", [False, True], ids=["edited", "copied"])
def test_put_back_that_would_change_the_effect_is_undone(root: pathlib.Path, copied: bool) -> None:
    unit = edited_unit(root)
    if copied:
        (root / "lib/docker.service").write_text(ORIGINAL)
        (root / "etc/docker.service").write_text(unit.text)
        (root / "etc/multi-user.target.wants").mkdir()
        (root / "etc/multi-user.target.wants/docker.service").symlink_to(root / "etc/docker.service")
        unit = judge.Unit(
            str(root / "etc/docker.service"), "d", None, "x", unit.text, ORIGINAL, str(root / "lib/docker.service")
        )
    before = files_of(root)
    systemd = FakeSystemd(root)
    systemd.lies = True
    with pytest.raises(TlsError) as caught:
        put_back(root, unit, systemd)
    assert caught.value.code == "unit-repair-undone"
    assert "ExecStart" in caught.value.message
    left = files_of(root)
    left.pop("state/adopted/unit")
    assert left == before
    assert systemd.reloads == 3


@pytest.mark.parametrize("case", ["changed-since", "link", "not-loaded", "dropin-there", "no-original", "obstacle"])
def test_put_back_where_it_is_not_certain_what_would_happen_is_refused(root: pathlib.Path, case: str) -> None:
    unit, systemd = edited_unit(root), FakeSystemd(root)
    if case == "changed-since":
        (root / "lib/docker.service").write_text(ORIGINAL)
    elif case == "link":
        (root / "lib/docker.service").rename(root / "lib/other")
        (root / "lib/docker.service").symlink_to(root / "lib/other")
    elif case == "not-loaded":
        systemd.need_daemon_reload = True
    elif case == "dropin-there":
        (root / "etc/docker.service.d").mkdir()
        (root / "etc/docker.service.d" / units.DROPIN_NAME).write_text("[Service]\nLimitNOFILE=1\n")
    elif case == "no-original":
        unit = judge.Unit(unit.path, unit.package, True, "", unit.text)
    else:
        unit = judge.Unit(unit.path, unit.package, True, "", unit.text, ORIGINAL.replace("Type=notify", "Type=simple"))
    before = files_of(root)
    with pytest.raises(TlsError) as caught:
        put_back(root, unit, systemd)
    expected = {"not-loaded": "unit-not-loaded", "dropin-there": "dropin-foreign"}.get(case, "file-changed")
    assert caught.value.code == expected
    assert files_of(root) == before


def test_put_back_that_was_killed_half_way_is_finished_by_the_next_run(root: pathlib.Path) -> None:
    unit, systemd = edited_unit(root), FakeSystemd(root)
    (root / "etc/docker.service.d").mkdir()
    dropin = units.as_dropin(unit.original, unit.text, unit.path)[0]
    (root / "etc/docker.service.d" / units.DROPIN_NAME).write_text(dropin)
    put_back(root, unit, systemd)
    assert (root / "lib/docker.service").read_text() == ORIGINAL


def test_put_back_of_a_unit_that_only_root_can_read_shows_nothing_of_it(root: pathlib.Path) -> None:
    (root / "lib/docker.service").chmod(0o600)
    put_back(root, edited_unit(root))
    assert (root / "etc/docker.service.d" / units.DROPIN_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wanted", [["modes", "stray_keys"], ["units"]])
def test_repair_of_units_is_done_on_request_only(root: pathlib.Path, wanted: list[str]) -> None:
    unit = edited_unit(root)
    repairs = repair.plan(list(judge._unit(unit)), wanted, str(root / "state/adopted"))
    repair.carry_out(repairs, str(root / "state/adopted"), unit, t.cast(t.Any, FakeSystemd(root)))
    assert [one.code for one in repairs] == (["unit-edited"] if wanted == ["units"] else [])
    assert ((root / "lib/docker.service").read_text() == ORIGINAL) == (wanted == ["units"])
