# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A newer version of the collection writes other words into the proxy's unit."""

from __future__ import annotations

import pathlib

import pytest
from proxy_clients import Clients, Prober

from conftest import Host

UNIT = "/etc/systemd/system/docker-tls-proxy.service"


def test_unit_of_which_only_a_comment_differs_interrupts_no_connection(host: Host, tmp_path: pathlib.Path) -> None:
    if host.suite == "bullseye":
        pytest.skip("its HAProxy is too old for the listener proxy")
    host.secure(listener="proxy")
    host.sh(f"sed -i 's/^# Certificate and key.*/# older words/' {UNIT}; systemctl daemon-reload")
    master = host.sh("systemctl show -p MainPID --value docker-tls-proxy")
    with Prober(Clients(host, tmp_path / "alice")) as prober:
        prober.wait_for(10)
        done = host.run(listener="proxy")
        prober.wait_for(prober.answered + 10)
    assert done.reasons == ["proxy-unit-changed"], done
    assert prober.failures == []
    assert host.sh("systemctl show -p MainPID --value docker-tls-proxy") == master
    assert "older words" not in host.sh(f"cat {UNIT}")
    assert host.sh("systemctl show -p NeedDaemonReload --value docker-tls-proxy") == "no"
    assert not host.run(listener="proxy").result["changed"]
