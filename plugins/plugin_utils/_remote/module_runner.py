# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugins around the modules do.

Two things, beside taking answers in through one door (``_remote/accept.py``):

* **A passphrase touches no disk.** Ansible writes module and arguments into a file on the host (AnsiballZ) unless pipelining is on, and
  leaves the file there with ANSIBLE_KEEP_REMOTE_FILES. Modules that carry the passphrase are always sent through a pipe here, whatever
  the configuration says; where that cannot be, the task fails before anything is sent (read in ansible-core 2.18 to 2.21:
  ``_execute_module`` asks ``_is_pipelining_enabled`` each time it would write a file; the connection's own option keeps ``local`` from
  opening a pty for the become password, into which the module could not be written).
* **A missing cryptography library is installed** from the distribution, and the module is run again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import os
import shlex
import socket
import sys
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as RUNNING

from ...filter import adoption, roles, status
from ...module_utils._argument_specs import CRYPTOGRAPHY_PACKAGE
from ...module_utils._errors import TlsError
from .. import _ansible_version, _bound
from .._variables import Fleet
from . import controller, host_timeout, local, pipelining, time_limit
from .accept import accept
from .answer_schema import Misshapen
from .answers import REJECTED

# Ansible loads an action plugin once, then forks a process for each host and task. What the filters import is loaded here,
# before that: else it would be imported anew in each of them, 35 ms a task.
FILTERS = (adoption, roles, status)

CRYPTOGRAPHY_CODES = ("cryptography-missing", "cryptography-too-old")
_IS_VIRTUAL = "import sys; print(sys.prefix != sys.base_prefix)"

Result = dict[str, t.Any]


