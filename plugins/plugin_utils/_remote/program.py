# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A function of ours on a host, sent as one program through a pipe, without AnsiballZ around it.

Why not always a module: building AnsiballZ costs the controller about as much as reaching eight hosts, and on every host
Python compiles ``ansible.module_utils.basic`` and all that comes with it before it begins with ours (0.25 s of CPU,
measured). So the two calls that nearly every host gets, the inspection and the change of the daemon, go this way. They carry no
secret. Where a program cannot be sent, the module is, and so where the change did not begin; where the inspection did not, the
roles run. The code is the collection's own, unchanged.
"""

from __future__ import annotations

import functools
import json
import pathlib
import shlex
import typing as t

from ansible import constants as C

from ...module_utils._standalone import LOADED, PACKAGE, closure
from . import pipelining
from .answer_schema import printable
from .packed import packed

_ROOT = pathlib.Path(__file__).resolve().parents[2] / "module_utils"
_BEGUN = "docker_tls: begun"
_ANSWER = '{"docker_tls_answer": '
MOST_CHARACTERS = 1_000_000

_CALL = """\
arguments = json.loads(@arguments@)
print("\\n" + %(begun)r, flush=True)
try:
    from %(module)s import run
    answer = run(arguments)
except Exception as error:
    answer = {"crashed": "%%s: %%s" %% (type(error).__name__, error)}
print("\\n" + json.dumps({"docker_tls_answer": answer}))
"""


class Program:
    """The function ``run`` of a module of ours, by its dotted name below ``module_utils``, with all modules that it imports.

    ``without``: modules that it imports somewhere and never comes to.
    """

    def __init__(self, module: str, without: t.Container[str] = ()) -> None:
        # Packed here: Ansible loads a plugin once for all hosts, and each host's process finds it done.
        self.sources = closure(module, _source, without)
        loaded = closure(module, _source, without, pattern=LOADED)
        after = _CALL % {"module": f"{PACKAGE}.{module}", "begun": _BEGUN}
        text = packed(str(_path(module)), self.sources, loaded, after)
        self._before, self._after = text.encode("ascii").split(b"@arguments@")

    def script(self, arguments: t.Mapping[str, t.Any]) -> bytes:
        """Return the Python program that calls ``run`` with ``arguments``; they hold no secret."""
        return b"".join((self._before, ascii(json.dumps(arguments)).encode("ascii"), self._after))


def send(
    action: t.Any, sent: Program, arguments: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]
) -> tuple[str, int] | None:
    """Return the output of a program on the host of a task, and its exit code; None where it cannot be sent as the task asks.

    In: ``action`` is the action plugin (``module_runner.py``), whose module runs instead then.
    """
    if pipelining.obstacle(action._connection) or any(action._task.environment or ()):
        return None
    shell = command(task_vars, action._templar.template)
    with pipelining.switched_on(action._connection), action.waiting(arguments.get("options") or {}, task_vars):
        result = action._low_level_execute_command(shell, in_data=sent.script(arguments), sudoable=True)
    return str(result.get("stdout", "")), int(result.get("rc") or 0)


@functools.cache
def _source(name: str) -> str | None:
    path = _path(name)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _path(name: str) -> pathlib.Path:
    return _ROOT / f"{name.replace('.', '/')}.py"


def command(variables: t.Mapping[str, t.Any], template: t.Callable[[t.Any], t.Any]) -> str:
    """Return the shell command that runs Python, on the host, on what comes through the pipe.

    The interpreter is the one that Ansible would take; where it would have to search for one first, the shell searches in
    the same order, which saves a round trip.
    """
    named = variables.get("ansible_python_interpreter")
    if named is None:
        named = (variables.get("ansible_facts") or {}).get("discovered_interpreter_python")
    if named is None:
        named = C.config.get_config_value("INTERPRETER_PYTHON", variables=dict(variables))
    interpreter = str(template(named)).strip()
    if interpreter and not interpreter.startswith("auto"):
        return f"{interpreter} -I -"
    candidates = C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=dict(variables))
    listed = " ".join(shlex.quote(str(candidate)) for candidate in candidates)
    found = f"for python in {listed} /usr/bin/python3; do command -v $python >/dev/null 2>&1 && break; done"
    # Not exec: a Python that is killed must be the failure of a command, and not, with the shell gone, of the connection.
    return f"{found}; $python -I -"


def has_begun(output: str) -> bool:
    """Return whether a program has begun on the host, whatever became of it: then it may have changed something."""
    return _BEGUN in output.splitlines()


def answer(output: str) -> dict[str, t.Any] | None:
    """Return the answer of the function, None where it is not valid or too long.

    Lone surrogates are rejected: Ansible accepts none from a module, and the CA host's answer about them would be
    refused together with its answers about all other hosts.
    """
    if len(output) > MOST_CHARACTERS:
        return None
    line = next((line for line in reversed(output.splitlines()) if line.startswith(_ANSWER)), "")
    try:
        found = json.loads(line)["docker_tls_answer"]
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return printable(found) if isinstance(found, dict) else None
