# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._fleet import advice
from ..plugin_utils._plan import access_lists, issuer_settings, options
from ..plugin_utils._plan.revocation import READ
from ..plugin_utils._remote import external_issuers, local
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet


class ActionModule(ModuleAction):
    """Read the authorities; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.authority_info"
    MAIN = staticmethod(local.main_of("authority_info"))
    OF_ROLES = ("with_clients", "unless_revoked")
    _fails = _warns = False

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return where the CA is, and with ``with_clients``, or for docker_daemon used by itself, every client of the inventory."""
        asked = {name: self._task.args.get(name, False) for name in ("with_clients", "unless_revoked")}
        # In a playbook of the roles nothing else compares the revoked clients with the hosts' admitted groups; verify.yml reports them itself.
        self._warns = (
            role == "docker_daemon" and bound.raw(READ) is None and not bound.raw("__docker_daemon_keep_going")
        )
        clients = options.everybody(bound, fleet) if any(asked.values()) or self._warns else []
        self._fails = bool(asked["unless_revoked"])
        if self._fails and not any(one["state"] == "revoked" for one in clients):
            return None
        return {"path": options.ca_path(bound, role, fleet), **({"clients": clients} if clients else {})}

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result with the hosts that each certificate opens, and the revocation lists of other issuers."""
        bound = Bound(task_vars, self._templar.template)
        groups, fleet = bound.groups(), self._fleet(bound)
        lists: dict[str, Result] = {}
        # Every reader of the authorities in this run needs those of other issuers too: status, verification, rotation.
        if "issuers" not in arguments:
            issuers = options.issuers(bound, fleet)
            lists = external_issuers.read(issuers, lambda: access_lists.groups_of_proxies(groups, fleet))
            arguments["issuers"] = external_issuers.with_lists(issuer_settings.anchors(issuers), lists)
        if arguments.get("clients"):
            arguments.setdefault("revocation_list_groups", options.groups_by_list(bound, fleet))
        outcome = external_issuers.completed(super().run_module(arguments, package, task_vars), lists)
        found = access_lists.with_hosts(outcome, groups, fleet)
        if self._warns and found.get("revocations_deferred"):
            found["warnings"] = [*(found.get("warnings") or []), *map(_still_admitted, found["revocations_deferred"])]
        deferred = found.get("revocations_deferred") if self._fails else None
        return {**found, **incomplete(deferred, predicting=bool(self._task.check_mode))} if deferred else found

    def predict(self, arguments: Result) -> Result:
        """Return the result of a host without a CA."""
        nothing: Result = {"compared": False, "revoked": [], "unlisted": [], "revocations_deferred": []}
        return {**nothing, "authorities": {}, "ansible_facts": {"docker_ca_authorities": {}}}


def _still_admitted(one: t.Mapping[str, t.Any]) -> str:
    clients, generations = (", ".join(map(str, one.get(name) or [])) for name in ("clients", "generations"))
    hosts = list(one.get("hosts") or [])
    return (
        f"{clients} is revoked in the inventory, and {advice.named(hosts) or 'no host'} {'admit' if len(hosts) > 1 else 'admits'} certificates "
        f"of {generations}. "
        "The role docker_daemon revokes no client. Run portcullis.docker_tls.site for the whole inventory."
    )


def incomplete(deferred: t.Sequence[t.Mapping[str, t.Any]], *, predicting: bool) -> Result:
    """Return the failure of a playbook of roles, which cannot complete a revocation."""
    clients, generations = (
        ", ".join(dict.fromkeys(str(each) for one in deferred for each in one[name]))
        for name in ("clients", "generations")
    )
    return {
        "failed": True,
        "code": "revocation-incomplete",
        "msg": f"The revocation of {clients} {'would not be' if predicting else 'is not'} complete: hosts that still trust {generations} "
        "admit these clients. The roles alone do not complete it.",
        "hint": "Write state revoked in the inventory, and run the playbook portcullis.docker_tls.site for the whole inventory.",
    }
