# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which HAProxy is good enough."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.state import (
    Package,
    check_package,
    parse_version,
)


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nStatus: long-term\n", (2, 6, 12)),
        ("HA-Proxy version 2.2.9-2+deb11u7 2025/04/23 - https://haproxy.org/", (2, 2, 9)),
        ("HAProxy version 3.2-dev5-0ubuntu1 2025/02/09", (3, 2)),
        ("haproxy: command not found", ()),
        ("", ()),
    ],
    ids=["bookworm", "bullseye", "development", "error", "nothing"],
)
def test_version_is_read_from_what_haproxy_prints(output: str, version: tuple[int, ...]) -> None:
    assert parse_version(output) == version


@pytest.mark.parametrize("version", [(2, 6), (2, 6, 0), (3, 2, 26), (10, 0)])
def test_new_enough_package_is_accepted(version: tuple[int, ...]) -> None:
    check_package(Package(version, has_account=True))


@pytest.mark.parametrize(
    ("package", "code"),
    [
        (Package(), "proxy-package-missing"),
        (Package((), has_account=True), "proxy-package-missing"),
        (Package((3, 0, 11), has_account=False), "proxy-package-missing"),
        (Package((2, 5, 99), has_account=True), "proxy-package-too-old"),
        (Package((1, 8), has_account=True), "proxy-package-too-old"),
    ],
)
def test_other_package_is_refused_with_the_reason(package: Package, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        check_package(package)
    assert caught.value.code == code
    assert "docker_daemon_listener" in caught.value.hint
    assert package.text in caught.value.message
