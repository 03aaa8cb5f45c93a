# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._action import Result, SecretAction


class ActionModule(SecretAction):
    """Order a certificate; the key of the account binding goes through a pipe."""

    MODULE = "portcullis.docker_tls.acme_certificate"
    CARRIED = "the key of the account binding (eab_key)"

    def predict(self, arguments: Result) -> Result:
        """Return the result of check mode."""
        del arguments
        return {"certificate_content": ""}
