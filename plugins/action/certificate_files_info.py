# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._action import ModuleAction
from ..plugin_utils._answers import Maybe


class ActionModule(ModuleAction):
    """Read certificate files; the host's answer sets no variable."""

    MODULE = "portcullis.docker_tls.certificate_files_info"
    ANSWER = {
        "files": [
            {
                **dict.fromkeys(("id", "path", "state", "problem"), str),
                **dict.fromkeys(("certificate_content", "ca_content", "client_ca_content"), str),
                **dict.fromkeys(("key_matches", "configured", "starts_at_boot"), Maybe(bool)),
            }
        ]
    }
