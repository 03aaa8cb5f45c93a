# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
import typing as t

from ansible.errors import AnsibleError

from ..module_utils._argument_specs import ENDPOINT_OPTIONS, REQUEST_OPTIONS
from ..module_utils._errors import TlsError
from ..module_utils._module import plan_diff
from ..plugin_utils._plan import (
    host_reports,
    locations,
    options,
    verification,
)
from ..plugin_utils._remote import failures, program, programs
from ..plugin_utils._remote.failures import of_error
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._remote.programs import INSPECTION
from ..plugin_utils._validate import preflight
from ..plugin_utils._variables import binding, fleet_variables

_ROLES = ("docker_server_cert", "docker_daemon")
_OPTIONS: dict[str, t.Any] = {
    "roles": {"type": "list", "elements": "str", "choices": list(_ROLES), "default": list(_ROLES)},
    "requests": {"type": "list", "elements": "dict", "options": REQUEST_OPTIONS},
    "endpoint": {"type": "dict", "options": ENDPOINT_OPTIONS},
    "prepare": {"type": "bool", "default": False},
    "refusal": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
    "refused": {"type": "dict"},
}

# Read here, where Ansible loads the plugin once for all hosts, and not in the process of each host.
_SPECIFICATIONS = {role: binding.specification(role) for role in _ROLES}
_DEFAULTS = binding.defaults(*binding.ROLES)

# Ansible is about to fork a process for each host, and again for each task. The objects that it has loaded until now live as long as the run, and Python's
# collector would go through it, and so copy it, in each of these processes (measured: about a tenth of the CPU of a renewal).
gc.freeze()


class ActionModule(ModuleAction):
    """Check the host once; whatever is in doubt is not current, and then the roles run."""

    MODULE = "portcullis.docker_tls.host_state"

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return whether the host is current; a refused host fails here, or is reported, with O(refusal) V(report), to fail later."""
        del package
        groups, host = task_vars.get("groups") or {}, task_vars.get("inventory_hostname")
        # A role that is used by itself needs no group; site.yml, which asks for a report, has the controller in this play for the plan.
        members = groups.get("docker_hosts") or ([] if arguments.get("refusal") == "report" else [host])
        if host == locations.CONTROLLER and host not in members:
            return {"changed": False, "skipped": True, "skip_reason": "the controller is not a Docker host"}
        # Of this host: why it was refused, or what of it this run could not complete.
        reported_refusal = arguments.pop("refused", None)
        if reported_refusal:
            return _failed(programs.refusal(reported_refusal))
        try:
            found = self._inspected(arguments, task_vars)
        except failures.TimeLimitExceeded:
            self._gave_up = True
            found = _refusal(failures.timeout_failure(self._limit))
        except TlsError as error:
            found = _refusal(of_error(error))
        found = {**found, fleet_variables.SETTINGS: _settings(task_vars, self._templar.template)}
        refused = found.get("refused")
        if refused is None or arguments.get("refusal") == "report":
            return found
        return {**found, **_failed(refused)}

    def _inspected(self, arguments: Result, task_vars: Result) -> Result:
        roles = _roles(arguments)
        bound = binding.Bound(task_vars, self._templar.template)
        # The facts once more: site.yml's first task sees those of its time, and is not done with every tag.
        wrong = preflight.fact_problems(task_vars)
        wrong += [error for role in roles for error in binding.problems(_SPECIFICATIONS[role], bound.given)]
        if wrong:
            return _refused(wrong)
        try:
            wanted = self._wanted(arguments, bound)
        except _Undecided as reason:
            return _undecided(str(reason))
        asked = {name: wanted[name] for name in ("requests", "endpoint", "prepare")}
        sent = program.send(self, INSPECTION, asked, task_vars)
        if sent is None:
            found = self._by_module(wanted, task_vars)
        else:
            found = programs.inspection_answer(sent[0]) or _undecided("the host's answer cannot be read")
        prepared = found.pop("prepared", None)
        found = _with_kept_lists({**_judged(found, wanted, bound), "changed": False}, wanted)
        if prepared and wanted["prepare"] and wanted["requests"]:
            return {**found, **_prepared(prepared, wanted["requests"])}
        return found

    def _by_module(self, wanted: Result, task_vars: Result) -> Result:
        outcome = self.execute(
            self.MODULE, {key: value for key, value in wanted.items() if value is not None}, task_vars
        )
        if outcome.get("failed"):
            return _undecided(str(outcome.get("msg", "")))
        found = programs.checked_inspection(outcome)
        if found is None or len(str(found)) > program.MOST_CHARACTERS:
            return _undecided("the host's answer cannot be read")
        if "ansible_facts" in outcome:  # the interpreter that Ansible has found
            found["ansible_facts"] = outcome["ansible_facts"]
        return found

    def _wanted(self, arguments: Result, bound: binding.Bound) -> Result:
        """Return the requests and the endpoint's options with their defaults. Raises _Undecided."""
        asked = _validated(_OPTIONS, arguments)
        prepare = asked["prepare"] and not self._task.check_mode
        if asked["requests"] is not None or asked["endpoint"] is not None:
            return {"requests": asked["requests"] or [], "endpoint": asked["endpoint"], "prepare": prepare}
        given: Result = {}
        try:
            if bound["docker_daemon_state"] != "present":
                raise _Undecided("a state without an endpoint is requested")
            if "docker_server_cert" in asked["roles"]:
                given["docker_server_cert"] = options.server_request(
                    bound, options.authorities(bound, "docker_server_cert")
                )
            if "docker_daemon" in asked["roles"]:
                known = options.authorities(bound, "docker_daemon")
                reports = arguments.get("refusal") == "report"
                given["docker_daemon"] = options.endpoint(bound, known, may_keep_lists=reports)
        except (AnsibleError, binding.Unresolved, KeyError, TypeError, ValueError, AttributeError) as error:
            raise _Undecided(f"{type(error).__name__}: {error}") from error
        wanted = {
            "requests": host_reports.with_fact_names(
                [given[role] for role in ("docker_server_cert",) if role in given], bound.written()
            ),
            "endpoint": given.get("docker_daemon"),
            "prepare": prepare,
        }
        for path in _paths(wanted):
            if binding.differs_on_host(path):
                raise _Undecided(f"{path} is another place on the controller than on the host")
        return {name: value for name, value in _validated(_OPTIONS, wanted).items() if name != "roles"}


