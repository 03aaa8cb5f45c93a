# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.utils.vars import load_extra_vars

from ..module_utils._errors import TlsError
from ..module_utils._outcome import require_cryptography
from ..plugin_utils._output import run_output
from ..plugin_utils._plan import registered, revocation, rotation, site
from ..plugin_utils._plan.locations import CONTROLLER
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._validate import (
    preflight,
    surroundings,
    written_values,
)
from ..plugin_utils._variables.binding import Bound, Unresolved
from ..plugin_utils._variables.fleet_variables import Fleet

#: What playbooks plan first, and what those that work on the Docker hosts do.
_FIRST = ("inventory", "controller", "settings", "secrets", "record")
_OF_THE_HOSTS = ("inventory", "controller")

Part = t.Callable[[Bound, Fleet, t.Mapping[str, t.Any]], t.Any]


class ActionModule(ModuleAction):
    """Make a part of the plan from the inventory, the hosts' answers and the CA's state. Nothing runs on a host."""

    _requires_connection = False

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the part that is asked for, after showing its lines where it has some."""
        del package
        validate: t.Any = self.validate_argument_spec
        _unused, options = validate(OPTIONS)
        bound = Bound(task_vars, self._templar.template)
        _check_settings(bound)
        fleet = self._fleet(bound)
        warnings = self._warnings(options["part"], bound, fleet)
        try:
            plan = PARTS[options["part"]](bound, fleet, options["settings"])
        except (Unresolved, ValueError) as error:
            hint = "Correct the inventory, the playbook or the command line; nothing was changed."
            raise TlsError(f"the plan cannot be made: {error}", hint=hint, code="inventory-invalid") from error
        except TlsError as error:
            if not warnings or error.code != "inventory-invalid":
                raise
            # A variable that is missing may be the one that is misspelt.
            raise TlsError(" ".join([error.message, *warnings]), hint=error.hint, code=error.code) from error
        run_output.show(self._display, plan.get("lines") or [])
        return {"changed": False, "plan": {**plan, **({"warnings": warnings} if warnings else {})}}

    def _warnings(self, part: str, bound: Bound, fleet: Fleet) -> list[str]:
        """Show and return what does not keep a playbook from working, and is probably not meant, in the first tasks of each."""
        if part not in _FIRST:
            return []
        groups = bound.groups()
        hosts = dict.fromkeys(host for name in surroundings.OURS for host in groups.get(name) or ())
        known = {host: fleet[host].written for host in (*hosts, CONTROLLER) if host in fleet}
        found = surroundings.name_warnings(known, bound.written(), lambda: load_extra_vars(self._loader), groups)
        if part in _OF_THE_HOSTS:
            found += surroundings.source_warnings(_sources(bound), groups)
        for warning in found:
            self._display.warning(warning)
        return found


def _check_settings(bound: Bound) -> None:
    """Raise TlsError for what no playbook can work with, before one goes by it: no inventory, several CA hosts, no localhost, a wrong HOME."""
    _without(surroundings.source_problems(_sources(bound), bound.groups()))
    names = (*surroundings.BOOLEANS, *surroundings.NUMBERS, *surroundings.CHOICES)
    given = {name: bound.get(name) for name in names if bound.is_given(name)}
    wrong = [*preflight.place_problems(bound.groups()), *surroundings.home_problems(os.environ)]
    given_paths = {name: bound.get(name) for name in written_values.OF_PLAYBOOKS if bound.is_given(name)}
    _without(
        [
            *wrong,
            *surroundings.play_problems(given),
            *written_values.of_playbooks(given_paths, bound.raw("docker_adopt_authorities")),
        ]
    )


def _inventory(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    """Raise TlsError where the inventory cannot work, before any host is touched."""
    del settings
    if "always" in (bound.raw("ansible_skip_tags") or ()):
        raise TlsError(
            "--skip-tags always leaves out the inspection of the hosts and the plan, without which no run may change anything",
            hint="Run portcullis.docker_tls.site without it.",
            code="run-unfinished",
        )
    predicting = bool(bound.raw("ansible_check_mode"))
    return _without(preflight.inventory_problems(bound.groups(), fleet, predicting=predicting))


def _sources(bound: Bound) -> list[str]:
    return [str(one) for one in bound.raw("ansible_inventory_sources") or ()]


def _site(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    """Return the plan of site.yml. A run that began behind the check of the inventory makes it here: nothing has been signed yet."""
    if not registered.inventory_is_checked(bound.groups(), fleet):
        _inventory(bound, fleet, settings)
    return site.site(bound, fleet)


def _secrets(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    """Raise TlsError for secrets that Ansible would take for templates, before one is evaluated."""
    del settings
    return _without(preflight.secret_problems(bound.groups(), fleet))


def _without(problems: t.Sequence[str]) -> Result:
    if problems:
        hint = "Correct the inventory, the playbook or the command line; nothing was changed."
        raise TlsError(" ".join(problems), hint=hint, code="inventory-invalid")
    return {}


def _controller(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    """Raise TlsError where --limit excludes the controller from a playbook that plans and reports there."""
    del fleet, settings
    if CONTROLLER not in (bound.raw("ansible_play_hosts_all") or ()):
        limit = str(bound.raw("ansible_limit") or "")
        raise TlsError(
            f"--limit {limit} excludes localhost, where this playbook makes its plan and reports, so nothing would happen",
            hint=f"Add it: --limit {limit},{CONTROLLER}. Excluded hosts count as not reached.",
            code="controller-excluded",
        )
    return {}


def _revocation_report(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    from ..plugin_utils._plan import revocation_report

    del settings
    groups = bound.groups()
    return {"rows": revocation_report.rows(groups, fleet), "verified": revocation_report.verified(groups, fleet)}


def _unfinished(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    del settings
    incomplete = registered.unfinished(bound, fleet)
    if incomplete:
        message, hint = (" ".join(dict.fromkeys(texts)) for texts in zip(*incomplete))
        raise TlsError(message, hint=hint, code="run-unfinished")
    return {}


def _rotation(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    require_cryptography()
    return rotation.rotation(bound, fleet, settings)


def _verification(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    from ..plugin_utils._output import run_output

    del settings
    hosts = bound.groups().get("docker_hosts") or []
    return {"rows": run_output.verification_rows(hosts, fleet, bound.raw("__docker_verify_access"))}


def _adoption(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    from ..plugin_utils._plan import adoption

    return adoption.adoption(bound, fleet, settings)


def _adoption_keys(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    from ..plugin_utils._plan import adoption

    del settings
    return adoption.adoption_keys(bound, fleet)


def _record(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    from ..plugin_utils._plan import adoption

    del settings
    return adoption.record(bound, fleet)


def _status(bound: Bound, fleet: Fleet, settings: t.Mapping[str, t.Any]) -> Result:
    from ..plugin_utils._plan import status

    return status.status(bound, fleet, settings)


# What only other playbooks than site.yml plan is imported where it is planned: Ansible compiles all of it again in every run.
PARTS: dict[str, Part] = {
    "controller": _controller,
    "settings": lambda _bound, _fleet, _settings: {},
    "inventory": _inventory,
    "secrets": _secrets,
    "site": _site,
    "revocation": lambda bound, fleet, _settings: revocation.plan(bound, fleet),
    "revocation_report": _revocation_report,
    "unfinished": _unfinished,
    "verification_report": _verification,
    "rotation": _rotation,
    "status": _status,
    "adoption_keys": _adoption_keys,
    "adoption": _adoption,
    "record": _record,
    "rotation_start": lambda _bound, _fleet, settings: registered.rotation_start(settings),
    "rotation_phase": lambda bound, _fleet, _settings: registered.rotation_phase(bound),
    "rotation_end": lambda bound, _fleet, _settings: registered.rotation_end(bound),
    "adoption_start": lambda bound, _fleet, _settings: registered.adoption(bound),
    "restore_start": lambda bound, _fleet, _settings: registered.restore(bound),
}
SETTINGS: dict[str, t.Any] = {
    "authority": {"type": "str", "default": ""},
    "again_after": {"type": "str", "default": "1d"},
    "stop_after": {"type": "str", "default": ""},
    "forced": {"type": "list", "elements": "str", "default": []},
    "execute": {"type": "bool", "default": False},
    "complete": {"type": "bool", "default": True},
    "repair": {"type": "list", "elements": "str", "default": []},
    "keep_2375": {"type": "bool", "default": False},
}
OPTIONS: dict[str, t.Any] = {
    "part": {"type": "str", "required": True, "choices": list(PARTS)},
    "settings": {"type": "dict", "options": SETTINGS, "apply_defaults": True},
}
