# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else listens on port 2375, where clients expect Docker's API without TLS.

dockerd's own listener there is closed by the change, and verified. Another process (a socket proxy published by a container,
an HTTP server) is not ours to close: it is reported with its name, and blocks nothing.
"""

from __future__ import annotations

import typing as t

from .._docker.findings import Finding, warning
from .._docker.listeners import PLAIN_PORT
from .probe import Target, ask
from .state import connectable

Listener = tuple[str, int, str]
_TIMEOUT = 3.0


def check_plain_port(listeners: t.Iterable[Listener], *, api_only: bool) -> tuple[Finding, ...]:
    """Return a warning for each of ``listeners``, the (address, port, process) of other processes, on port 2375.

    ``api_only``: report only those that answer as Docker's API; a host gets a warning of those in every run.
    """
    found = []
    for address, port, process in listeners:
        if port == PLAIN_PORT:
            answers = ask(Target(connectable(address), port, "localhost", _TIMEOUT), None).docker
            if answers or not api_only:
                found.append(_finding(address, process or "another process", answers))
    return tuple(dict.fromkeys(found))


def shown(listeners: t.Iterable[Listener]) -> list[str]:
    """Return the other processes on port 2375 as the result shows them: ``docker-proxy (123) on 127.0.0.1``."""
    return [
        f"{process or 'another process'} on {address}" for address, port, process in listeners if port == PLAIN_PORT
    ]


def _finding(address: str, process: str, answers: bool) -> Finding:
    place = f"[{address}]:{PLAIN_PORT}" if ":" in address else f"{address}:{PLAIN_PORT}"
    if not answers:
        text = f"{process} listens on {place}, where clients expect Docker; it is not dockerd and does not answer as Docker's API"
        return warning(
            "port-2375-other", text, "Nothing has to be done if that is intended; the run does not touch it."
        )
    text = f"{process} serves Docker's API without TLS on {place}: anyone who can connect there has root on this host"
    hint = (
        "Stop it, or let it listen only where its own clients are. This run does not touch it; if it is intended, "
        "docker_daemon_allow_port_2375: true ends this warning."
    )
    return warning("docker-api-unencrypted", text, hint)
