# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of the distribution that a module needs on its host: the cryptography library, HAProxy."""

from __future__ import annotations

import re
import shlex
import sys
import typing as t

from ansible.errors import AnsibleError

from .failures import failure

Result = dict[str, t.Any]

#: A module's codes for a Python without a usable cryptography library.
CRYPTOGRAPHY_CODES = ("cryptography-missing", "cryptography-too-old")
#: The variables that name packages; "" is for none.
VARIABLES = (
    "docker_ca_cryptography_package",
    "docker_server_cert_cryptography_package",
    "docker_client_cert_cryptography_package",
    "docker_daemon_cryptography_package",
    "docker_daemon_haproxy_package",
)
# A name of Debian (policy 5.6.1) or of rpm, and a version after "=". No path, address, option or list: the package manager would take each.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(=[A-Za-z0-9+._:~*-]+)?")
_IS_VIRTUAL = "import sys; print(sys.prefix != sys.base_prefix)"


def why_invalid(name: t.Any) -> str:
    """Return what is wrong with the name of a package, "" for nothing."""
    if name in (None, "") or (isinstance(name, str) and _NAME.fullmatch(name)):
        return ""
    return f"{name!r}, which is not the name of one package. Write it as the distribution does, for example python3-cryptography or haproxy=2.6.*"


def with_library(action: t.Any, outcome: Result, arguments: Result, package: t.Any, task_vars: Result) -> Result:
    """Return the module's result with the cryptography library on the host.

    In: ``action`` is the action plugin (``module_runner.py``) whose module has returned ``outcome`` for ``arguments``; ``package``: the
    package of the library, "" where none should be installed. The package is installed and the module run again only where the library
    was missing; in check mode the installation is predicted.
    """
    if not outcome.get("failed") or outcome.get("code") not in CRYPTOGRAPHY_CODES or not package:
        return outcome
    with action.waiting({}, task_vars, "the Python of this host"):
        obstacle = _why_not_install(action, str(outcome.get("msg", "")))
    if obstacle is not None:
        return {**outcome, **obstacle}
    if action._task.check_mode:
        return {
            **action.foretell(outcome, arguments),
            "changed": True,
            "reasons": ["cryptography-missing"],
            "msg": f"The package {package} would be installed; the next steps cannot be predicted without it.",
        }
    return _install_and_repeat(action, outcome, arguments, str(package), task_vars)


def _why_not_install(action: t.Any, found: str) -> Result | None:
    """Return the failure for a Python that a distribution's package does not reach, else None."""
    interpreter = str(getattr(action, "_used_interpreter", None) or "").replace("#!", "").strip()
    if not interpreter:
        return None
    if action._connection.transport == "local" and interpreter.split()[0] == sys.executable:
        return failure(
            f"{found}. That is the Python that Ansible itself runs with, where this collection installs nothing",
            f"Install cryptography for it (for example: {sys.executable} -m pip install cryptography), or point "
            "ansible_python_interpreter at the system's Python.",
        )
    command = " ".join(shlex.quote(part) for part in (*interpreter.split(), "-c", _IS_VIRTUAL))
    answer = action._low_level_execute_command(command)
    if str(answer.get("stdout", "")).strip().endswith("True"):
        return failure(
            f"{found}. {interpreter} is in a virtual environment, where a package of the distribution does not help",
            "Install cryptography there with its pip, or point ansible_python_interpreter at the system's Python.",
        )
    return None


def _install_and_repeat(action: t.Any, outcome: Result, arguments: Result, package: str, task_vars: Result) -> Result:
    installed = install(action, package, task_vars)
    if installed.get("failed"):
        return {
            **outcome,
            **failure(
                f"{outcome.get('msg')}. The package {package} could not be installed: {installed.get('msg', 'no reason given')}",
                "Install cryptography on the host, or set cryptography_package to the name that its distribution uses. "
                "Packages are installed by root only (become).",
            ),
        }
    again: Result = action.execute(action.MODULE, arguments, task_vars)
    if not again.get("failed"):
        return {**again, "changed": True, "reasons": ["cryptography-missing", *again.get("reasons", [])]}
    if again.get("code") not in CRYPTOGRAPHY_CODES:
        return again
    return {
        **again,
        **failure(
            f"{again.get('msg')}, although the package {package} is installed",
            "The package is for another Python of the host: point ansible_python_interpreter at the distribution's Python "
            "(usually /usr/bin/python3), or install cryptography for this one.",
        ),
    }


def install(action: t.Any, package: str, task_vars: Result) -> Result:
    """Return the result of installing ``package``; lists of packages that are missing or old are fetched on a second try."""
    problem = why_invalid(package)
    if problem:
        return {"failed": True, "msg": f"the package to install is {problem}"}
    result = _package(action, {"name": package, "state": "present"}, task_vars)
    if result.get("failed"):
        second = _package(action, {"name": package, "state": "present", "update_cache": True}, task_vars)
        return result if second.get("failed") else second
    return result


def _package(action: t.Any, arguments: Result, task_vars: Result) -> Result:
    task = action._task.copy()
    task.args = arguments
    installer = action._shared_loader_obj.action_loader.get(
        "ansible.builtin.package",
        task=task,
        connection=action._connection,
        play_context=action._play_context,
        loader=action._loader,
        templar=action._templar,
        shared_loader_obj=action._shared_loader_obj,
    )
    try:
        with action.waiting({}, task_vars, f"the installation of the package {arguments['name']}"):
            result: Result = installer.run(task_vars=task_vars)
    except AnsibleError as error:
        return {"failed": True, "msg": str(error)}
    return result
