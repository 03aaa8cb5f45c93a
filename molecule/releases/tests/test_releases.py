# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of the default scenario, on every release."""

from common_tests import *  # noqa: F403
