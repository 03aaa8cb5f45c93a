# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``.envrc`` for direnv: the variables are there inside a project and gone outside."""

from __future__ import annotations

import shlex

from .. import bundle_files
from .base import File, Identity, header, text


def files(identity: Identity) -> dict[str, File]:
    """Return ``.envrc`` for the first endpoint; a project's own ``.envrc`` takes it in with ``source_env DIRECTORY``."""
    if not identity.endpoints:
        return {}
    variables = bundle_files.environment_variables(identity.endpoints[0].docker_host, identity.directory)
    return {
        ".envrc": text(
            header(),
            f"# In a project: echo {shlex.quote('source_env ' + shlex.quote(identity.directory))} >> .envrc && direnv allow",
            *bundle_files.exports(variables),
        )
    }
