# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..modules import endpoint_info
from ..plugin_utils._action import SecretAction


class ActionModule(SecretAction):
    """Send the good client's key through a pipe, never through a file."""

    MODULE = "portcullis.docker_tls.endpoint_info"
    MAIN = staticmethod(endpoint_info.main)
    CARRIED = "the client's key"
