# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytecode of this collection, as Python keeps it for every other library: in ``__pycache__`` beside the source.

Ansible's own loader keeps none: it compiles all that a collection's plugins import, in every run (0.14 s of CPU for ours,
measured). Python's loader compares the bytecode with the source before it uses it, and compiles where there is none or none can be written.
The action plugins themselves are kept already: Ansible loads them by Python's loader.
"""

from __future__ import annotations

import sys
import typing as t
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader

_PLUGINS = f"{__name__.rpartition('.plugin_utils.')[0]}."
_ANSIBLE = "_AnsibleCollectionFinder"


class _Finder:
    """Find the Python files below ``plugins/``; packages and everything else are left to Ansible's finder."""

    def __init__(self) -> None:
        self._finders: dict[str, FileFinder] = {}

    def find_spec(self, name: str, path: t.Sequence[str] | None = None, target: t.Any = None) -> ModuleSpec | None:
        """Return the specification of a module of ours, with Python's own loader."""
        del target
        if not path or not name.startswith(_PLUGINS):
            return None
        place = path[0]
        if place not in self._finders:
            self._finders[place] = FileFinder(place, (SourceFileLoader, [".py"]))
        found = self._finders[place].find_spec(name)
        return found if found is not None and found.loader is not None else None


def install() -> None:
    """Put the finder before Ansible's, once; without Ansible's there is nothing to do."""
    names = [type(finder).__name__ for finder in sys.meta_path]
    if _ANSIBLE in names and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(names.index(_ANSIBLE), _Finder())


install()
