# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._action import ModuleAction, Result


class ActionModule(ModuleAction):
    """Install client bundles; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.certificate_bundles"

    def predict(self, arguments: Result) -> Result:
        """Return every bundle without its certificate."""
        return {
            "bundles": [
                {
                    "id": bundle.get("id", ""),
                    "directory": bundle.get("directory", ""),
                    "certificate": None,
                    "reasons": ["cryptography-missing"],
                }
                for bundle in arguments.get("bundles", [])
            ]
        }