class ModuleAction(ActionBase):
    """Run the module ``MODULE`` with the task's arguments, and install cryptography if that is what it lacks."""

    MODULE = ""
    #: The module's ``main``, where it may run in this process when the task is for the controller itself.
    MAIN: t.Callable[..., None] | None = None
    #: What the arguments are handed to Ansible as.
    ARGUMENTS: type[Result] = dict
    #: Options beside ``role`` that tell of_role what is wanted; the module does not have them.
    OF_ROLES: tuple[str, ...] = ()
    TRANSFERS_FILES = False
    _requires_connection = True

    _always_pipelined = False
    #: The limit of what is waited for now, or was last.
    _limit: host_timeout.HostTimeout
    _gave_up = False

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> Result:
        """Return the module's result."""
        super().run(tmp, task_vars)
        del tmp
        too_old = _ansible_version.problem(RUNNING)
        if too_old:
            return _failure(too_old, _ansible_version.HINT, "ansible-too-old")
        controller.keep_account(self, task_vars or {})
        arguments = dict(self._task.args)
        role = arguments.pop("role", "")
        if role:
            try:
                found = self._bound_to(str(role), task_vars or {})
            except (_bound.Unresolved, ValueError) as error:
                hint = "Correct the variables of this host; the READMEs of the roles name each."
                return _failure(str(error), hint, "role-arguments-invalid")
            if found is None:
                return {"changed": False, "skipped": True, "skip_reason": "there is nothing to do"}
            given = {name: value for name, value in arguments.items() if name not in self.OF_ROLES}
            self._task.args = arguments = {**found, **given}
        package = arguments.pop("cryptography_package", CRYPTOGRAPHY_PACKAGE)
        try:
            return self.run_module(arguments, package, task_vars or {})
        except time_limit.TimeLimitExceeded:
            self._gave_up = True
            return host_timeout.failure(self._limit)
        except TlsError as error:
            return _failure(error.message, error.hint, error.code)

    @contextlib.contextmanager
    def waiting(self, arguments: t.Mapping[str, t.Any], task_vars: Result, purpose: str = "") -> t.Iterator[None]:
        """Give what this block waits for on the host its time limit, which ``run`` reports. ``purpose``: not what the module does."""
        role = str(getattr(getattr(self._task, "_role", None), "_role_name", "") or "")
        limit = host_timeout.host_timeout(self.MODULE, role, arguments, task_vars, self._templar.template)
        self._limit = dataclasses.replace(limit, purpose=purpose, begun="") if purpose else limit
        with time_limit.time_limit(self._limit.seconds):
            yield

    def cleanup(self, force: bool = False) -> None:
        """Remove what this task has put on the host; not from a host that has just not answered, which would be waited for again."""
        if not self._gave_up:
            clean: t.Any = super().cleanup
            clean(force)

    def _bound_to(self, role: str, task_vars: Result) -> Result | None:
        """Return the arguments that ``role`` gives; None also on a host that is in the play only to keep it going."""
        bound = _bound.Bound(task_vars, self._templar.template)
        return None if bound.is_witness() else self.of_role(role, bound, self._fleet(bound))

    def of_role(self, role: str, bound: _bound.Bound, fleet: Fleet) -> Result | None:
        """Return the arguments that ``role`` gives to the module, made of its variables; None where it has nothing to do.

        Raises Unresolved and ValueError. ``fleet`` are the variables of all hosts.
        """
        del bound, fleet
        raise ValueError(f"{self.MODULE} does nothing for the role {role}")

    def _fleet(self, bound: _bound.Bound) -> Fleet:
        """Return the variables of all hosts, with what the play gives to each."""

        def template(host: str, value: t.Any) -> t.Any:
            return self._templar.copy_with_new_env(available_variables=dict(found.raw_get(host))).template(value)

        found: Fleet = bound.fleet(template)
        return found

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result, after an installation of ``package`` and a second try where that is needed."""
        outcome = self.execute(self.MODULE, arguments, task_vars)
        if not outcome.get("failed") or outcome.get("code") not in CRYPTOGRAPHY_CODES or not package:
            return outcome
        with self.waiting({}, task_vars, "the Python of this host"):
            obstacle = self._why_not_install(str(outcome.get("msg", "")))
        if obstacle is not None:
            return {**outcome, **obstacle}
        if self._task.check_mode:
            return self._installation_predicted(outcome, arguments, str(package))
        return self._install_and_repeat(outcome, arguments, str(package), task_vars)

    def execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        """Return the result of one execution of ``module`` (a full name) on the task's host."""
        main = self.MAIN
        if main is not None and module == self.MODULE and local.is_possible(self, task_vars):
            check, diff = bool(self._task.check_mode), bool(getattr(self._task, "diff", False))
            done = local.execute(main, arguments, check_mode=check, diff=diff)
            if done is not None:
                return self._admitted(done)
        carried = self.ARGUMENTS(arguments)
        with self.waiting(arguments, task_vars):
            result: Result = self._execute_module(module_name=module, module_args=carried, task_vars=task_vars)
        return self._admitted(result)

    def _admitted(self, answer: t.Any) -> Result:
        """Return an answer as ``accept`` takes it, with the Python that Ansible has found on the host, if it had to search for one."""
        result = accept(self.MODULE.rpartition(".")[2], answer)
        name = str(getattr(self, "_discovered_interpreter_key", None) or "")
        if name:
            result["ansible_facts"] = {**result.get("ansible_facts", {}), name: self._discovered_interpreter}
        return result

    def foretell(self, outcome: Result, arguments: Result) -> Result:
        """Return the same where the module has failed for want of its library; it may have said something all the same."""
        del outcome
        return self.predict(arguments)

    def predict(self, arguments: Result) -> Result:
        """Return what a play needs to go on in check mode although the module could not run; subclasses know their results."""
        del arguments
        return {}

    def _installation_predicted(self, outcome: Result, arguments: Result, package: str) -> Result:
        return {
            **self.foretell(outcome, arguments),
            "changed": True,
            "reasons": ["cryptography-missing"],
            "msg": f"The package {package} would be installed; what comes after that cannot be foretold without it.",
        }

    def _why_not_install(self, found: str) -> Result | None:
        """Return the failure for a Python that a distribution's package does not reach, else None."""
        interpreter = str(getattr(self, "_used_interpreter", None) or "").replace("#!", "").strip()
        if not interpreter:
            return None
        if self._connection.transport == "local" and interpreter.split()[0] == sys.executable:
            return _failure(
                f"{found}. That is the Python that Ansible itself runs with, where this collection installs nothing",
                f"Install cryptography for it (for example: {sys.executable} -m pip install cryptography), or point "
                "ansible_python_interpreter at the system's Python.",
            )
        command = " ".join(shlex.quote(part) for part in (*interpreter.split(), "-c", _IS_VIRTUAL))
        run: t.Any = self._low_level_execute_command
        answer = run(command)
        if str(answer.get("stdout", "")).strip().endswith("True"):
            return _failure(
                f"{found}. {interpreter} is in a virtual environment, where a package of the distribution does not help",
                "Install cryptography there with its pip, or point ansible_python_interpreter at the system's Python.",
            )
        return None

    def _install_and_repeat(self, outcome: Result, arguments: Result, package: str, task_vars: Result) -> Result:
        installed = self._install(package, task_vars)
        if installed.get("failed"):
            return {
                **outcome,
                **_failure(
                    f"{outcome.get('msg')}. The package {package} could not be installed: {installed.get('msg', 'no reason given')}",
                    "Install cryptography on the host, or set cryptography_package to the name that its distribution uses. "
                    "Packages are installed by root only (become).",
                ),
            }
        again = self.execute(self.MODULE, arguments, task_vars)
        if again.get("failed"):
            if again.get("code") in CRYPTOGRAPHY_CODES:
                again = {
                    **again,
                    **_failure(
                        f"{again.get('msg')}, although the package {package} is installed",
                        "The package is for another Python of the host: point ansible_python_interpreter at the distribution's Python "
                        "(usually /usr/bin/python3), or install cryptography for this one.",
                    ),
                }
            return again
        return {**again, "changed": True, "reasons": ["cryptography-missing", *again.get("reasons", [])]}

    def _install(self, package: str, task_vars: Result) -> Result:
        """Return the result of installing ``package``; lists of packages that are missing or old are fetched on a second try."""
        result = self._package({"name": package, "state": "present"}, task_vars)
        if result.get("failed"):
            second = self._package({"name": package, "state": "present", "update_cache": True}, task_vars)
            return result if second.get("failed") else second
        return result

    def _package(self, arguments: Result, task_vars: Result) -> Result:
        task = self._task.copy()
        task.args = arguments
        action = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.package",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        try:
            with self.waiting({}, task_vars, f"the installation of the package {arguments['name']}"):
                result: Result = action.run(task_vars=task_vars)
        except AnsibleError as error:
            return {"failed": True, "msg": str(error)}
        return result

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        if self._always_pipelined:
            return module_style == "new" and not wrap_async
        return bool(super()._is_pipelining_enabled(module_style, wrap_async))


