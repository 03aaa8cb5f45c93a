# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs for hosts: packed once, sent through a pipe, and their answers. |.

It holds the sources, and bytecode for hosts whose Python has the version of the controller's: they compile nothing, which is a third of what
an inspection costs them (0.1 s of CPU, measured). To make the bytecode takes longer than that, so a program that cannot be kept has none.

Why not always a module: building AnsiballZ costs the controller about as much as reaching eight hosts, and on every host
Python compiles ``ansible.module_utils.basic`` and all that comes with it before it begins with ours (0.25 s of CPU,
measured). So the two calls that nearly every host gets, the inspection and the change of the daemon, go this way. They carry no
secret. Where a program cannot be sent, the module is, and so where the change did not begin; where the inspection did not, the
roles run. The code is the collection's own, unchanged.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import marshal
import os
import pathlib
import shlex
import sys
import types
import typing as t
from importlib.util import cache_from_source

from ansible import constants as C
from ansible.errors import AnsibleError

from ...module_utils import _standalone
from ...module_utils._standalone import PACKAGE, closure
from .answer_schema import printable


def obstacle(connection: t.Any) -> tuple[str, str] | None:
    """Return what forbids pipelining on this connection and what to do about it, else None."""
    become = connection.become
    name = getattr(become, "name", "")
    if not connection.has_pipelining:
        return f"the connection {connection.transport}", "Use a connection that does, such as ssh or local."
    if become and not getattr(become, "pipelining", name != "su"):
        return f"the become method {name}", "Use another become method for this host, such as sudo."
    if getattr(connection, "_is_tty_requested", bool)():
        return "an ssh connection with RequestTTY", "Take RequestTTY out of the ssh arguments of this host."
    return None


@contextlib.contextmanager
def switched_on(connection: t.Any) -> t.Iterator[None]:
    """Inside, the connection pipelines regardless of its configuration.

    Otherwise a local connection opens a terminal for sudo's password, and waits there without end.
    """
    before: t.Any = None
    try:
        before = connection.get_option("pipelining")
        known = True
    except (KeyError, AttributeError, ValueError, AnsibleError):
        known = False
    if known:
        connection.set_option("pipelining", True)
    try:
        yield
    finally:
        if known:
            connection.set_option("pipelining", before)


#: What the text is made by; a kept text is used only while all of it is the same.
_MADE_BY = (__file__, _standalone.__file__)
_BEST = 9


def packed(path: str, sources: t.Mapping[str, str], after: str) -> str:
    """Return the program that runs ``after`` and can import ``sources``.

    ``path``: the file of its first module.
    """
    kept = _kept_path(path)
    if kept is None:
        return _standalone.program(sources, after=after)
    key = _key(sources, after)
    with contextlib.suppress(OSError, ValueError):
        head, _newline, text = pathlib.Path(kept).read_text(encoding="ascii").partition("\n")
        if head == _head(key, text):
            return text
    if not _is_writable(kept):
        return _standalone.program(sources, after=after)
    bytecode = {name: _bytecode(name, text) for name, text in sources.items()}
    text = _standalone.program(sources, bytecode, after=after, level=_BEST)
    with contextlib.suppress(OSError):
        _write(kept, f"{_head(key, text)}\n{text}")
    return text


def _key(sources: t.Mapping[str, str], after: str) -> str:
    made_by = [pathlib.Path(path).read_text(encoding="utf-8") for path in _MADE_BY]
    everything = json.dumps([made_by, sys.version, after, sorted(sources.items())])
    return hashlib.sha256(everything.encode("ascii")).hexdigest()


def _head(key: str, text: str) -> str:
    """Return the first line of a kept text: what it is made of, and its own digest, because a power failure may cut it off."""
    return f"{key} {hashlib.sha256(text.encode('ascii')).hexdigest()}"


def _kept_path(path: str) -> str | None:
    """Return where Python keeps the bytecode of a file, with another ending; None where it keeps none."""
    try:
        return os.path.splitext(cache_from_source(path))[0] + ".program"
    except NotImplementedError:
        return None


def _is_writable(kept: str) -> bool:
    directory = os.path.dirname(kept)
    if sys.dont_write_bytecode:
        return False
    with contextlib.suppress(OSError):
        os.makedirs(directory, exist_ok=True)
    return os.access(directory, os.W_OK)


def _write(kept: str, text: str) -> None:
    """Replace the file at once: another run may read it now."""
    new = f"{kept}.{os.getpid()}"
    try:
        pathlib.Path(new).write_text(text, encoding="ascii")
        os.replace(new, kept)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)


def _bytecode(name: str, source: str) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True, optimize=2)
    return marshal.dumps(_without_lines(code))


def _without_lines(code: types.CodeType) -> types.CodeType:
    """Return the code without its line numbers, a third of its size: every host gets it, also over slow lines, and shows no traceback."""
    constants = (_without_lines(one) if isinstance(one, types.CodeType) else one for one in code.co_consts)
    return code.replace(co_linetable=b"", co_consts=tuple(constants))


_ROOT = pathlib.Path(__file__).resolve().parents[2] / "module_utils"
_BEGUN = "docker_tls: begun"
_ANSWER = '{"docker_tls_answer": '
MOST_CHARACTERS = 1_000_000

# Without the search for reference cycles loading takes 4 to 8 % less CPU (measured, Python 3.11 and 3.13); the process ends soon.
_CALL = """\
import gc
gc.disable()
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
        after = _CALL % {"module": f"{PACKAGE}.{module}", "begun": _BEGUN}
        text = packed(str(_path(module)), self.sources, after)
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
    if obstacle(action._connection) or any(action._task.environment or ()):
        return None
    shell = command(task_vars, action._templar.template)
    with switched_on(action._connection), action.waiting(arguments.get("options") or {}, task_vars):
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
