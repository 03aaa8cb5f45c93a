# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The common steps of the action plugins around the modules.

* Options of a role's task are bound to the role's variables by name (``_variables/binding.py``).
* A module for the controller itself runs in this process (``local.py``), every other one on its host, within the host's time limit.
* Every answer is checked in one place (``accept.py``).
* A missing cryptography library is installed from the distribution, and the module is run again (``packages.py``).
* **A secret touches no disk.** Ansible writes module and arguments into a file on the host (AnsiballZ) unless pipelining is on, and
  leaves the file there with ANSIBLE_KEEP_REMOTE_FILES. Modules that carry a secret are always sent through a pipe here, whatever
  the configuration; where that is impossible, the task fails before anything is sent (read in ansible-core 2.18 to 2.21:
  ``_execute_module`` asks ``_is_pipelining_enabled`` each time it would write a file; the connection's own option keeps ``local`` from
  opening a pty for the become password, into which the module could not be written).
"""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing as t

from ansible.plugins.action import ActionBase
from ansible.release import __version__ as RUNNING

from ...module_utils._argument_specs import CRYPTOGRAPHY_PACKAGE
from ...module_utils._errors import TlsError
from .. import _bytecode  # noqa: F401  What is imported from here on is not compiled in every run.
from .._validate import surroundings
from .._variables import binding
from .._variables.fleet_variables import Fleet
from . import failures, local, packages, program
from .answer_schema import Misshapen
from .answers import REJECTED, accept
from .failures import failure, of_error, rejection

Result = dict[str, t.Any]


class Unshown(dict[str, t.Any]):
    """Arguments that show no values: with ANSIBLE_DEBUG, ansible-core prints those of each module that it has run."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}: values not shown>"


