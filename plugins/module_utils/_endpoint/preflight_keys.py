# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of daemon.json that the engine in hand does not know, found without its help.

dockerd does not start with such a key; before 23.0 it has no ``--validate`` that would say so. Where our table does not reach
(``daemon_json_keys.py``), nothing is found here.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from .._docker.daemon_json_keys import compared_names, known, knows
from .._docker.findings import Finding, error, warning

_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def check_keys(values: t.Mapping[str, t.Any], path: str, engine_version: str | None, *, in_use: bool) -> list[Finding]:
    """Return a finding for each name in ``values`` that the engine is known not to know.

    ``in_use``: dockerd runs with this very file. Then it is our table that is wrong, and the finding only a warning.
    """
    match = _VERSION.match(engine_version or "")
    if not match:
        return []
    release = (int(match[1]), int(match[2]))
    unknown = [name for name in compared_names(values, release) if knows(name, release) is False]
    return [_finding(name, path, release, str(engine_version), in_use=in_use) for name in unknown]


def _finding(name: str, path: str, release: tuple[int, int], version: str, *, in_use: bool) -> Finding:
    near = difflib.get_close_matches(name, known(release), 1)
    text = f"{path} has the key {name!r}, which Docker Engine {version} is not known to have"
    if in_use:
        return warning("daemon-json-key-unknown", text, "dockerd runs with it anyway, so it was left alone.")
    hint = f"The nearest key that it knows is {near[0]!r}. Correct it or remove it." if near else "Remove it."
    return error("daemon-json-key-unknown", f"{text}; it would refuse to start", hint)
