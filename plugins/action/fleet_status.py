# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the table of M(portcullis.docker_tls.fleet_status) as it is.

A debug task would leave that to the callback: as JSON (the default) a table is a list of quoted strings, as YAML some of
its lines are quoted and others not, and both push it out of line. So it goes to the display itself, line by line, with
the colours that Ansible uses.
"""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase

# Ansible's settings of colours, by the word that a line of the table begins with.
_COLOURS = {
    "CRITICAL": "COLOR_ERROR",
    "CRITICAL:": "COLOR_ERROR",
    "WARNING": "COLOR_WARN",
    "WARNING:": "COLOR_WARN",
    "unknown": "COLOR_SKIP",
    "UNKNOWN:": "COLOR_SKIP",
    "ok": "COLOR_OK",
    "OK:": "COLOR_OK",
}


class ActionModule(ActionBase):
    """Run the module, then show its table."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        for line in result.get("table") or []:
            self._display.display(line, color=colour(line))
        return result


def colour(line: str) -> str | None:
    """Return the name of the colour for a line of the table, None for no colour."""
    setting = _COLOURS.get(line.partition(" ")[0])
    return getattr(C, setting) if setting else None
