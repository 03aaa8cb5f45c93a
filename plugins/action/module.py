# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of all modules that need none of their own; ``plugin_routing`` in meta/runtime.yml names it as theirs.

It is their ``action_plugin`` there and not the target of a redirect: with a redirect, Ansible would take the C(module_defaults) of one of them
for those of all (read in ansible-core 2.18 to 2.21: ``Base._resolve_action``).

Ansible loads a module's own action plugin once, before it forks a process for each host, and this one in each of these processes: 0.1 s of
CPU (measured), where no other plugin of ours was loaded before. So a module that a playbook runs first, on all hosts, has its own.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ..plugin_utils._plan import options, signing
from ..plugin_utils._remote.failures import failure
from ..plugin_utils._remote.module_runner import ModuleAction, PassphraseAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet

_COLLECTION = "portcullis.docker_tls"


@dataclass(frozen=True)
class Traits:
    """The settings of a module: ``carried``, ``operator`` as in ModuleAction; ``predicted`` is its result without its library.

    ``bind`` returns the options that a role gives to it, None where it has nothing to do.
    """

    carried: str = ""
    operator: bool = False
    bind: t.Callable[[Bound, str, Fleet], Result | None] | None = None
    predicted: t.Mapping[str, t.Any] = field(default_factory=dict)


def _ca_directory(bound: Bound, role: str, fleet: Fleet) -> Result:
    return {"path": options.ca_path(bound, role, fleet)}


_PLAIN = Traits()
_OPERATOR = Traits(operator=True)
_PASSPHRASE = Traits(carried=PassphraseAction.CARRIED, operator=True)
MODULES: t.Mapping[str, Traits] = {
    "acme_certificate": Traits(
        "the key of the account binding (eab_key)",
        bind=lambda bound, _role, fleet: signing.acme(bound, fleet),
        predicted={"certificate_content": ""},
    ),
    "adopted_authority": replace(_PASSPHRASE, bind=_ca_directory),
    "adoption_repair": _PLAIN,
    "authority_backup": _OPERATOR,
    "authority_generation": _PASSPHRASE,
    "authority_key_info": _PLAIN,
    "authority_passphrase": Traits(
        PassphraseAction.CARRIED, operator=True, predicted={"authorities": [], "unchanged": []}
    ),
    "authority_restore": _PASSPHRASE,
    "ledger_info": Traits(bind=_ca_directory),
    "plain_relay": _PLAIN,
    "portainer_environment": Traits("Portainer's API key"),
    "recorded_certificates": replace(_OPERATOR, bind=_ca_directory),
}


class ActionModule(ModuleAction):
    """Run the module that the task names."""

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._name = str(self._task.action).rpartition(".")[2]
        self.MODULE = f"{_COLLECTION}.{self._name}"
        traits = MODULES.get(self._name, _PLAIN)
        self.CARRIED, self.OPERATOR = traits.carried, traits.operator

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> Result:
        """Return the module's result; a failure for a task that names this plugin itself."""
        if self._name in MODULES:
            return super().run(tmp, task_vars)
        return failure(
            f"{self._task.action} is not a module. It runs the modules {', '.join(MODULES)}",
            f"Name one of them in the task, for example {_COLLECTION}.ledger_info.",
        )

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the options that ``role`` gives to the module."""
        bind = MODULES[self._name].bind
        return bind(bound, role, fleet) if bind else super().of_role(role, bound, fleet)

    def predict(self, arguments: Result) -> Result:
        """Return the result of check mode on a host without the library."""
        del arguments
        return dict(MODULES[self._name].predicted)
