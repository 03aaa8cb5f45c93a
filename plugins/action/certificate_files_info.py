# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._remote.module_runner import ModuleAction


class ActionModule(ModuleAction):
    """Read certificate files. Its own plugin, because status.yml begins with it on all hosts (``module.py``)."""

    MODULE = "portcullis.docker_tls.certificate_files_info"
