# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that are written alike: a revocation of one that no certificate has is probably of the other."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import revocation


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("\u0441\u043e\u0440\u0435", "cope"),
        ("\u0430l\u0456\u0441\u0435", "alice"),
        ("\u0440\u0430\u0441\u043e", "paco"),
        ("\u03bf\u03c1\u03b5", "ope"),
        ("arnold", "amold"),
        ("vvendy", "wendy"),
        ("Alice", "alice"),
        ("alcie", "alice"),
    ],
)
def test_name_is_the_other_written_wrongly(name: str, other: str) -> None:
    assert revocation.are_similar(name, other)
    assert revocation.are_similar(other, name)


@pytest.mark.parametrize(
    ("name", "other"), [("ci-1", "ci-2"), ("alice", "bob"), ("\u0436\u0443\u043a", "alice"), ("ci", "cd")]
)
def test_name_is_another_one(name: str, other: str) -> None:
    assert not revocation.are_similar(name, other)
