# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._remote.module_runner import PassphraseAction, Result


class ActionModule(PassphraseAction):
    """Change the passphrase; the old and the new one go through a pipe."""

    MODULE = "portcullis.docker_tls.authority_passphrase"

    def predict(self, arguments: Result) -> Result:
        """Return a result without ids: the CA cannot be read."""
        del arguments
        return {"authorities": [], "unchanged": []}
