# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of a certificate stand for an address."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import certificate_checks


@pytest.mark.parametrize(
    ("names", "address", "expected"),
    [
        (("web.example.org",), "web.example.org", True),
        (("web.example.org",), "WEB.example.org.", True),
        (("*.example.org",), "web.example.org", True),
        (("*.example.org",), "a.web.example.org", False),
        (("*.example.org",), "example.org", False),
        (("*.",), "web", False),
        (("10.0.0.5",), "10.0.0.5", True),
        (("10.0.0.5",), "10.0.0.50", False),
        (("fd00::5",), "FD00:0::5", True),
        (("*.0.0.5",), "10.0.0.5", False),
        ((), "web", False),
    ],
)
def test_covers_follows_the_rules_of_clients(names: tuple[str, ...], address: str, expected: bool) -> None:
    assert certificate_checks.covers(names, address) is expected
