# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which formats there are."""

from __future__ import annotations

import typing as t

from . import context, pkcs12, tool_files
from .base import File, Identity

#: The bundle itself (always made, named or not), and env.sh; both are written by ``_bundles``.
DOCKER, ENVIRONMENT = "docker", "environment"

MAKERS: dict[str, t.Callable[[Identity], dict[str, File]]] = {
    "context": context.files,
    "context_archive": context.archives,
    "direnv": tool_files.direnv,
    "gitlab_runner": tool_files.gitlab_runner,
    "module_defaults": tool_files.module_defaults,
    "pkcs12": pkcs12.files,
    "portainer": tool_files.portainer,
    "prometheus": tool_files.prometheus,
    "terraform": tool_files.terraform,
    "traefik": tool_files.traefik,
}

#: All names that an option takes.
NAMES = (DOCKER, ENVIRONMENT, *MAKERS)
