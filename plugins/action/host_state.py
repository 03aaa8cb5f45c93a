# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._host_options import ENDPOINT_OPTIONS, REQUEST_OPTIONS
from ..plugin_utils import _installed, _lean
from ..plugin_utils import _role_arguments as role_arguments
from ..plugin_utils._action import Result, SecretAction

_ROLES = ("docker_server_cert", "docker_daemon")
_REQUESTS = "portcullis.docker_tls.certificate_requests"
_ENDPOINT = "portcullis.docker_tls.daemon_endpoint"
_OPTIONS: dict[str, t.Any] = {
    "roles": {"type": "list", "elements": "str", "choices": list(_ROLES), "default": list(_ROLES)},
    "requests": {"type": "list", "elements": "dict", "options": REQUEST_OPTIONS},
    "endpoint": {"type": "dict", "options": ENDPOINT_OPTIONS},
}

# Read here, where Ansible loads the plugin once for all hosts, and not in the process of each host.
_lean.packed_sources()
_ARGUMENTS = {
    "docker_server_cert": role_arguments.module_arguments("docker_server_cert", _REQUESTS),
    "docker_daemon": role_arguments.module_arguments("docker_daemon", _ENDPOINT),
}
for _given in _ARGUMENTS.values():
    _given.pop("cryptography_package", None)  # to install it is the roles' business
_SPECIFICATIONS = {role: role_arguments.specification(role) for role in _ROLES}


class ActionModule(SecretAction):
    """Look at the host once; whatever is in doubt is not current, and then the roles run."""

    MODULE = "portcullis.docker_tls.host_state"

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return whether the host is current; the module itself is the second way to ask it."""
        del package
        try:
            wanted = self._wanted(arguments, task_vars)
        except _Doubt as doubt:
            return _undecided(str(doubt))
        if self._why_not_pipelined() is not None or any(self._task.environment or ()) or self._task.async_val:
            return self._by_module(wanted, task_vars)
        run: t.Any = self._low_level_execute_command
        # Else a local connection opens a terminal for sudo's password, and waits there for ever.
        with self._pipelined():
            sent = run(
                _lean.command(task_vars, self._templar.template),
                in_data=_lean.script(wanted["requests"], wanted["endpoint"]),
                sudoable=True,
            )
        found = _lean.answer(str(sent.get("stdout", "")))
        if found is None:
            return _undecided("the host's answer cannot be read")
        return {**self._unless_behind(found, task_vars), "changed": False}

    def _unless_behind(self, found: Result, task_vars: Result) -> Result:
        """Send the host through the roles where the CA's ledger may be older than its certificate: they ask the CA."""
        host = str(task_vars.get("inventory_hostname", ""))
        answers = {host: {"docker_server_cert_requested": {"requests": found.get("requests")}}}
        try:
            installed = _installed.installed_certificates([host], answers, "docker_server_cert_requested")
            resolver = role_arguments.Resolver(task_vars, self._templar.template)
            ledger = resolver.other_host(resolver.variable("docker_server_cert_ca_host"), "docker_ca_ledger", {})
            behind = _installed.is_behind(installed, ledger)
        except (role_arguments.Unresolved, KeyError, TypeError, AttributeError) as error:
            return _undecided(f"the certificates that the host reports cannot be read: {type(error).__name__}")
        return {**found, "current": False, "reasons": ["ledger-behind"]} if found["current"] and behind else found

    def _by_module(self, wanted: Result, task_vars: Result) -> Result:
        outcome = self.execute_as_usual({key: value for key, value in wanted.items() if value is not None}, task_vars)
        return (
            _undecided(str(outcome.get("msg", "")))
            if outcome.get("failed")
            else self._unless_behind(outcome, task_vars)
        )

    def execute_as_usual(self, arguments: Result, task_vars: Result) -> Result:
        """Return the module's result, sent as Ansible sends modules: nothing in it is secret."""
        return super(SecretAction, self).execute(self.MODULE, arguments, task_vars)

    def _wanted(self, arguments: Result, task_vars: Result) -> Result:
        """Return the requests and the endpoint's options with their defaults. Raises _Doubt."""
        asked = _validated(_OPTIONS, arguments)
        if asked["requests"] is not None or asked["endpoint"] is not None:
            return {"requests": asked["requests"] or [], "endpoint": asked["endpoint"]}
        given: Result = {}
        resolver = role_arguments.Resolver(task_vars, self._templar.template)
        try:
            if resolver.optional("docker_daemon_state", "present") != "present":
                raise _Doubt("something else is asked for than an endpoint")
            # Decided here, because a host could say that it is current, and no role would prove the contrary.
            if resolver.optional("docker_daemon_verify") == "always":
                raise _Doubt("a proof from the controller is asked for")
            if resolver.optional("docker_server_cert_force_renewal") not in (None, False):
                raise _Doubt("a renewal is asked for")
            for role in asked["roles"]:
                specification = _SPECIFICATIONS[role]
                _validated(specification, role_arguments.plain_values(specification, task_vars), defaults=False)
                given[role] = resolver.arguments(_ARGUMENTS[role])
        except (AnsibleError, role_arguments.Unresolved, KeyError, TypeError, ValueError, AttributeError) as error:
            raise _Doubt(f"{type(error).__name__}: {error}") from error
        wanted = {
            "requests": given.get("docker_server_cert", {}).get("requests", []),
            "endpoint": given.get("docker_daemon"),
        }
        for path in _paths(wanted):
            if role_arguments.stays_on_controller(path):
                raise _Doubt(f"{path} is another place on the controller than on the host")
        return {name: value for name, value in _validated(_OPTIONS, wanted).items() if name != "roles"}


class _Doubt(Exception):
    """It cannot be said from here whether there is something to do."""


def _paths(wanted: Result) -> list[t.Any]:
    endpoint = wanted["endpoint"] or {}
    requests = [request.get(name) for request in wanted["requests"] for name in ("key_path", "certificate_path")]
    return [*requests, endpoint.get("directory"), endpoint.get("config_path")]


def _validated(specification: Result, given: Result, *, defaults: bool = True) -> Result:
    """Return ``given`` with the types and defaults of ``specification``. Raises _Doubt."""
    if not defaults:
        specification = {name: {**specification[name], "default": None} for name in given}
    result = ArgumentSpecValidator(specification).validate({k: v for k, v in given.items() if v is not None})
    if result.error_messages:
        raise _Doubt("; ".join(result.error_messages))
    return dict(result.validated_parameters)


def _undecided(why: str) -> Result:
    return {"changed": False, "current": False, "reasons": ["undecided"], "msg": why}
