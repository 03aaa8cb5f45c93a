# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..plugin_utils._plan import signing
from ..plugin_utils._remote import external_issuers, local
from ..plugin_utils._remote.external_issuers import IssuingAction
from ..plugin_utils._remote.module_runner import Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet

#: Strategies of ansible-core that run a run_once task for every host.
_WITHOUT_BATCHES = ("free", "host_pinned")


def _strategy(task: t.Any) -> str:
    """Return the strategy of the play of a task."""
    parent = getattr(task, "_parent", None)
    while parent is not None:
        play = getattr(parent, "_play", None)
        if play is not None:
            return str(play.strategy)
        parent = getattr(parent, "_parent", None)
    return ""


class ActionModule(IssuingAction):
    """Sign a batch; the passphrase goes through a pipe. What other issuers are to issue is asked for beside it."""

    MODULE = "portcullis.docker_tls.signed_certificates"
    MAIN = staticmethod(local.main_of("signed_certificates"))
    OF_ROLES = ("answered",)

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the requests of all hosts of the batch. Raises ValueError for a play that would sign it for each of them."""
        strategy = _strategy(self._task)
        if strategy.rpartition(".")[2] in _WITHOUT_BATCHES:
            raise ValueError(
                f"the strategy of this play is {strategy}, with which every host would have the certificates of all hosts signed. Write strategy: "
                "linear into the play, or leave ANSIBLE_STRATEGY unset"
            )
        if self._task.args.get("answered"):
            found = signing.answered(bound, role, fleet)
            return {signing.EXTERNAL: found} if found else None
        return signing.batch(bound, role, fleet)

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the certificates of the CA and of other issuers."""
        external = arguments.pop(signing.EXTERNAL, None)
        outcome: Result = {"changed": False, "certificates": {}, "rejected": {}}
        if external is None or "path" in arguments:
            outcome = super().run_module(arguments, package, task_vars)
        if external is None or outcome.get("failed"):
            return outcome
        tasks, place = external.pop(signing.TASKS, {}), external.pop(signing.LEDGER, {})
        issued = self.issue(external, place, task_vars, diff=bool(getattr(self._task, "diff", False)))
        merged = external_issuers.with_issued(outcome, issued, [str(one["id"]) for one in external["requests"]])
        if "answers" in external:
            return external_issuers.answered(merged)
        files = {tasks[one["authority"]] for one in merged["pending"] if one["authority"] in tasks}
        return {**merged, "issuer_tasks": sorted(files)}

    def predict(self, arguments: Result) -> Result:
        """Return certificates without contents."""
        nothing = {"certificate_content": "", "authority_content": "", "certificate": None}
        return {
            "certificates": {str(request["id"]): dict(nothing) for request in arguments.get("requests", [])},
            "rejected": {},
            "authorities": {},
        }
