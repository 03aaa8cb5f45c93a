# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run of site.yml with the listener proxy leaves, before the other tests of this directory change it."""

from __future__ import annotations

import json
from typing import Any

from test_proxy import owner

testinfra_hosts = ["ansible://docker_hosts"]


def test_proxy_holds_the_port_and_dockerd_was_not_restarted(host: Any) -> None:
    assert owner(host) == "haproxy"
    assert host.check_output("journalctl -b -u docker -o cat | grep -c 'Starting up'") == "1"
    assert {"hosts", "tls", "tlsverify"}.isdisjoint(json.loads(host.file("/etc/docker/daemon.json").content_string))
    assert host.run("systemctl is-enabled haproxy").stdout.strip() == "disabled"
    assert host.run("systemctl is-active haproxy").stdout.strip() != "active"