class CertificateAction(ModuleAction):
    """The same for modules that install what was signed: a request that the CA refused fails its own host, and no other."""

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result; the refusal, before anything is asked of the host, where there is one."""
        rejected = arguments.pop("rejected", None) or {}
        try:
            rejected = REJECTED.clean(rejected, "rejected")
        except Misshapen:
            return _failure(
                "the option rejected is not what signed_certificates returns",
                "Give it rejected of that module's result, or a part of it.",
                "option-invalid",
            )
        return rejection(rejected) if rejected else super().run_module(arguments, package, task_vars)


class Unshown(dict[str, t.Any]):
    """Arguments that show no values: with ANSIBLE_DEBUG, ansible-core prints those of each module that it has run."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}: values not shown>"


class SecretAction(ModuleAction):
    """The same for modules that carry a secret: through a pipe or not at all."""

    CARRIED = "the secret"
    ARGUMENTS = Unshown

    def execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        """Return the result of ``module``, sent through a pipe; a failure where the connection cannot do that."""
        obstacle = self._why_not_pipelined()
        if obstacle is not None:
            return obstacle
        with self._pipelined():
            return super().execute(module, arguments, task_vars)

    def _why_not_pipelined(self) -> Result | None:
        obstacle = pipelining.obstacle(self._connection)
        if obstacle is None:
            return None
        found, advice = obstacle
        return _failure(
            f"{self.CARRIED} cannot be sent safely: {found} does not allow pipelining, so Ansible would write it into a file "
            "on the host",
            advice,
            "pipelining-impossible",
        )

    @contextlib.contextmanager
    def _pipelined(self) -> t.Iterator[None]:
        self._always_pipelined = True
        try:
            with pipelining.switched_on(self._connection):
                yield
        finally:
            self._always_pipelined = False


class PassphraseAction(SecretAction):
    """The same for modules that carry the CA's passphrase."""

    CARRIED = "the CA's passphrase"

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result; the operator is filled in for the ledger."""
        if not arguments.get("operator"):
            arguments["operator"] = controller_user()
        return super().run_module(arguments, package, task_vars)


def controller_user() -> str:
    """Return ``user@host`` of the controller."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.geteuid())
    return f"{user}@{socket.gethostname()}"


def rejection(rejected: t.Mapping[str, t.Mapping[str, str]]) -> Result:
    """Return the failure that tells what M(signed_certificates) refused (its ``rejected``, or a part of it)."""
    reasons = list(rejected.values())
    codes = {reason["code"] for reason in reasons}
    return _failure(
        "; ".join(reason["msg"] for reason in reasons),
        " ".join(dict.fromkeys(reason["hint"] for reason in reasons if reason["hint"])),
        codes.pop() if len(codes) == 1 else "requests-refused",
    )


def _failure(message: str, hint: str, code: str = "") -> Result:
    failure = {"failed": True, "changed": False, "msg": message, "hint": hint}
    return {**failure, "code": code} if code else failure
