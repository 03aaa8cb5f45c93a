# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._argument_specs import SERVER_CERTIFICATE_OPTIONS
from ..plugin_utils._plan import options
from ..plugin_utils._remote import packages, program
from ..plugin_utils._remote.answers import accept_program
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables import binding
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet

INSTALLATION = program.Program("_endpoint.server_certificate")


class ActionModule(ModuleAction):
    """Install a server certificate; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.server_certificate"
    TAKES_REJECTIONS = True

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the certificate that was signed for this host, or why none was."""
        del role, fleet
        return options.installation(bound)

    def execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        """Return the module's result: of its program, or of itself where that cannot be sent or has no usable answer.

        To install again what the program has installed changes nothing.
        """
        given, wrong = binding.validated(SERVER_CERTIFICATE_OPTIONS, arguments)
        if not wrong and not binding.differs_on_host(arguments.get("directory")):
            asked = {"options": given, "check_mode": bool(self._task.check_mode)}
            sent = program.send(self, INSTALLATION, asked, task_vars)
            found = program.answer(sent[0]) if sent is not None else None
            # Without the library the module runs: Ansible then knows for which Python it is installed.
            if found and "crashed" not in found and found.get("code") not in packages.CRYPTOGRAPHY_CODES:
                return self._admitted(accept_program("server_certificate", found))
        return super().execute(module, arguments, task_vars)
