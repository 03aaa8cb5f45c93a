# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""GitLab runner's executor ``docker`` on a remote host."""

from __future__ import annotations

from .base import File, Identity, header, quoted, text
from .context import named


def files(identity: Identity) -> dict[str, File]:
    """Return ``gitlab-runner/<host>.toml`` for each endpoint: what to put into the runner's ``config.toml``."""
    return {
        f"gitlab-runner/{name}.toml": text(
            header(),
            "# Into config.toml; url, token and image of the runner are yours.",
            "[[runners]]",
            f"  name = {quoted(name)}",
            '  executor = "docker"',
            "  [runners.docker]",
            f"    host = {quoted(endpoint.docker_host)}",
            "    tls_verify = true",
            f"    tls_cert_path = {quoted(identity.directory)}",
        )
        for name, endpoint in named(identity).items()
    }
