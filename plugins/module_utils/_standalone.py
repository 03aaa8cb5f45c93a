# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules of ours as one Python program that needs nothing beside it.

For what outlives a module's own code on a host (``_endpoint/rollback_guard.py``), and for what reaches a host without AnsiballZ.
"""

from __future__ import annotations

import base64
import json
import marshal
import re
import sys
import typing as t
import zlib
from importlib.util import MAGIC_NUMBER

PACKAGE = "docker_tls_program"
# 11 ms instead of 37 for the usual 6, on the controller and again on each host that is changed, for a program a quarter larger (measured).
_LEVEL = 1

_PROGRAM = """\
%(before)s
import base64, functools, json, marshal, sys, zlib
from importlib.machinery import ModuleSpec
from importlib.util import MAGIC_NUMBER


@functools.lru_cache(None)
def sources():
    return json.loads(zlib.decompress(base64.b64decode(%(sources)r)))


@functools.lru_cache(None)
def bytecode():
    if (MAGIC_NUMBER, sys.implementation.cache_tag) != %(version)r:
        return {}
    return marshal.loads(zlib.decompress(base64.b64decode(%(bytecode)r)))


class Memory:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != %(package)r:
            return None
        known = bytecode() or sources()
        if name in known:
            return ModuleSpec(name, self, origin=name, is_package=known[name] is None)

    def create_module(self, spec):
        return None

    def get_source(self, name):
        return sources()[name] or ""

    def exec_module(self, module):
        name = module.__name__
        code = bytecode().get(name)
        if code:
            exec(marshal.loads(code), module.__dict__)
        elif not hasattr(module, "__path__"):
            exec(compile(self.get_source(name), name, "exec", dont_inherit=True), module.__dict__)


sys.meta_path.insert(0, Memory())
%(after)s
"""

T = t.TypeVar("T")


def program(
    sources: t.Mapping[str, str],
    bytecode: t.Optional[t.Mapping[str, bytes]] = None,
    *,
    before: str = "",
    after: str,
    level: int = _LEVEL,
) -> str:
    """Return a program in ASCII that can import ``sources``.

    ``sources``: texts by dotted name below PACKAGE. ``bytecode``: what this Python has made of some of them (marshalled). It is used only by a
    Python of the same version; every other one compiles the sources, because Python crashes with bytecode of another version.
    ``before`` runs before anything is unpacked, ``after`` can import them. ``level`` is zlib's.
    """
    version, compiled = None, b""
    if bytecode:
        version = (MAGIC_NUMBER, sys.implementation.cache_tag)
        compiled = marshal.dumps(_with_packages({name: bytecode.get(name, b"") for name in sources}))
    return _PROGRAM % {
        "before": before,
        "after": after,
        "package": PACKAGE,
        "sources": _packed(json.dumps(_with_packages(sources)).encode("ascii"), level),
        "version": version,
        "bytecode": _packed(compiled, level),
    }


def _packed(data: bytes, level: int) -> bytes:
    return base64.b64encode(zlib.compress(data, level))


def _with_packages(modules: t.Mapping[str, T]) -> dict[str, t.Optional[T]]:
    """Return the modules by their full names, and None for each package that they are in."""
    named: dict[str, t.Optional[T]] = {PACKAGE: None}
    for name, content in modules.items():
        parts = name.split(".")
        for depth in range(1, len(parts)):
            named[".".join([PACKAGE, *parts[:depth]])] = None
        named[f"{PACKAGE}.{name}"] = content
    return named


_FROM = r"from (\.+)([\w.]*) import (\([^)]*\)|[^\n(]+)"
_IMPORT = re.compile(f"^ *{_FROM}", re.M)


def closure(
    root: str,
    source: t.Callable[[str], t.Optional[str]],
    without: t.Container[str] = (),
) -> dict[str, str]:
    """Return the texts of the module ``root`` and of all that it imports, also inside of functions, by dotted name below the package.

    ``source`` returns the text of a module, None or "" where there is none or a package. ``without``: modules that are left out, and
    what only they import.
    """
    found: dict[str, str] = {}
    left = [root]
    while left:
        name = left.pop()
        text = source(name) if name not in found and name not in without else None
        if text:
            found[name] = text
            left.extend(_imported(name, text, source))
    return dict(sorted(found.items()))


def _imported(name: str, text: str, source: t.Callable[[str], t.Optional[str]]) -> t.Iterator[str]:
    """Yield the modules that ``name`` imports by ``from``, relative to itself: our code has no other way."""
    for dots, module, names in _IMPORT.findall(text):
        package = name.split(".")[: -len(dots)]
        base = ".".join([*package, module] if module else package)
        if base and source(base):
            yield base
        else:
            yield from (".".join(filter(None, (base, each))) for each in re.findall(r"(\w+)(?: as \w+)?", names))
