# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another process on port 2375: reported with its name, and never a reason to fail."""

from __future__ import annotations

import pathlib

import pytest
from test_probe import ANSWER, PlainServer

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import desired_files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.hosts.machine import install
from support.hosts.scenarios import given, issued, run
from support.hosts.world import Effects, World

PROXY = "docker-proxy (12) for the container proxy"


@pytest.mark.parametrize(
    ("answer", "api_only", "codes"),
    [
        (ANSWER, False, ["docker-api-unencrypted"]),
        (ANSWER, True, ["docker-api-unencrypted"]),
        (b"HTTP/1.1 200 OK\r\n\r\nOK", False, ["port-2375-other"]),
        (b"HTTP/1.1 200 OK\r\n\r\nOK", True, []),
    ],
)
def test_check_plain_port_tells_dockers_api_from_another_server(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, api_only: bool, codes: list[str]
) -> None:
    server = PlainServer(answer)
    monkeypatch.setattr(desired_files, "PLAIN_PORT", server.port)
    try:
        found = desired_files.check_plain_port([("0.0.0.0", server.port, PROXY), ("::1", 1, "")], api_only=api_only)
    finally:
        server.close()
    assert [item.code for item in found] == codes
    assert all(PROXY in item.message and f"0.0.0.0:{server.port}" in item.message and item.hint for item in found)


def test_other_process_on_2375_is_a_warning_and_blocks_no_renewal(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "w").build()
    machine = install(monkeypatch, world, Effects())
    world.others = (("127.0.0.1", 2375, PROXY),)
    first = run(world, machine, given(world, certificate=issued(world)))
    assert first["changed"]
    assert any(PROXY in text and "127.0.0.1:2375" in text for text in first["warnings"])
    assert first["endpoint"]["port_2375"] == [f"{PROXY} on 127.0.0.1"]
    again = run(world, machine, given(world))
    assert not again["changed"]
    assert again["warnings"] == [], "an HTTP server that is not Docker is not news in every run"
    assert again["endpoint"]["port_2375"] == [f"{PROXY} on 127.0.0.1"]
    assert run(world, machine, given(world, certificate=issued(world)))["restarted"]


def test_allowed_port_2375_is_not_reported(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "w").build()
    machine = install(monkeypatch, world, Effects())
    world.others = (("127.0.0.1", 2375, PROXY),)
    result = run(world, machine, given(world, certificate=issued(world), allow_port_2375=True))
    assert not any("2375" in text for text in result["warnings"])
    assert result["endpoint"]["port_2375"] == []


def test_other_process_on_the_endpoints_own_port_is_refused_by_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "w").build()
    machine = install(monkeypatch, world, Effects())
    world.others = (("0.0.0.0", 2376, PROXY),)
    with pytest.raises(
        TlsError, match=r"port 2376 is taken .* by docker-proxy \(12\) for the container proxy"
    ) as caught:
        run(world, machine, given(world, certificate=issued(world)))
    assert caught.value.code == "port-taken"
    assert world.restarts == 0
