# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an action does where other issuers sign: ask them from this process, then record what they signed on the CA host."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from . import controller, external_issuers
from .module_runner import PassphraseAction, Result
from .time_limit import TimeLimitExceeded


class IssuingAction(PassphraseAction):
    """An action that has certificates signed by the CA, by other issuers, or by both."""

    MORE = external_issuers.MAINS

    def secret(self, arguments: Result) -> str:
        """Return what is secret in the arguments: what is recorded is not."""
        return super().secret(arguments) if "passphrase" in arguments else ""

    def issue(self, external: Result, place: t.Mapping[str, t.Any], task_vars: Result, *, diff: bool = False) -> Result:
        """Return the result of M(issued_certificates), recorded in the ledger at ``place``; in check mode nothing is asked for."""
        check = bool(self._task.check_mode)
        issued = external_issuers.issue(external, check_mode=check, diff=diff)
        arguments = None if check else external_issuers.record(external, issued, place)
        if arguments is None:
            return issued
        try:
            recorded = self.execute(external_issuers.RECORD, {"operator": controller.user(), **arguments}, task_vars)
        except (AnsibleError, TimeLimitExceeded) as error:
            # Certificates that were issued are not lost because the CA host went away.
            recorded = {"failed": True, "msg": f"the CA host does not answer: {error}"}
        return external_issuers.with_record(issued, recorded)
