# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module daemon_config: single keys of daemon.json, the rest byte for byte."""

from __future__ import annotations

import pathlib
import stat
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon import config_file
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.modules import daemon_config
from helpers_modules import run_module

FOUND = '{\n  "debug" : false,\n  "mtu" : 1.40e3\n}\n'


def run(path: pathlib.Path, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run_module(daemon_config, {"path": str(path), **options}, check=check)


def test_setting_is_added_and_a_second_run_changes_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(FOUND)
    path.chmod(0o640)
    result = run(path, settings={"live-restore": True})
    assert result["changed"]
    assert result["reasons"] == ["setting-changed"]
    assert result["changes"] == [{"key": "live-restore", "before": None, "after": True}]
    assert path.read_text() == '{\n  "debug" : false,\n  "mtu" : 1.40e3,\n  "live-restore" : true\n}\n'
    assert result["diff"] == {
        "before_header": str(path),
        "after_header": str(path),
        "before": FOUND,
        "after": path.read_text(),
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    again = run(path, settings={"live-restore": True})
    assert (again["changed"], again["reasons"], again["changes"]) == (False, [], [])
    assert again["diff"]["before"] == again["diff"]["after"]


def test_setting_is_removed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(FOUND)
    result = run(path, settings={"debug": True}, remove=["mtu", "not-there"])
    assert result["reasons"] == ["setting-changed", "setting-removed"]
    assert [item["key"] for item in result["changes"]] == ["debug", "mtu"]
    assert path.read_text() == '{\n  "debug" : true\n}\n'
    assert not run(path, settings={"debug": True}, remove=["mtu"])["changed"]


def test_missing_file_is_made_with_its_directory(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "docker" / "daemon.json"
    result = run(path, settings={"debug": True})
    assert result["reasons"] == ["daemon-json-missing", "setting-changed"]
    assert result["diff"]["before_header"] == f"{path} (absent)"
    assert path.read_text() == '{\n    "debug": true\n}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_missing_file_and_nothing_to_say_stays_missing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemon.json"
    assert not run(path, remove=["debug"])["changed"]
    assert not path.exists()


def test_check_mode_says_the_same_and_writes_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "docker" / "daemon.json"
    foretold = run(path, check=True, settings={"debug": True})
    assert not path.parent.exists()
    assert run(path, settings={"debug": True}) == foretold


def test_link_leads_to_the_file_that_is_changed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "daemon.json").symlink_to("real.json")
    result = run(tmp_path / "daemon.json", settings={"debug": True})
    assert result["config_path"] == str(tmp_path / "real.json")
    assert (tmp_path / "daemon.json").is_symlink()
    assert "debug" in (tmp_path / "real.json").read_text()


BAD = {
    "broken": ('{\n  "debug": true,\n}', {}, "daemon-json-invalid", "line 3, column 1"),
    "duplicate": ('{"debug": true, "debug": true}', {}, "daemon-json-invalid", "line 1, column 17"),
    "host for hosts": ("{}", {"settings": {"host": ["fd://"]}}, "daemon-json-misspelled", "meant is probably hosts"),
    "set and removed": ("{}", {"settings": {"debug": True}, "remove": ["debug"]}, "option-invalid", "both name debug"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_and_changes_nothing(tmp_path: pathlib.Path, name: str) -> None:
    found, options, code, message = BAD[name]
    path = tmp_path / "daemon.json"
    path.write_text(found)
    result = run(path, **{"settings": {"mtu": 1400}, **options})
    assert result["failed"]
    assert result["code"] == code
    assert message in result["msg"]
    assert path.read_text() == found


def test_directory_that_cannot_be_made_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    change = config_file.ConfigChange(str(tmp_path / "file" / "daemon.json"), None, b"{}", {}, ())
    with pytest.raises(TlsError) as caught:
        config_file.write_config(change)
    assert caught.value.code == "file-unwritable"
