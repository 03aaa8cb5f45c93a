# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._action import ModuleAction, Result, SecretAction


class ActionModule(SecretAction):
    """Install client bundles; install cryptography where it is missing. A passphrase goes through a pipe, or not at all."""

    MODULE = "portcullis.docker_tls.certificate_bundles"
    CARRIED = "the passphrase of client.p12"

    def execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        """Return the module's result; only where a passphrase is sent need the connection know pipelining."""
        if any(bundle.get("pkcs12_passphrase") for bundle in arguments.get("bundles", []) if isinstance(bundle, dict)):
            return super().execute(module, arguments, task_vars)
        return ModuleAction.execute(self, module, arguments, task_vars)

    def predict(self, arguments: Result) -> Result:
        """Return every bundle without its certificate."""
        return {
            "bundles": [
                {
                    "id": bundle.get("id", ""),
                    "directory": bundle.get("directory", ""),
                    "certificate": None,
                    "formats": {},
                    "reasons": ["cryptography-missing"],
                }
                for bundle in arguments.get("bundles", [])
            ]
        }
