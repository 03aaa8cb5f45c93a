# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traefik's Docker provider, static configuration."""

from __future__ import annotations

from .base import File, Identity, header, quoted, text
from .context import named


def files(identity: Identity) -> dict[str, File]:
    """Return ``traefik/<host>.yml`` for each endpoint: one Traefik knows one Docker provider."""
    return {
        f"traefik/{name}.yml": text(
            header(),
            "---",
            "providers:",
            "  docker:",
            f"    endpoint: {quoted(endpoint.docker_host)}",
            "    exposedByDefault: false",
            "    tls:",
            f"      ca: {quoted(identity.path('ca.pem'))}",
            f"      cert: {quoted(identity.path('cert.pem'))}",
            f"      key: {quoted(identity.path('key.pem'))}",
        )
        for name, endpoint in named(identity).items()
    }
