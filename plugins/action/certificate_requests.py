# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..modules import certificate_requests
from ..plugin_utils import _prepared
from ..plugin_utils._action import ModuleAction, Result


class ActionModule(ModuleAction):
    """Decide what is due; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.certificate_requests"
    MAIN = staticmethod(certificate_requests.main)
    ANSWER = {"requests": [{"reasons": [str]}]}

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return what the look at this host has brought for the same requests; else the module's result."""
        prepared = arguments.pop("prepared", None)
        if prepared and not self._task.check_mode:
            result = _prepared.take(prepared, arguments.get("requests"))
            if result is not None:
                return self._admitted(result)
        return super().run_module(arguments, package, task_vars)

    def predict(self, arguments: Result) -> Result:
        """Return every identity as due: without the library nothing that is there can be read."""
        return {
            "requests": [
                {
                    "id": request.get("id", ""),
                    "profile": request.get("profile", ""),
                    "action": "issue",
                    "reasons": ["cryptography-missing"],
                    "request_content": "",
                    "common_name": request.get("common_name") or "",
                    "names": list(request.get("names") or []),
                    "key_type": request.get("key_type", "ecdsa-p256"),
                    "certificate": None,
                    "authority_fingerprint_sha256": "",
                }
                for request in arguments.get("requests", [])
            ]
        }
