# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of tables on Ansible's display, coloured by their first word."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run_output


@pytest.mark.parametrize(
    ("line", "coloured"),
    [
        ("CRITICAL  web1", True),
        ("CRITICAL: 1 critical", True),
        ("FAILED  web1", True),
        ("NOT VERIFIED: 1 of 2 hosts", True),
        ("UNREACHABLE  web1", True),
        ("changed  web1", True),
        ("ok        web1", True),
        ("          ^ expired", False),
        ("Docker hosts", False),
        ("", False),
    ],
)
def test_colour_is_that_of_the_first_word(line: str, coloured: bool) -> None:
    assert bool(run_output.colour(line)) is coloured
