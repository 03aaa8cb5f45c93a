# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._remote.module_runner import ModuleAction


class ActionModule(ModuleAction):
    """Relay a plain port; the host's answer sets no variable."""

    MODULE = "portcullis.docker_tls.plain_relay"
