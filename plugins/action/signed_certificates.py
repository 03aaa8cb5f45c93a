# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..modules import signed_certificates
from ..plugin_utils._action import PassphraseAction, Result
from ..plugin_utils._bound import Bound
from ..plugin_utils._plan import signing
from ..plugin_utils._variables import Fleet


class ActionModule(PassphraseAction):
    """Sign a batch; the passphrase goes through a pipe."""

    MODULE = "portcullis.docker_tls.signed_certificates"
    MAIN = staticmethod(signed_certificates.main)

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return what is to be signed for all hosts of the batch."""
        return signing.batch(bound, role, fleet)

    def predict(self, arguments: Result) -> Result:
        """Return certificates without contents."""
        nothing = {"certificate_content": "", "authority_content": "", "certificate": None}
        return {
            "certificates": {str(request["id"]): dict(nothing) for request in arguments.get("requests", [])},
            "rejected": {},
            "authorities": {},
        }
