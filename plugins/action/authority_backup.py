# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._remote.module_runner import ModuleAction


class ActionModule(ModuleAction):
    """Back the CA up; the operator is the controller's user."""

    MODULE = "portcullis.docker_tls.authority_backup"
    OPERATOR = True
