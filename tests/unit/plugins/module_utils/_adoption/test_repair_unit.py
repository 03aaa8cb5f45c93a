# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of the package put back on disk: same effect, rolled back where it would be another, completed after a kill."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import assess, repair, unit_diff
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.systemd import Services, UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.hosts.edited_units import EDITS, ORIGINAL, effective


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

    def show(self, proxy: str = "") -> Services:
        return Services(
            UnitState("docker.service", need_daemon_reload=self.need_daemon_reload), UnitState("docker.socket")
        )


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "lib/docker.service").write_text(EDITS["sed-behind-fd"][1])
    return tmp_path


def edited_unit(root: pathlib.Path, text: str = "") -> assess.Unit:
    text = text or (root / "lib/docker.service").read_text()
    return assess.Unit(str(root / "lib/docker.service"), "docker.io", True, "apt-get x", text, ORIGINAL)


def files_of(root: pathlib.Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def restore_unit(root: pathlib.Path, unit: assess.Unit, systemd: t.Any = None) -> t.Any:
    systemd = systemd or FakeSystemd(root)
    repair.restore_unit(systemd, unit, str(root / "state/adopted/unit"))
    return systemd


def test_restore_unit_restores_the_package_s_text_and_keeps_the_effect(root: pathlib.Path) -> None:
    before = FakeSystemd(root).loaded
    systemd = restore_unit(root, edited_unit(root))
    assert (root / "lib/docker.service").read_text() == ORIGINAL
    assert systemd.loaded == before
    assert (root / "state/adopted/unit").read_text() == EDITS["sed-behind-fd"][1]
    dropin = root / "etc/docker.service.d" / unit_diff.DROPIN_NAME
    assert "-H tcp://0.0.0.0:2376" in dropin.read_text()
    assert dropin.stat().st_mode & 0o777 == 0o644


def test_restore_unit_of_a_copy_takes_it_away_and_leads_links_to_the_package_s(root: pathlib.Path) -> None:
    (root / "lib/docker.service").write_text(ORIGINAL)
    copy = root / "etc/docker.service"
    copy.write_text(EDITS["sed-for-fd"][1])
    (root / "etc/multi-user.target.wants").mkdir()
    link = root / "etc/multi-user.target.wants/docker.service"
    link.symlink_to(copy)
    before = FakeSystemd(root).loaded
    unit = assess.Unit(
        str(copy), "docker.io", None, "x", copy.read_text(), ORIGINAL, packaged_path=str(root / "lib/docker.service")
    )
    systemd = restore_unit(root, unit)
    assert not copy.exists()
    assert os.readlink(link) == str(root / "lib/docker.service")
    assert systemd.loaded == before
    assert (root / "state/adopted/unit").read_text() == EDITS["sed-for-fd"][1]


@pytest.mark.parametrize("copied", [False, True], ids=["edited", "copied"])
def test_restore_unit_that_would_change_the_effect_is_rolled_back(root: pathlib.Path, copied: bool) -> None:
    unit = edited_unit(root)
    if copied:
        (root / "lib/docker.service").write_text(ORIGINAL)
        (root / "etc/docker.service").write_text(unit.text)
        (root / "etc/multi-user.target.wants").mkdir()
        (root / "etc/multi-user.target.wants/docker.service").symlink_to(root / "etc/docker.service")
        unit = assess.Unit(
            str(root / "etc/docker.service"), "d", None, "x", unit.text, ORIGINAL, str(root / "lib/docker.service")
        )
    before = files_of(root)
    systemd = FakeSystemd(root)
    systemd.lies = True
    with pytest.raises(TlsError) as caught:
        restore_unit(root, unit, systemd)
    assert caught.value.code == "unit-repair-rolled-back"
    assert "ExecStart" in caught.value.message
    left = files_of(root)
    left.pop("state/adopted/unit")
    assert left == before
    assert systemd.reloads == 3


@pytest.mark.parametrize("case", ["changed-since", "link", "not-loaded", "dropin-there", "no-original", "obstacle"])
def test_restore_unit_where_it_is_not_certain_what_would_happen_is_refused(root: pathlib.Path, case: str) -> None:
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
        (root / "etc/docker.service.d" / unit_diff.DROPIN_NAME).write_text("[Service]\nLimitNOFILE=1\n")
    elif case == "no-original":
        unit = assess.Unit(unit.path, unit.package, True, "", unit.text)
    else:
        unit = assess.Unit(unit.path, unit.package, True, "", unit.text, ORIGINAL.replace("Type=notify", "Type=simple"))
    before = files_of(root)
    with pytest.raises(TlsError) as caught:
        restore_unit(root, unit, systemd)
    expected = {"not-loaded": "unit-not-loaded", "dropin-there": "dropin-foreign"}.get(case, "file-changed")
    assert caught.value.code == expected
    assert files_of(root) == before


def test_restore_unit_that_was_killed_half_way_is_finished_by_the_next_run(root: pathlib.Path) -> None:
    unit, systemd = edited_unit(root), FakeSystemd(root)
    (root / "etc/docker.service.d").mkdir()
    dropin = unit_diff.as_dropin(unit.original, unit.text, unit.path)[0]
    (root / "etc/docker.service.d" / unit_diff.DROPIN_NAME).write_text(dropin)
    restore_unit(root, unit, systemd)
    assert (root / "lib/docker.service").read_text() == ORIGINAL


def test_restore_unit_of_a_unit_that_only_root_can_read_shows_nothing_of_it(root: pathlib.Path) -> None:
    (root / "lib/docker.service").chmod(0o600)
    restore_unit(root, edited_unit(root))
    assert (root / "etc/docker.service.d" / unit_diff.DROPIN_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wanted", [["modes", "stray_keys"], ["units"]])
def test_repair_of_units_is_done_on_request_only(root: pathlib.Path, wanted: list[str]) -> None:
    unit = edited_unit(root)
    repairs = repair.plan(list(assess._unit(unit)), wanted, str(root / "state/adopted"))
    repair.carry_out(repairs, str(root / "state/adopted"), unit, t.cast(t.Any, FakeSystemd(root)))
    assert [one.code for one in repairs] == (["unit-edited"] if wanted == ["units"] else [])
    assert ((root / "lib/docker.service").read_text() == ORIGINAL) == (wanted == ["units"])
