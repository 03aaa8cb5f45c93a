# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filtering by source address on real hosts. It fails open where systemd does not filter, so the filter itself is verified."""

from __future__ import annotations

import pathlib

import pytest
from proxy_clients import Clients

from conftest import Host

UNITS = {"systemd": "docker-tls.socket", "proxy": "docker-tls-proxy.service"}
SECTIONS = {"systemd": "Socket", "proxy": "Service"}


@pytest.mark.parametrize("listener", ["systemd", "proxy"])
def test_filter_that_another_drop_in_opens_is_noticed(host: Host, listener: str, tmp_path: pathlib.Path) -> None:
    if listener == "proxy" and host.suite == "bullseye":
        pytest.skip("its HAProxy is too old for the listener proxy")
    host.secure(listener=listener)
    before, clients = host.files(), Clients(host, tmp_path / "alice")
    directory = f"/etc/systemd/system/{UNITS[listener]}.d"
    host.put(f"{directory}/other.conf", f"[{SECTIONS[listener]}]\nIPAddressAllow=any\n")
    try:
        answer = host.run(listener=listener, allowed_sources=["192.0.2.0/24"])
        assert answer.error["code"] == "verification-failed"
        assert "other-source-refused" in answer.error["message"] or "source" in answer.error["message"]
        assert host.files() == before
        assert clients.status() == "200"
    finally:
        host.sh(f"rm -rf {directory}; systemctl daemon-reload")
    assert not host.run(listener=listener, allowed_sources=["192.0.2.0/24"]).error
    assert clients.status("/_ping", "-m", "2") == "000"
