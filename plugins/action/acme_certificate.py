# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._plan import signing
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet


class ActionModule(ModuleAction):
    """Order a certificate; the key of the account binding goes through a pipe."""

    MODULE = "portcullis.docker_tls.acme_certificate"
    CARRIED = "the key of the account binding (eab_key)"

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the order of this host, None where it awaits no certificate."""
        del role
        return signing.acme(bound, fleet)

    def predict(self, arguments: Result) -> Result:
        """Return the result of check mode."""
        del arguments
        return {"certificate_content": ""}