def _with_kept_lists(found: Result, wanted: Result) -> Result:
    """Return the inspection of a host that keeps revocation lists which could not be renewed: refused where it has nothing else to do.

    Otherwise that is its failure after the other work (``incomplete``): a client of another access group may be revoked in this run.
    """
    why = next(iter(((wanted["endpoint"] or {}).get("kept_lists") or {}).values()), None)
    if why is None or found.get("refused"):
        return found
    if not found["current"]:
        return {**found, "incomplete": why}
    return {**_refusal(why), **({"requests": found["requests"]} if "requests" in found else {})}


def _prepared(prepared: Result, requests: t.Sequence[t.Mapping[str, t.Any]]) -> Result:
    """Return the keys and requests that the host has made, with the controller's own values beside them, as a change of this task."""
    plan, warnings = prepared["plan"], prepared["warnings"]
    return {
        "prepared": {**prepared, "asked": host_reports.asked(requests)},
        "changed": bool(plan),
        **({"diff": plan_diff(plan)} if plan else {}),
        **({"warnings": warnings} if warnings else {}),
    }


def _settings(task_vars: Result, template: t.Callable[[t.Any], t.Any]) -> Result:
    """Return the controller's own variables of this host, over whatever it has answered under that name."""
    bound = binding.Bound(task_vars, template)
    return fleet_variables.settings(bound.__getitem__, task_vars, _DEFAULTS)


def _judged(found: Result, wanted: Result, bound: binding.Bound) -> Result:
    """Return the answer; the request to the host, and whether the CA's ledger is older than its certificate, are not taken from it."""
    if not found["current"]:
        return found
    if any(request["force"] for request in wanted["requests"]):
        return {**found, "current": False, "reasons": ["forced"]}
    if (wanted["endpoint"] or {}).get("verify"):
        return {**found, "current": False, "reasons": ["asked-for"]}
    try:
        host = str(bound.raw("inventory_hostname") or "")
        answers = {host: {"__docker_server_cert_requested": {"requests": found.get("requests")}}}
        installed = host_reports.installed_certificates([host], answers, "__docker_server_cert_requested")
        # Otherwise the controller would not verify that the host admits the new generation.
        if verification.revocations(bound):
            return {**found, "current": False, "reasons": ["client-revoked"]}
        behind = host_reports.is_behind(installed, options.ledger(bound, "docker_server_cert"))
    except (binding.Unresolved, KeyError, TypeError, AttributeError) as error:
        return _undecided(f"the certificates that the host reports cannot be read: {type(error).__name__}")
    return {**found, "current": False, "reasons": ["ledger-behind"]} if behind else found


class _Undecided(Exception):
    """The controller cannot decide whether there is something to do."""


def _roles(arguments: Result) -> tuple[str, ...]:
    asked = arguments.get("roles")
    return tuple(role for role in _ROLES if not isinstance(asked, list) or role in asked)


def _paths(wanted: Result) -> list[t.Any]:
    endpoint = wanted["endpoint"] or {}
    requests = [request.get(name) for request in wanted["requests"] for name in ("key_path", "certificate_path")]
    return [*requests, endpoint.get("directory"), endpoint.get("config_path")]


def _validated(specification: Result, given: Result) -> Result:
    """Return ``given`` with the types and defaults of ``specification``. Raises _Undecided."""
    found, wrong = binding.validated(specification, {name: value for name, value in given.items() if value is not None})
    if wrong:
        raise _Undecided("; ".join(wrong))
    return found


def _refused(errors: list[str]) -> Result:
    return _refusal(
        {
            "code": "role-arguments-invalid",
            "msg": f"The variables of this host are not valid: {'; '.join(errors)}.",
            "hint": "Correct them in the inventory; the roles' READMEs name each with its type. Nothing was asked of the host.",
        }
    )


def _refusal(why: Result) -> Result:
    """Return a host that this run leaves alone."""
    refused = {name: why[name] for name in ("code", "msg", "hint")}
    return {"changed": False, "current": False, "reasons": [refused["code"]], "warnings": [], "refused": refused}


def _failed(refused: Result) -> Result:
    """Return the failure of a host that the change would have refused, with the message that the change would have."""
    return {"failed": True, "changed": False, **{name: refused[name] for name in ("msg", "hint", "code")}}


def _undecided(why: str) -> Result:
    return {"changed": False, "current": False, "reasons": ["undecided"], "msg": why}
