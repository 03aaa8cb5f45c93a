# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filtering by source address on real hosts. It fails open where systemd does not filter, so the filter itself is verified."""

from __future__ import annotations

import json
import pathlib

import pytest
from proxy_clients import Clients

from conftest import Host, usual

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


#: A mount namespace in which the unified cgroup hierarchy cannot be seen, as on a host that does not have it.
WITHOUT_CGROUPS = "unshare -m sh -c 'mount -t tmpfs tmpfs /sys/fs/cgroup && exec python3 /opt/faults/on_host.py'"


@pytest.mark.parametrize("listener", ["dockerd", "systemd", "proxy"])
def test_filter_that_cannot_work_is_refused_and_nothing_is_touched(
    host: Host, listener: str, tmp_path: pathlib.Path
) -> None:
    """dockerd's own listener has no filter, and systemd would only log that the kernel cannot filter, and admit all."""
    if listener == "proxy" and host.suite == "bullseye":
        pytest.skip("its HAProxy is too old for the listener proxy")
    host.secure(listener=listener)
    before, clients = host.files(), Clients(host, tmp_path / "alice")
    options = {**usual(), "listener": listener, "allowed_sources": ["192.0.2.0/24"]}
    command = "python3 /opt/faults/on_host.py" if listener == "dockerd" else WITHOUT_CGROUPS
    answer = json.loads(host.sh(command, json.dumps({"options": options}).encode()))
    assert answer["error"]["code"] == "allowed-sources-unsupported"
    assert ("dockerd nothing can filter" if listener == "dockerd" else "cgroup") in answer["error"]["message"]
    assert answer["error"]["hint"]
    assert host.files() == before
    assert clients.status() == "200"


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_limited_rights_are_refused_where_no_proxy_can_keep_them(
    host: Host, listener: str, tmp_path: pathlib.Path
) -> None:
    host.secure(listener=listener)
    before, clients = host.files(), Clients(host, tmp_path / "alice")
    process = host.sh("systemctl show -p MainPID docker")
    answer = host.run(listener=listener, group_rights={"clients": "read-only"}, certificate=host.issue().pem)
    assert answer.error["code"] == "rights-need-proxy"
    assert f"with the listener {listener} every client has all rights on this host" in answer.error["message"]
    assert (host.files(), host.sh("systemctl show -p MainPID docker"), clients.status()) == (before, process, "200")
