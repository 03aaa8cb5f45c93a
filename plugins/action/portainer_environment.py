# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._remote.module_runner import ModuleAction


class ActionModule(ModuleAction):
    """Run the module with the API key sent through a pipe, or not at all."""

    MODULE = "portcullis.docker_tls.portainer_environment"
    CARRIED = "Portainer's API key"