class ModuleAction(ActionBase):
    """Run the module ``MODULE`` with the task's arguments."""

    MODULE = ""
    #: The module's ``main``, where it may run in this process when the task is for the controller itself.
    MAIN: t.Callable[..., None] | None = None
    #: The same of other modules that the action executes, by their names.
    MORE: t.Mapping[str, t.Callable[..., None]] = types.MappingProxyType({})
    #: The secret that the arguments carry, in words, "" for none.
    CARRIED = ""
    #: Whether the ledger names who ran Ansible: the option ``operator`` is the controller's user then, unless it is given.
    OPERATOR = False
    #: Whether the module installs what was signed: a request that the CA rejected fails its own host, before that is asked, and no other.
    TAKES_REJECTIONS = False
    #: Options beside ``role`` for of_role; the module does not have them.
    OF_ROLES: tuple[str, ...] = ()
    TRANSFERS_FILES = False
    _requires_connection = True

    _always_pipelined = False
    #: The limit of the present wait, or the last one.
    _limit: failures.HostTimeout
    _gave_up = False

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> Result:
        """Return the module's result."""
        super().run(tmp, task_vars)
        del tmp
        too_old = surroundings.version_problem(RUNNING)
        if too_old:
            return failure(too_old, surroundings.VERSION_HINT, surroundings.VERSION_CODE)
        local.keep_account(self, task_vars or {})
        arguments = dict(self._task.args)
        role = arguments.pop("role", "")
        if role:
            try:
                found = self._bound_to(str(role), task_vars or {})
            except (binding.Unresolved, ValueError) as error:
                reason = error if isinstance(error, binding.Unresolved) else binding.Unresolved
                return failure(str(error), reason.hint, reason.code)
            except TlsError as error:
                return of_error(error)
            if found is None:
                return {"changed": False, "skipped": True, "skip_reason": "there is nothing to do"}
            given = {name: value for name, value in arguments.items() if name not in self.OF_ROLES}
            self._task.args = arguments = {**found, **given}
        package = arguments.pop("cryptography_package", CRYPTOGRAPHY_PACKAGE)
        try:
            return self.run_module(arguments, package, task_vars or {})
        except failures.TimeLimitExceeded:
            self._gave_up = True
            return failures.timeout_failure(self._limit)
        except TlsError as error:
            return of_error(error)

    @contextlib.contextmanager
    def waiting(self, arguments: t.Mapping[str, t.Any], task_vars: Result, purpose: str = "") -> t.Iterator[None]:
        """Set the time limit for this block's wait on the host, which ``run`` reports. ``purpose``: if it differs from the module's."""
        role = str(getattr(getattr(self._task, "_role", None), "_role_name", "") or "")
        limit = failures.host_timeout(self.MODULE, role, arguments, task_vars, self._templar.template)
        self._limit = dataclasses.replace(limit, purpose=purpose, begun="") if purpose else limit
        with failures.time_limit(self._limit.seconds):
            yield

    def cleanup(self, force: bool = False) -> None:
        """Remove the files that this task has put on the host, except from a host that has just not answered, to avoid another wait."""
        if not self._gave_up:
            clean: t.Any = super().cleanup
            clean(force)

    def _bound_to(self, role: str, task_vars: Result) -> Result | None:
        """Return the arguments that ``role`` gives; None also on a host that is in the play only to keep it going."""
        bound = binding.Bound(task_vars, self._templar.template)
        return None if bound.is_witness() else self.of_role(role, bound, self._fleet(bound))

    def of_role(self, role: str, bound: binding.Bound, fleet: Fleet) -> Result | None:
        """Return the arguments that ``role`` gives to the module, made of its variables; None where it has nothing to do.

        Raises Unresolved, ValueError and TlsError. ``fleet`` are the variables of all hosts.
        """
        del bound, fleet
        raise ValueError(f"{self.MODULE} does nothing for the role {role}")

    def _fleet(self, bound: binding.Bound) -> Fleet:
        """Return the variables of all hosts, with the variables of the play."""

        def template(host: str, value: t.Any) -> t.Any:
            return self._templar.copy_with_new_env(available_variables=dict(found.raw_get(host))).template(value)

        found: Fleet = bound.fleet(template)
        return found

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the module's result, after an installation of ``package`` and a second try where that is needed."""
        rejected = given_rejections(arguments) if self.TAKES_REJECTIONS else None
        if rejected:
            return rejection(rejected)
        if self.OPERATOR and not arguments.get("operator"):
            arguments["operator"] = local.user()
        outcome = self.execute(self.MODULE, arguments, task_vars)
        return packages.with_library(self, outcome, arguments, package, task_vars)

    def execute(self, module: str, arguments: Result, task_vars: Result) -> Result:
        """Return the result of one execution of ``module`` (a full name) on the task's host.

        A secret is sent through a pipe; where the connection cannot do that, the result is a failure.
        """
        main = self.MAIN if module == self.MODULE else self.MORE.get(module)
        secret = self.secret(arguments)
        obstacle = program.obstacle(self._connection) if secret else None
        if obstacle is not None:
            found, advice = obstacle
            message = f"{secret} cannot be sent safely: {found} does not allow pipelining, so Ansible would write it into a file on the host"
            return failure(message, advice, "pipelining-impossible")
        if main is not None and local.is_possible(self, task_vars):
            check, diff = bool(self._task.check_mode), bool(getattr(self._task, "diff", False))
            done = local.execute(main, arguments, check_mode=check, diff=diff)
            if done is not None:
                return self._admitted(done, module)
        carried = Unshown(arguments) if secret else arguments
        with self._pipelined() if secret else contextlib.nullcontext(), self.waiting(arguments, task_vars):
            result: Result = self._execute_module(module_name=module, module_args=carried, task_vars=task_vars)
        return self._admitted(result, module)

    def secret(self, arguments: Result) -> str:
        """Return the secret that ``arguments`` carry, in words; "" for none."""
        del arguments
        return self.CARRIED

    def _admitted(self, answer: t.Any, module: str = "") -> Result:
        """Return an answer as ``accept`` takes it, with the Python that Ansible has found on the host, if it had to search for one."""
        result = accept((module or self.MODULE).rpartition(".")[2], answer)
        name = str(getattr(self, "_discovered_interpreter_key", None) or "")
        if name:
            result["ansible_facts"] = {**result.get("ansible_facts", {}), name: self._discovered_interpreter}
        return result

    def foretell(self, outcome: Result, arguments: Result) -> Result:
        """Return the same where the module has failed because its library is missing; it may have returned something anyway."""
        del outcome
        return self.predict(arguments)

    def predict(self, arguments: Result) -> Result:
        """Return a result with which a play can continue in check mode although the module could not run; subclasses know their results."""
        del arguments
        return {}

    @contextlib.contextmanager
    def _pipelined(self) -> t.Iterator[None]:
        self._always_pipelined = True
        try:
            with program.switched_on(self._connection):
                yield
        finally:
            self._always_pipelined = False

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        if self._always_pipelined:
            return module_style == "new" and not wrap_async
        return bool(super()._is_pipelining_enabled(module_style, wrap_async))


class PassphraseAction(ModuleAction):
    """The same for modules that carry the CA's passphrase."""

    CARRIED = "the CA's passphrase"
    OPERATOR = True


def given_rejections(arguments: Result) -> Result:
    """Take the option ``rejected`` out of ``arguments`` and return it. Raises TlsError ``option-invalid``."""
    try:
        return REJECTED.clean(arguments.pop("rejected", None) or {}, "rejected")
    except Misshapen:
        raise TlsError(
            "the option rejected is not what signed_certificates returns",
            hint="Give it rejected of that module's result, or a part of it.",
            code="option-invalid",
        ) from None
