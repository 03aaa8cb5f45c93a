# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that run in Ansible's own process, and the account that Ansible runs as.

A module that acts on the controller as the user who runs Ansible gains nothing from being packed, written to another
Python and compiled there; that costs about a second each, more than all it does. So its ``main`` is called here, in the
process that Ansible has made for the task, with the same options, checks and results. A passphrase then does not even go
through a pipe.

``ansible_become: true`` for all hosts counts for localhost too, and Ansible prefers it to ``become: false`` of a task. The CA and the
bundles in the account's home would then belong to root, and the account could no longer read its own bundles. So only the keyword
``become`` of the play or task decides there: it is true where localhost is in the group docker_ca, or is itself a Docker host.
"""

from __future__ import annotations

import getpass
import importlib
import json
import os
import socket
import sys
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ...module_utils._outcome import cryptography_problem, outcome

Result = dict[str, t.Any]
Main = t.Callable[..., None]


def main_of(module: str) -> Main:
    """Return the ``main`` of a module of ours, which is loaded when it is called.

    Ansible compiles a collection's Python in every run, and loads the action plugin of each task that it comes to, also where the task has
    nothing to do: signing, with all that it imports, is 0.1 s of CPU. What runs here for each host is imported at once instead.
    """

    def main(run: t.Callable[..., None]) -> None:
        importlib.import_module(f"...modules.{module}", __package__).main(run)

    return main


class _Module:
    """What our modules use of AnsibleModule."""

    def __init__(self, params: Result, *, check_mode: bool, diff: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        self._diff = diff
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        """Keep a warning for the result."""
        self.warnings.append(text)


def is_possible(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> bool:
    """Return whether a module of this task would run on this machine, as this user, with this Python."""
    task, connection = action._task, action._connection
    if (
        connection.transport != "local"
        or connection.become
        or task.async_val
        or any(getattr(task, "environment", None) or ())
    ):
        return False
    variables = task_vars
    if getattr(task, "delegate_to", None):
        variables = (task_vars.get("ansible_delegated_vars") or {}).get(task.delegate_to) or {}
    named = variables.get("ansible_python_interpreter")
    if named is None:
        return True
    # Not where their links lead: the Python of a virtual environment is a link to one that has other libraries.
    return str(action._templar.template(named)).strip() == sys.executable


def execute(main: Main, arguments: t.Mapping[str, t.Any], *, check_mode: bool, diff: bool) -> Result | None:
    """Return the result of a module's ``main``; None where it has to run as a module after all."""
    try:
        given = json.loads(json.dumps(dict(arguments)))
    except (TypeError, ValueError):
        return None
    results: list[Result | None] = []

    def run(
        function: t.Callable[[t.Any], Result],
        *,
        needs_cryptography: bool = True,
        without_library: t.Any = None,
        argument_spec: Result,
        **more: t.Any,
    ) -> None:
        del without_library  # then the module runs as one
        if needs_cryptography and cryptography_problem() is not None:
            results.append(None)
            return
        results.append(_run(function, argument_spec, more, given, check_mode=check_mode, diff=diff))

    main(run)
    return results[0]


def _run(
    function: t.Callable[[t.Any], Result],
    specification: Result,
    more: Result,
    given: Result,
    *,
    check_mode: bool,
    diff: bool,
) -> Result:
    checked = ArgumentSpecValidator(specification, **more).validate(given)
    secrets = set(getattr(checked, "_no_log_values", ()))
    if checked.error_messages:
        return _clean({"failed": True, "changed": False, "msg": "; ".join(checked.error_messages)}, secrets)
    module = _Module(checked.validated_parameters, check_mode=check_mode, diff=diff)
    result = outcome(lambda: function(module), needs_cryptography=False)
    result.pop("invocation", None)
    warnings = [*module.warnings, *result.pop("warnings", [])]
    return _clean({"changed": False, **result, **({"warnings": warnings} if warnings else {})}, secrets)


def _clean(result: Result, secrets: set[str]) -> Result:
    """Return the result as it would come back from a module: plain JSON, without the values of secret options."""
    plain: Result = json.loads(json.dumps(remove_values(result, secrets)))
    return plain


CONTROLLER = "localhost"


def is_controller(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> bool:
    """Return whether the task of an action plugin runs on this machine, under the controller's name."""
    host = getattr(action._task, "delegate_to", None) or task_vars.get("inventory_hostname")
    return bool(host == CONTROLLER and action._connection.transport == "local")


def keep_account(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> None:
    """Let a task on the controller run as this account, unless its own keyword ``become`` is true."""
    if (
        getattr(action._connection, "become", None)
        and not getattr(action._task, "become", True)
        and is_controller(action, task_vars)
    ):
        action._connection.set_become_plugin(None)
        action._play_context.become = False


def absolute(path: str) -> str:
    """Return a path of the controller that begins where the user has called Ansible, "" for none; modules run in the directory of the playbook."""
    return os.path.abspath(os.path.expanduser(path)) if path else ""


def user() -> str:
    """Return ``user@host`` of the account that runs Ansible, as the ledger names it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.geteuid())
    return f"{name}@{socket.gethostname()}"
