# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._argument_specs import ENDPOINT_OPTIONS
from ..module_utils._proxy.state import package_line
from ..plugin_utils._plan import options as plan_options
from ..plugin_utils._remote import packages, program, programs
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._remote.programs import CHANGE
from ..plugin_utils._variables import binding, fleet_variables
from ..plugin_utils._variables.fleet_variables import Fleet

#: Only after this task has installed the package: an HAProxy that was there before may be in use.
_UNUSED_SERVICE = "systemctl disable --now haproxy.service"


class ActionModule(ModuleAction):
    """Secure the endpoint; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.endpoint"
    TAKES_REJECTIONS = True

    def of_role(self, role: str, bound: binding.Bound, fleet: Fleet) -> Result | None:
        """Return the endpoint that the role's variables describe, with the certificate that was signed in this run."""
        del fleet
        if self._task.args.get("state") == "confirmed":
            return {}
        # Only where the run has inspected the host will it fail for lists that could not be renewed.
        inspected = isinstance(bound.raw(fleet_variables.INSPECTED), t.Mapping)
        known = plan_options.authorities(bound, role)
        wanted = plan_options.endpoint(bound, known, may_keep_lists=inspected)
        signed = plan_options.signed_for(bound, str(bound["inventory_hostname"]))
        return {**wanted, **signed, "cryptography_package": bound["docker_daemon_cryptography_package"]}

    def execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        """Return the module's result: of its program, or of itself where that cannot be sent, did not begin, or has nothing to go by."""
        usual = arguments.get("service") in (None, "docker.service")  # another has a state directory of its own
        confirms = arguments.get("state") == "confirmed" and not self._task.check_mode
        if confirms and usual and self._is_confirmed(task_vars):
            return dict(programs.CONFIRMED)
        result = self._execute(module, arguments, task_vars)
        package = str(arguments.get("haproxy_package") or "")
        if result.get("code") != "proxy-package-missing" or not package or self._task.check_mode:
            return result
        with self.waiting({}, task_vars, "the package manager of this host"):
            installed = packages.install(self, package, task_vars)
        if installed.get("failed"):
            reason = installed.get("msg", "no reason given")
            return {**result, "msg": f"{result.get('msg')}. The package {package} could not be installed: {reason}"}
        disable: t.Any = self._low_level_execute_command
        disable(_UNUSED_SERVICE, sudoable=True)  # the package starts its own service
        again = self._execute(module, arguments, task_vars)
        if again.get("failed"):
            return again
        return {**again, "changed": True, "plan": [package_line(package), *(again.get("plan") or [])]}

    def _execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        options = _options(arguments)
        asked = {"options": options, "check_mode": bool(self._task.check_mode)}
        sent = program.send(self, CHANGE, asked, task_vars) if options is not None else None
        if sent is not None:
            output, code = sent
            found = programs.change_answer(output, code) if program.has_begun(output) else None
            # Without the library nothing was done; Ansible knows which Python that was when it has sent a module there.
            if found is not None and found.get("code") not in packages.CRYPTOGRAPHY_CODES:
                return self._admitted(found)
        return super().execute(module, arguments, task_vars)

    def _is_confirmed(self, task_vars: Result) -> bool:
        """Confirm by one command of the shell; return whether that was enough. Every changed host is confirmed, so it must cost little."""
        run: t.Any = self._low_level_execute_command
        with self.waiting({"state": "confirmed", "start_timeout": 0}, task_vars):
            return bool(run(programs.CONFIRM, sudoable=True).get("rc") == 0)

    def predict(self, arguments: Result) -> Result:
        """Return an endpoint of which only the wanted addresses are known."""
        return {
            "restarted": False,
            "warnings": [],
            "endpoint": {"listen": list(arguments.get("listen") or []), "certificate": None},
            "verification": [],
        }


def _options(arguments: Result) -> Result | None:
    """Return the module's options with their defaults; None where the module has to refuse or to understand them on the host."""
    options, wrong = binding.validated(ENDPOINT_OPTIONS, arguments)
    # As given: the validation has expanded "~" and "$" in the options as on this machine.
    paths = (arguments.get("directory"), arguments.get("config_path"))
    return None if wrong or any(map(binding.differs_on_host, paths)) else options
