# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..modules import authority_info
from ..plugin_utils._action import ModuleAction, Result


class ActionModule(ModuleAction):
    """Read the authorities; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.authority_info"
    MAIN = staticmethod(authority_info.main)
    FACTS = ("docker_ca_authorities", "docker_ca_ledger")

    def predict(self, arguments: Result) -> Result:
        """Return the result of a host without a CA."""
        return {"authorities": {}, "ansible_facts": {"docker_ca_authorities": {}}}
