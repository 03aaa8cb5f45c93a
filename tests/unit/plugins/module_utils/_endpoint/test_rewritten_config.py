# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another tool renders the whole of daemon.json after us and restarts Docker, on a host in memory."""

from __future__ import annotations

import json
import pathlib
import types
import typing as t

import pytest
from test_endpoint import Bench

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import desired_files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import Record
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.hosts.machine import install
from support.hosts.world import ADDRESS, Effects, World

OTHERS: dict[str, t.Any] = {"log-driver": "local"}
LISTENERS = ["dockerd", "systemd"]


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world = World(tmp_path / "host").build()
    return Bench(world, install(monkeypatch, world, Effects()))


def rewrite(bench: Bench, text: str | None = None) -> str:
    """Do what a role does that renders a template, with a handler that restarts Docker; return the new text."""
    text = json.dumps(OTHERS, indent=4) if text is None else text
    bench.world.config.write_text(text)
    bench.world.crash()
    return text


REWRITTEN: dict[str, t.Callable[[dict[str, t.Any]], dict[str, t.Any]]] = {
    "nothing": lambda ours: {},
    "options": lambda ours: OTHERS,
    "no client checks": lambda ours: {**ours, "tlsverify": False},
    "other authorities": lambda ours: {**ours, "tlscacert": ours["tlscert"]},
}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("name", REWRITTEN)
def test_rewritten_daemon_json_closes_the_endpoint_and_docker_runs(bench: Bench, listener: str, name: str) -> None:
    bench.secure(listener=listener)
    ours = {key: value for key, value in bench.values().items() if key != "hosts"}
    rewrite(bench, json.dumps(REWRITTEN[name](ours)))
    for event in (bench.world.crash, bench.world.boot):
        event()
        assert bench.world.answers_locally
        assert bench.world.tcp == ()


@pytest.mark.parametrize("listener", LISTENERS)
def test_next_run_restores_the_endpoint_with_one_restart_that_stops_no_container(bench: Bench, listener: str) -> None:
    bench.secure(listener=listener, live_restore="enable")
    rewrite(bench)
    bench.world.containers = {"web"}
    restarts = bench.world.restarts
    planned = bench.run(listener=listener, live_restore="enable", check_mode=True)
    result = bench.run(listener=listener, live_restore="enable")
    assert planned["reasons"] == result["reasons"]
    assert result["reasons"][0] == "daemon-json-rewritten"
    assert result["plan"][0].startswith(f"listen {ADDRESS}:2376")
    assert bench.world.restarts == restarts + 1
    assert bench.world.containers == {"web"}
    assert bench.world.tcp == (f"{ADDRESS}:2376",)
    assert not bench.world.open_to_anybody
    assert bench.values()["log-driver"] == "local"
    assert not bench.run(listener=listener, live_restore="enable")["changed"]


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("first", [None, '{"debug": true}\n'], ids=["no-file", "a-file"])
def test_absent_after_a_rewrite_gives_back_what_the_other_tool_wrote(
    bench: Bench, listener: str, first: str | None
) -> None:
    """Its file is the one that the host would have without us, not the one of before our first run."""
    if first is not None:
        bench.world.config.write_text(first)
        bench.world.boot()
    bench.secure(listener=listener)
    text = rewrite(bench)
    bench.run(listener=listener)
    bench.run(state="absent")
    assert bench.world.config.read_text() == text
    assert bench.world.tcp == ()
    assert not (bench.world.units / "docker-tls.socket").exists()


HOSTS = json.dumps({"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"]})


@pytest.mark.parametrize("check_mode", [False, True], ids=["run", "check"])
def test_refusal_says_that_docker_is_down_and_why(
    bench: Bench, check_mode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit has -H fd://, so dockerd does not start with hosts in daemon.json."""
    bench.secure(listener="systemd")
    rewrite(bench, HOSTS)
    assert not bench.world.answers_locally
    reason = "unable to configure the Docker daemon: the following directives are specified both as a flag and in the file: hosts"
    monkeypatch.setattr(bench.machine, "log_tail", lambda _since: reason)
    with pytest.raises(TlsError) as caught:
        bench.run(listener="systemd", check_mode=check_mode)
    assert caught.value.code == "existing-settings"
    assert "already sets where or how Docker listens: hosts" in caught.value.message
    assert caught.value.message.endswith(f"Docker is down on this host: {reason}")
    assert "Remove it" in caught.value.hint and "journalctl -u docker" in caught.value.hint


def test_refusal_does_not_say_that_docker_is_down_where_it_runs_or_was_stopped(bench: Bench) -> None:
    bench.world.config.write_text(HOSTS)
    bench.machine.stop(with_socket=False)
    with pytest.raises(TlsError) as caught:
        bench.run()
    assert "Docker is down" not in caught.value.message


def test_absent_after_a_renewal_keeps_what_was_edited_before_it(bench: Bench) -> None:
    bench.world.config.write_text('{"debug": true}\n')
    bench.world.boot()
    bench.secure()
    bench.world.config.write_text(bench.world.config.read_text().replace('"debug": true', '"debug": false'))
    assert bench.run(certificate=bench.issue(6))["restarted"]
    bench.run(state="absent")
    assert json.loads(bench.world.config.read_text()) == {"debug": False}


@pytest.mark.parametrize("listener", LISTENERS)
def test_settings_that_the_other_tool_renders_too_need_no_change(bench: Bench, listener: str) -> None:
    """The recipe: the other tool's options have our settings among them."""
    bench.secure(listener=listener)
    rewrite(bench, json.dumps({**OTHERS, **bench.values()}, indent=2, sort_keys=True))
    assert bench.world.tcp == (f"{ADDRESS}:2376",)
    restarts = bench.world.restarts
    assert not bench.run(listener=listener)["changed"]
    assert bench.world.restarts == restarts


def test_settings_that_come_back_without_a_restart_open_the_port_at_the_next_run(bench: Bench) -> None:
    bench.secure(listener="systemd")
    ours = bench.world.config.read_text()
    rewrite(bench)
    bench.world.config.write_text(ours)
    result = bench.run(listener="systemd")
    assert result["reasons"] == ["running-daemon-outdated"]
    assert bench.world.tcp == (f"{ADDRESS}:2376",)


LOST = {
    "rewritten": (b'{"tlsverify": true}', {"debug": True}, True),
    "as it was": (b'{"tlsverify": true}', {"tlsverify": True}, False),
    "under our proxy": (b'{"live-restore": true}', {"live-restore": True}, False),
    "without a file": (b"", {}, False),
    "never": (None, {}, False),
}


@pytest.mark.parametrize(("written", "values", "expected"), LOST.values(), ids=LOST)
def test_settings_are_lost_where_ours_were_there(
    written: bytes | None, values: dict[str, t.Any], expected: bool
) -> None:
    state: t.Any = types.SimpleNamespace(
        record=Record(written_config=written), config_path="/etc/docker/daemon.json", config_values=values
    )
    assert desired_files.settings_are_lost(state) is expected
