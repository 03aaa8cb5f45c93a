# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a connection can take a program through a pipe, and that it does for a while."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleError


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
