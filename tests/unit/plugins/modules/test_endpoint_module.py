# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module endpoint: options in, one result or one failure out."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import entry
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.modules import endpoint as endpoint_module
from support.ansible.modules import run_module
from support.ca.certificates import authority, leaf
from support.hosts.machine import install
from support.hosts.world import ADDRESS, Effects, World

SERVER = authority("server")
CLIENTS = authority("client", number=1)


@pytest.fixture
def world(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a host in memory on which the module runs."""
    host = World(tmp_path / "host").build()
    machine = install(monkeypatch, host, Effects())
    monkeypatch.setattr(entry, "Machine", lambda *_parts: machine)
    monkeypatch.setattr(entry, "StateDirectory", lambda _path: StateDirectory(str(host.state)))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return host


def arguments(world: World, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "listen": [f"{ADDRESS}:2376"],
        "directory": str(world.certificates),
        "config_path": str(world.config),
        "ca_content": SERVER.pem,
        "client_ca_content": CLIENTS.pem,
        **changes,
    }


def issue(world: World) -> str:
    pair = leaf(SERVER, subject_names=(ADDRESS, "localhost"))
    world.certificates.mkdir(mode=0o700)
    (world.certificates / "server-key.pem.new").write_bytes(pair.key_pem)
    return pair.pem


def test_endpoint_is_set_up_and_kept(world: World) -> None:
    result = run_module(endpoint_module, arguments(world, certificate_content=issue(world)), diff=True)
    assert not result["failed"], result
    assert result["changed"]
    assert result["restarted"]
    first, *files = result["diff"]
    assert {part["after_header"] for part in files} >= {str(world.config)}
    line = first["prepared"].rstrip("\n")
    assert result["plan"] == [line]
    because = ", ".join(result["reasons"])
    assert line == f"listen {ADDRESS}:2376, admits + client-g1, ca.pem + server-g1, restart yes ({because})"
    assert "PRIVATE KEY" not in json.dumps(result)
    again = run_module(endpoint_module, arguments(world))
    assert (again["changed"], again["reasons"]) == (False, [])


def test_other_process_on_port_2375_and_the_boot_are_returned(world: World) -> None:
    world.others = (("127.0.0.1", 2375, "docker-proxy (12) for the container proxy"),)
    result = run_module(endpoint_module, arguments(world, certificate_content=issue(world)))
    assert not result["failed"], result
    assert result["endpoint"]["port_2375"] == ["docker-proxy (12) for the container proxy on 127.0.0.1"]
    assert result["endpoint"]["starts_at_boot"] is True


def test_check_mode_changes_nothing(world: World) -> None:
    result = run_module(endpoint_module, arguments(world), check=True)
    assert result["changed"]
    assert "certificate-pending" in result["reasons"]
    assert not world.config.exists()


def test_failure_has_message_hint_and_code(world: World) -> None:
    world.config.write_text('{"debug": true,}')
    result = run_module(endpoint_module, arguments(world, certificate_content=issue(world)))
    assert result["failed"]
    assert result["code"] == "daemon-json-invalid"
    assert "line 1, column 16" in result["msg"]
    assert result["hint"]


def test_two_problems_are_reported_together(world: World) -> None:
    world.config.write_text('{"hosts": ["tcp://0.0.0.0:2375"], "host": 1}')
    result = run_module(endpoint_module, arguments(world, certificate_content=issue(world)))
    assert result["code"] == "preflight-failed"
    assert "existing" in result["msg"]
    assert "'host'" in result["msg"]


def test_warning_is_given_where_an_address_must_be_there_at_boot(world: World) -> None:
    result = run_module(endpoint_module, arguments(world, certificate_content=issue(world)))
    assert any("starts after the network" in warning for warning in result["warnings"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"directory": "/etc/docker"}, "option-invalid"),
        ({"controller_time": "noon"}, "option-invalid"),
        ({"listen": ["10.0.0.5"]}, "listen-port-missing"),
        ({"listen": ["10.9.9.9:2376"]}, "listen-address-absent"),
        ({"client_ca_content": SERVER.pem}, "preflight-failed"),
    ],
    ids=["directory", "time", "no-port", "address-not-here", "server-authority-as-client-authority"],
)
def test_bad_option_is_refused(world: World, changes: dict[str, t.Any], code: str) -> None:
    result = run_module(endpoint_module, arguments(world, certificate_content=issue(world), **changes))
    assert result["failed"]
    assert result["code"] == code, result["msg"]
    assert not world.config.exists()


def test_user_who_is_not_root_is_told_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = run_module(endpoint_module, arguments(world))
    assert (result["failed"], result["code"]) == (True, "not-root")


def test_error_that_nobody_expected_undoes_the_change_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.snapshot()
    certificate = issue(world)

    def fail(*_arguments: t.Any) -> None:
        raise ValueError("not expected")

    monkeypatch.setattr(
        "ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.transaction.mismatch", fail
    )
    result = run_module(endpoint_module, arguments(world, certificate_content=certificate))
    assert result["failed"]
    assert "ValueError: not expected. Everything is as it was before" in result["msg"]
    after = {name: value for name, value in world.snapshot().items() if not name.endswith(".pem.new")}
    assert after == before
    assert world.answers_locally
