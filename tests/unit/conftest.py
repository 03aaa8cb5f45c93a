# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of hypothesis, and the checks of the whole session; the paths for imports are in pyproject.toml."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from support.contracts import session

set_hypothesis_home_dir(Path(__file__).parents[2] / ".cache" / "hypothesis")

# No test fails because of its time: hypothesis's deadline and its check for slow data fail on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Note what the code returns and says from here on."""
    session.begin(config)


def pytest_collection_finish() -> None:
    """Have Python's garbage collection ignore the modules and the thousands of tests: they stay to the end, and forks would copy them."""
    gc.collect()
    gc.freeze()
