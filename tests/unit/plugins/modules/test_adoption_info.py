# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules adoption_info, adoption_repair and plain_relay, on a host that is only described."""

from __future__ import annotations

import os
import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import (
    assess,
    effective_settings,
    inspect_host,
)
from ansible_collections.portcullis.docker_tls.plugins.modules import adoption_info, adoption_repair, plain_relay
from support.ansible.modules import run_module
from support.ca.foreign import docker_recipe, endpoint, situation


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A host whose dockerd uses the recipe's files, all in one directory that everybody can read."""
    for name, data in docker_recipe().contents.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o644)

    def looked(*_given: t.Any) -> inspect_host.Inspection:
        now = datetime.now(timezone.utc) + timedelta(days=1)
        found = situation(effective_settings.search([], [str(tmp_path)]), now, endpoint(str(tmp_path)))
        return inspect_host.Inspection(found, "docker-recipe", assess.assess_host(found), (str(tmp_path),))

    monkeypatch.setattr(inspect_host, "inspect", looked)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def test_adoption_info_reports_and_changes_nothing(host: pathlib.Path) -> None:
    result = run_module(adoption_info, {})
    assert not result["changed"]
    found = result["adoption"]
    assert (found["layout"], found["managed"], found["tlsverify"]) == ("docker-recipe", False, True)
    assert found["searched"] == [str(host)]
    assert found["paths"]["tlskey"] == str(host / "server-key.pem")
    assert {"key-readable", "key-left-behind", "one-authority-for-both"} <= {one["code"] for one in found["findings"]}
    assert "PRIVATE KEY" not in str(result)


def test_adoption_repair_foretells_and_does(host: pathlib.Path, tmp_path: pathlib.Path) -> None:
    options = {"repair": ["modes", "stray_keys"], "quarantine_path": str(tmp_path / "adopted")}
    foretold = run_module(adoption_repair, options, check=True)
    assert (host / "ca-key.pem").exists()
    done = run_module(adoption_repair, options)
    assert foretold["repairs"] == done["repairs"]
    assert done["changed"]
    assert not (host / "ca-key.pem").exists()
    assert len(list((tmp_path / "adopted").iterdir())) == 2
    assert not run_module(adoption_repair, options)["changed"]


@pytest.mark.parametrize("module", [adoption_info, adoption_repair, plain_relay])
def test_module_for_everybody_else_than_root_is_refused(module: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = run_module(module, {})
    assert (result["failed"], result["code"]) == (True, "not-root")
