# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The name of this host, whatever its resolver says."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import request_names


@pytest.mark.parametrize(
    ("resolver", "hostname", "expected"),
    [
        ("docker1.example.org", "docker1", "docker1.example.org"),
        ("docker1", "docker1", "docker1"),
        ("localhost", "docker1", "docker1"),
        ("localhost.localdomain", "docker1", "docker1"),
        ("ip6-localhost", "docker1", "docker1"),
        ("my docker", "docker1", "docker1"),
    ],
)
def test_host_fqdn_localhost_falls_back_to_the_hostname(
    monkeypatch: pytest.MonkeyPatch, resolver: str, hostname: str, expected: str
) -> None:
    monkeypatch.setattr(request_names.socket, "getfqdn", lambda: resolver)
    monkeypatch.setattr(request_names.socket, "gethostname", lambda: hostname)
    assert request_names.host_fqdn() == expected
