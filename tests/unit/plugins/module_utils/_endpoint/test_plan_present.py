# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace as Given
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import plan
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.desired_files import wanted_settings

TCP = "tcp://10.0.0.5:2376"


@pytest.mark.parametrize(
    ("unit", "listed", "expected"),
    [
        (("fd://",), None, ["fd://", TCP]),
        ((), None, ["unix:///var/run/docker.sock", TCP]),
        ((), ["fd://", "tcp://127.0.0.1:2377"], ["fd://", TCP]),
        ((), ["unix:///srv/docker.sock", TCP], ["unix:///srv/docker.sock", TCP]),
        ((), "fd://", ["unix:///var/run/docker.sock", TCP]),
    ],
    ids=["unit-names-fd", "nobody-names-any", "adopted-file-names-fd", "adopted-file-names-a-socket", "file-is-wrong"],
)
def test_local_listeners_stay_whoever_named_them(unit: tuple[str, ...], listed: Any, expected: list[str]) -> None:
    state = Given(
        config_values={} if listed is None else {"hosts": listed}, socket_usable=True, socket_streams=(), engine=None
    )
    options = Given(listener="dockerd", directory="/etc/docker/certs", live_restore="keep")
    settings = wanted_settings(state, options, Given(urls=lambda: [TCP]), Given(hosts=unit, flags=()))
    assert settings["hosts"] == expected


OTHER = "tcp://0.0.0.0:2377"
#: ``hosts`` of daemon.json before and after, and why they change. The endpoint is to listen on TCP.
LISTENERS: dict[str, tuple[list[str] | None, list[str] | None, str]] = {
    "other-address": (["fd://", OTHER], ["fd://", TCP], "listen-changed"),
    "one-address-more": (["fd://", TCP], ["fd://", TCP, OTHER], "listen-changed"),
    "dockerd-to-proxy": (["fd://", TCP], None, "listener-changed"),
    "dockerd-to-proxy-and-other-address": (["fd://", OTHER], None, "listen-changed"),
    "dockerd-to-systemd": (["fd://", TCP], ["fd://"], "listener-changed"),
    "proxy-to-dockerd": (None, ["fd://", TCP], "listener-changed"),
    "systemd-to-dockerd": (["fd://"], ["fd://", TCP], "listener-changed"),
    "local-sockets-only": (["fd://", TCP], ["unix:///run/x.sock", TCP], "daemon-json-changed"),
    "no-list": ("tcp://x", ["fd://", TCP], "listener-changed"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize(("before", "after", "reason"), LISTENERS.values(), ids=LISTENERS)
def test_reason_for_other_hosts_tells_addresses_from_listeners(
    before: list[str] | None, after: list[str] | None, reason: str
) -> None:
    old, new = ({"tlsverify": True, **({} if hosts is None else {"hosts": hosts})} for hosts in (before, after))
    assert plan.config_reasons(old, new, addresses=[TCP[len("tcp://") :]]) == (reason,)
