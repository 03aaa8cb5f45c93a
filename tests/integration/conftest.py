# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of ansible-playbook against this machine. Their results count in the checks of the whole session, as in tests/unit."""

from __future__ import annotations

import pytest

from support.contracts import session


def pytest_configure(config: pytest.Config) -> None:
    """Note what the code returns and says from here on."""
    session.begin(config)
