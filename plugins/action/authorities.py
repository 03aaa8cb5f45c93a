# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._errors import TlsError
from ..modules import authorities
from ..plugin_utils._plan import access_lists, locations, options
from ..plugin_utils._remote import external_issuers
from ..plugin_utils._remote.module_runner import PassphraseAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet


class ActionModule(PassphraseAction):
    """Make authorities; the passphrase goes through a pipe."""

    MODULE = "portcullis.docker_tls.authorities"
    MAIN = staticmethod(authorities.main)

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the authorities that the role's variables describe, and every client. Raises TlsError ``inventory-invalid`` on several hosts."""
        del role
        hosts = [str(host) for host in bound.raw("ansible_play_hosts_all") or ()]
        if len(hosts) > 1:
            raise TlsError(
                f"docker_ca was to run on {', '.join(hosts)}: authorities live on exactly one host",
                hint="Leave one host in the group docker_ca, or none for the controller.",
                code="inventory-invalid",
            )
        left_out = locations.hosts_outside_limit(self, bound)
        return {**options.wanted_authorities(bound, fleet), "revocation_deferred": bool(left_out)}

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result with the hosts that each certificate opens, and the revocation lists of other issuers."""
        bound = Bound(task_vars, self._templar.template)
        groups, fleet = bound.groups(), self._fleet(bound)
        issuers = options.issuers(bound, fleet) if arguments.get("issuers") else []
        lists = external_issuers.read(issuers, lambda: access_lists.groups_of_proxies(groups, fleet))
        if lists:
            arguments["issuers"] = external_issuers.with_lists(arguments["issuers"], lists)
        outcome = external_issuers.completed(super().run_module(arguments, package, task_vars), lists)
        return access_lists.with_hosts(outcome, groups, fleet)

    def predict(self, arguments: Result) -> Result:
        """Return authorities without contents: the CA cannot be read, so all are foretold as new."""
        groups = arguments.get("access_groups", ["clients"])
        authorities = {
            name: {
                "id": f"{name}-g1",
                "name": name,
                "purpose": "client" if position else "server",
                "generation": 1,
                "adopted": False,
                "certificate_content": "",
                "trusted_content": "",
                "crl_content": "",
                "certificate": None,
                "generations": [],
            }
            for position, name in enumerate(["server", *(groups if isinstance(groups, list) else [groups])])
        }
        nothing: Result = {
            "revocations": [],
            "revocations_deferred": [],
            "revoked_certificates": [],
            "revoked_unknown": [],
            "unlisted": [],
            "revoked": [],
        }
        return {**nothing, "authorities": authorities, "ansible_facts": {"docker_ca_authorities": authorities}}
