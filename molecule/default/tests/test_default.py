# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest inventory: hosts and a passphrase; the controller is the CA host."""

from common_tests import *  # noqa: F403
