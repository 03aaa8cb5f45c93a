# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The look at a host (``_host_state``) as one script for a pipe, without AnsiballZ around it. PRIVATE: may change.

Why not a module like the others: building AnsiballZ costs the controller about as much as reaching eight hosts, and on
every host Python compiles ``ansible.module_utils.basic`` and all that comes with it before it begins with ours. This
script is only for the look that nearly every run ends with; it writes nothing, holds no secret, and where it cannot be
sent or its answer is not understood, the real modules are asked. The code is the collection's own, unchanged.
"""

from __future__ import annotations

import base64
import functools
import json
import pathlib
import shlex
import typing as t
import zlib

from ansible import constants as C

_ROOT = pathlib.Path(__file__).resolve().parents[1] / "module_utils"
_PACKAGE = "docker_tls_look"
#: An answer has some ten thousand: a report of the endpoint, a certificate or a request.
MOST_CHARACTERS = 1_000_000
#: What ``_host_state`` imports before a change is needed; a test knows if that list is no longer right.
SOURCES: tuple[str, ...] = (
    "_accounts",
    "_daemon/config",
    "_daemon/dropin",
    "_daemon/endpoint",
    "_daemon/engine",
    "_daemon/environment",
    "_daemon/findings",
    "_daemon/flags",
    "_daemon/handshake",
    "_daemon/journal",
    "_daemon/jsontext",
    "_daemon/listen",
    "_daemon/listening",
    "_daemon/machine",
    "_daemon/options",
    "_daemon/plan",
    "_daemon/plan_present",
    "_daemon/preflight_certificates",
    "_daemon/report",
    "_daemon/socket_unit",
    "_daemon/state",
    "_daemon/systemd",
    "_daemon/unit",
    "_daemon/unit_source",
    "_daemon/unitfile",
    "_daemon/words",
    "_errors",
    "_files",
    "_host/addresses",
    "_host/certstore",
    "_host/netlink",
    "_host_state",
    "_requests",
    "_time",
    "_x509/attributes",
    "_x509/compat",
    "_x509/decide",
    "_x509/inspect",
    "_x509/issue",
    "_x509/keys",
    "_x509/names",
    "_x509/pem",
    "_x509/profiles",
    "_x509/verify",
    "_x509/wording",
)

_SCRIPT = """\
import base64, json, sys, zlib
from importlib.machinery import ModuleSpec

SOURCES = json.loads(zlib.decompress(base64.b64decode(%(sources)r)))


class Memory:
    def find_spec(self, name, path=None, target=None):
        if name in SOURCES:
            return ModuleSpec(name, self, origin=name, is_package=SOURCES[name] is None)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        source = SOURCES[module.__name__]
        if source is not None:
            exec(compile(source, module.__name__, "exec", dont_inherit=True), module.__dict__)


sys.meta_path.insert(0, Memory())
arguments = json.loads(@arguments@)
try:
    from %(package)s import _host_state, _time
    around = _host_state.real_surroundings()
    answer = _host_state.look(arguments["requests"], arguments["endpoint"], around, _time.utc_now(), prepare=arguments["prepare"])
except Exception as error:
    answer = {"current": False, "reasons": ["undecided"], "warnings": [], "msg": "%%s: %%s" %% (type(error).__name__, error)}
print(json.dumps({"docker_tls_look": answer}))
"""


def script(wanted: t.Mapping[str, t.Any]) -> bytes:
    """Return the Python program that looks, with its arguments (``requests``, ``endpoint``, ``prepare``) in it; they hold no secret."""
    arguments = json.dumps({name: wanted[name] for name in ("requests", "endpoint", "prepare")})
    before, after = _around_arguments()
    return b"".join((before, ascii(arguments).encode("ascii"), after))


@functools.lru_cache(maxsize=1)
def _around_arguments() -> tuple[bytes, bytes]:
    """Return what is the same for all hosts: the program before its arguments, and after them."""
    filled = _SCRIPT % {"sources": packed_sources(), "package": _PACKAGE}
    before, after = filled.encode("utf-8").split(b"@arguments@")
    return before, after


def prepare() -> None:
    """Read and pack now what every host gets, before Ansible makes a process for each."""
    _around_arguments()


@functools.lru_cache(maxsize=1)
def packed_sources() -> bytes:
    """Return the sources by module name, compressed; packages have none."""
    sources: dict[str, str | None] = {_PACKAGE: None}
    for name in SOURCES:
        parts = name.split("/")
        if len(parts) > 1:
            sources[f"{_PACKAGE}.{parts[0]}"] = None
        sources[".".join([_PACKAGE, *parts])] = (_ROOT / f"{name}.py").read_text(encoding="utf-8")
    return base64.b64encode(zlib.compress(json.dumps(sources).encode("utf-8"), 6))


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
    return f"for python in {listed} /usr/bin/python3; do command -v $python >/dev/null 2>&1 && exec $python -I -; done"


def answer(output: str) -> dict[str, t.Any] | None:
    """Return what the script has said, None where that is not what it says or is more than any host has to say."""
    if len(output) > MOST_CHARACTERS:
        return None
    for line in reversed(output.splitlines()):
        if line.startswith('{"docker_tls_look": '):
            try:
                found = json.loads(line)["docker_tls_look"]
            except (ValueError, KeyError, TypeError, RecursionError):
                return None
            return checked(found)
    return None


def checked(found: t.Any) -> dict[str, t.Any] | None:
    """Return only what is expected of a host, in the expected types."""
    if not isinstance(found, dict) or not isinstance(found.get("current"), bool):
        return None
    lists = {name: found.get(name) or [] for name in ("reasons", "warnings")}
    if not all(isinstance(items, list) for items in lists.values()):
        return None
    words = {name: [str(item) for item in items] for name, items in lists.items()}
    why = {"msg": str(found["msg"])} if found.get("msg") else {}
    more = {
        name: found[name]
        for name, kind in (("requests", list), ("endpoint", dict), ("prepared", dict))
        if isinstance(found.get(name), kind)
    }
    return {"current": found["current"], **words, **why, **more}
