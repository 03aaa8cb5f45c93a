# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules of ours as one Python program that needs nothing beside it.

For what outlives a module's own code on a host (``_endpoint/rollback_guard.py``), and for what reaches a host without AnsiballZ.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
import zlib

PACKAGE = "docker_tls_program"
# 11 ms instead of 37 for the usual 6, on the controller and again on each host that is changed, for a program a quarter larger (measured).
_LEVEL = 1

_PROGRAM = """\
%(before)s
import base64, json, sys, zlib
from importlib.machinery import ModuleSpec

SOURCES = json.loads(zlib.decompress(base64.b64decode(%(sources)r)))


class Memory:
    def find_spec(self, name, path=None, target=None):
        if name in SOURCES:
            return ModuleSpec(name, self, origin=name, is_package=SOURCES[name] is None)

    def create_module(self, spec):
        return None

    def get_source(self, name):
        return SOURCES[name] or ""

    def exec_module(self, module):
        exec(compile(self.get_source(module.__name__), module.__name__, "exec", dont_inherit=True), module.__dict__)


sys.meta_path.insert(0, Memory())
%(after)s
"""


def program(sources: t.Mapping[str, str], *, before: str = "", after: str) -> str:
    """Return a program in ASCII that can import ``sources``.

    ``sources``: texts by dotted name below PACKAGE. ``before`` runs before anything is unpacked, ``after`` can import them.
    """
    named: dict[str, str | None] = {PACKAGE: None}
    for name, text in sources.items():
        parts = name.split(".")
        for depth in range(1, len(parts)):
            named[".".join([PACKAGE, *parts[:depth]])] = None
        named[f"{PACKAGE}.{name}"] = text
    packed = base64.b64encode(zlib.compress(json.dumps(named).encode("ascii"), _LEVEL))
    return _PROGRAM % {"before": before, "sources": packed, "after": after}


_IMPORT = re.compile(r"^ *from (\.+)([\w.]*) import (\([^)]*\)|[^\n(]+)", re.M)


def closure(root: str, source: t.Callable[[str], t.Optional[str]], without: t.Container[str] = ()) -> dict[str, str]:
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
