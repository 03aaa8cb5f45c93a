# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..plugin_utils import _preflight
from ..plugin_utils._bound import Bound
from ..plugin_utils._output import verification
from ..plugin_utils._plan import revocation, site
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables import Fleet

Part = t.Callable[[Bound, Fleet], t.Any]


class ActionModule(ModuleAction):
    """Make a part of the plan from the inventory, the hosts' answers and the CA's state. Nothing runs on a host."""

    _requires_connection = False

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the part that is asked for."""
        del package
        validate: t.Any = self.validate_argument_spec
        _unused, options = validate(OPTIONS)
        bound = Bound(task_vars, self._templar.template)
        fleet = self._fleet(bound)
        if options["part"] == "inventory":
            return _inventory(bound, fleet)
        if options["part"] == "unfinished":
            return _unfinished(bound, fleet)
        return {"changed": False, "plan": PARTS[options["part"]](bound, fleet)}


def _inventory(bound: Bound, fleet: Fleet) -> Result:
    """Fail where the inventory cannot work, before any host is touched."""
    problems = _preflight.inventory_problems(bound.groups(), fleet)
    if not problems:
        return {"changed": False, "plan": {}}
    hint = "Correct the inventory, or what the playbook and the command line give; nothing was changed."
    return {"failed": True, "changed": False, "msg": " ".join(problems), "hint": hint, "code": "inventory-invalid"}


def _unfinished(bound: Bound, fleet: Fleet) -> Result:
    sentences = site.unfinished(bound, fleet)
    if not sentences:
        return {"changed": False, "plan": {}}
    hint = "Run portcullis.docker_tls.site for the whole inventory, without --limit, --tags and --start-at-task."
    return {"failed": True, "changed": False, "msg": " ".join(sentences), "hint": hint, "code": "run-unfinished"}


PARTS: dict[str, Part] = {
    "site": site.site,
    "revocation": site.revocation,
    "revocation_report": lambda bound, fleet: {"rows": revocation.revocation_rows(bound.groups(), fleet)},
    "verification_report": lambda bound, fleet: {
        "rows": verification.proof_rows(
            bound.groups().get("docker_hosts") or [], fleet, bound.raw("__docker_verify_access")
        )
    },
}
OPTIONS: dict[str, t.Any] = {
    "part": {"type": "str", "required": True, "choices": ["inventory", "unfinished", *PARTS]},
}
