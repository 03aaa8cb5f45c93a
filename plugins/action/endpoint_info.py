# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..modules import endpoint_info
from ..plugin_utils._bound import Bound
from ..plugin_utils._plan import verification
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables import Fleet


class ActionModule(ModuleAction):
    """Send the good client's key through a pipe, never through a file."""

    MODULE = "portcullis.docker_tls.endpoint_info"
    MAIN = staticmethod(endpoint_info.main)
    CARRIED = "the client's key"

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return how the endpoint of this host is verified, None where it is not."""
        del role
        return verification.endpoint(bound, fleet)
