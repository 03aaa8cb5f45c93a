# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays without hosts are not printed.

Ansible prints three lines for each play that has no hosts, and has no setting for that (``display_skipped_hosts`` is about tasks). site.yml has
one play for every case, and in most runs most of them have no hosts: two thirds of the output of a run with nothing to do.

A callback cannot remove the output of the stdout callback, so the heading of a play is held until the next line shows whether the play has
hosts. With -v everything is printed.
"""

from __future__ import annotations

import typing as t

#: The stdout callback of ansible-core. Others (of AWX, for example) attribute the output to events: they get it unchanged.
CALLBACKS = ("default", "ansible.builtin.default")
#: Its output, 2.18 to 2.21.
_HEADING = "\nPLAY ["
_NO_HOSTS = "skipping: no hosts matched"


def hide(display: t.Any) -> None:
    """Have ``display`` (Ansible's Display) print no plays without hosts; once is enough."""
    if getattr(display, "verbosity", 0) or isinstance(getattr(display.display, "__self__", None), _Filter):
        return
    display.display = _Filter(display.display).show


class _Filter:
    def __init__(self, show: t.Callable[..., None]) -> None:
        self._show = show
        self._held: tuple[tuple[t.Any, ...], dict[str, t.Any]] | None = None

    def show(self, *arguments: t.Any, **options: t.Any) -> None:
        """Print a message, and before it the heading that was held; neither for a play without hosts."""
        message = str(arguments[0] if arguments else options.get("msg", ""))
        held, self._held = self._held, None
        if held is not None and message == _NO_HOSTS:
            return
        if held is not None:
            self._show(*held[0], **held[1])
        if message.startswith(_HEADING):
            self._held = (arguments, options)
            return
        self._show(*arguments, **options)
