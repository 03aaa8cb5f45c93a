# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._plan import options
from ..plugin_utils._remote.module_runner import CertificateAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet


class ActionModule(CertificateAction):
    """Install a server certificate; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.server_certificate"

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the certificate that was signed for this host, or why none was."""
        del role, fleet
        return options.installation(bound)
