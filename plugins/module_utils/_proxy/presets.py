# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rights that have a name: what tools that people connect to Docker ask for, and nothing else.

What each shows is a decision, not only a list. In none but ``full``: contents of files (``archive``, ``export``, ``images/get``), a way into
a container (``exec``, ``attach``; ``GET attach/ws`` takes input too), swarm's tokens, configs and secrets, output of containers (``logs``).
``containers/{id}/json`` shows the environment of containers, volumes (also in ``system/df``) their mount options, and the history of an image
its build arguments: all can contain passwords. ``read-only`` and ``prometheus`` have none of them; the other presets only those that they need.

Sources: Docker Engine API reference 1.41 to 1.48; the requests that the tools were seen to make, or make by their source.
"""

from __future__ import annotations

import typing as t

from .rules import Rule

FULL = "full"

_READ = ("GET", "HEAD")


def _reads(*paths: str) -> tuple[Rule, ...]:
    return tuple(Rule(_READ, path) for path in paths)


#: What every client sends first, to learn the API's version; all rights have it.
PING = Rule(_READ, "/_ping")
_HELLO = (PING, *_reads("/version"))

#: State of the host and its containers. Command lines and labels are in it (``containers/json``, ``events``, ``top``).
_READ_ONLY = _HELLO + _reads(
    "/info",
    "/events",
    "/containers/json",
    "/containers/{id}/stats",
    "/containers/{id}/top",
    "/images/json",
    "/networks",
    "/networks/{id}",
)

#: Adds a container's health and restart count, and the name of its image (Glances, Datadog): both stand beside the environment.
_MONITORING = (*_READ_ONLY, *_reads("/containers/{id}/json", "/images/{name}/json"))

#: Traefik's and Homepage's provider: labels, addresses, events.
_DISCOVERY = _HELLO + _reads(
    "/info",
    "/events",
    "/containers/json",
    "/containers/{id}/json",
    "/containers/{id}/stats",
    "/networks",
    "/networks/{id}",
)

#: Prometheus' docker_sd_configs lists containers and networks.
_PROMETHEUS = _HELLO + _reads("/containers/json", "/networks")

#: Portainer's pages and its snapshots, read-only. Its buttons get Docker's error; logs, console and files are not in it.
_PORTAINER = (
    *_MONITORING,
    *_reads(
        "/containers/{id}/changes",
        "/images/{name}/history",
        "/system/df",
        "/volumes",
        "/volumes/{name}",
        "/plugins",
    ),
)

#: Build (classic builder), pull, tag, push and remove images. No container is created or entered by the API.
_CI = (
    *_HELLO,
    *_reads("/info", "/images/json", "/images/{name}/json", "/images/{name}/history", "/distribution/{name}/json"),
    Rule(("POST",), "/auth"),
    Rule(("POST",), "/build"),
    Rule(("POST",), "/images/create"),
    Rule(("POST",), "/images/{name}/push"),
    Rule(("POST",), "/images/{name}/tag"),
    Rule(("DELETE",), "/images/{name}"),
)

PRESETS: t.Mapping[str, tuple[Rule, ...]] = {
    "read-only": _READ_ONLY,
    "monitoring": _MONITORING,
    "discovery": _DISCOVERY,
    "prometheus": _PROMETHEUS,
    "portainer": _PORTAINER,
    "ci": _CI,
}
