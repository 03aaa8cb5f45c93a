# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules of ours as one Python program that needs nothing beside it.

For what outlives a module's own code on a host (``_endpoint/rollback_guard.py``), and for what reaches a host without AnsiballZ.
"""

from __future__ import annotations

import base64
import json
import typing as t
import zlib

PACKAGE = "docker_tls_program"

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
    packed = base64.b64encode(zlib.compress(json.dumps(named).encode("ascii"), 6))
    return _PROGRAM % {"before": before, "sources": packed, "after": after}
