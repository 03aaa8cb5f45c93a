# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths of the TLS files that dockerd is given, and a store in which another tool has replaced our links."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import stat
import typing as t

import pytest
from test_endpoint import Bench

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import certificate_store
from support.hosts.machine import install
from support.hosts.world import Effects, World


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world = World(tmp_path / "host").build()
    return Bench(world, install(monkeypatch, world, Effects()))


def without_links(directory: pathlib.Path) -> None:
    """Do what a copy that follows links does (rsync -L, some restores): plain files, and no revisions."""
    kept = {name: (directory / name).read_bytes() for name in certificate_store.NAMES}
    shutil.rmtree(directory)
    directory.mkdir(mode=0o700)
    for name, data in kept.items():
        (directory / name).write_bytes(data)


def one_plain_file(directory: pathlib.Path) -> None:
    """Replace one link by a file that reads the same."""
    path = directory / certificate_store.CERTIFICATE
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_paths_given_to_dockerd_are_regular_files_without_following_a_link(bench: Bench, listener: str) -> None:
    """docker-bench-security calls stat(2) on them without -L: a link has mode 0777 there (3.10, 3.12, 3.14)."""
    bench.secure(listener=listener)
    modes = {}
    for key in ("tlscacert", "tlscert", "tlskey"):
        status = os.lstat(bench.values()[key])
        assert stat.S_ISREG(status.st_mode), key
        modes[key] = stat.S_IMODE(status.st_mode)
    assert modes == {"tlscacert": 0o444, "tlscert": 0o444, "tlskey": 0o400}


def test_configured_paths_stay_the_same_when_the_certificate_is_renewed(bench: Bench) -> None:
    bench.secure()
    before = bench.values()
    result = bench.run(certificate=bench.issue(6))
    assert result["restarted"]
    assert bench.values() == before


@pytest.mark.parametrize("replaced", [without_links, one_plain_file])
def test_links_replaced_by_equal_files_are_restored_and_dockerd_can_start(
    bench: Bench, replaced: t.Callable[[pathlib.Path], None]
) -> None:
    bench.secure()
    replaced(bench.world.certificates)
    planned = bench.run(check_mode=True)
    result = bench.run()
    assert planned["reasons"] == result["reasons"] == ["certificate-links-missing"]
    assert not result["restarted"], "dockerd has read the same bytes"
    bench.world.boot()
    assert bench.world.tcp
    assert not bench.world.open_to_anybody
    assert not bench.run()["changed"]


def test_settings_of_the_former_paths_are_changed_in_one_restart(bench: Bench) -> None:
    """A host that was set up when daemon.json still named the links."""
    bench.secure()
    directory = str(bench.world.certificates)
    values = {key: value.replace("/current/", "/") if isinstance(value, str) else value for key, value in bench.values().items()}  # fmt: skip
    bench.world.config.write_text(json.dumps(values))
    bench.world.boot()
    result = bench.run(existing_settings="adopt")
    assert result["restarted"]
    assert bench.values()["tlskey"] == f"{directory}/current/server-key.pem"
