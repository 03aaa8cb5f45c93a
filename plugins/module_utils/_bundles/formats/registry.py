# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which formats there are."""

from __future__ import annotations

import typing as t

from . import (
    context,
    context_archive,
    direnv,
    gitlab_runner,
    module_defaults,
    pkcs12,
    portainer,
    prometheus,
    terraform,
    traefik,
)
from .base import File, Identity

#: What the bundle itself is (always made, named or not), and env.sh; both are written by ``_bundles``.
DOCKER, ENVIRONMENT = "docker", "environment"

MAKERS: dict[str, t.Callable[[Identity], dict[str, File]]] = {
    "context": context.files,
    "context_archive": context_archive.files,
    "direnv": direnv.files,
    "gitlab_runner": gitlab_runner.files,
    "module_defaults": module_defaults.files,
    "pkcs12": pkcs12.files,
    "portainer": portainer.files,
    "prometheus": prometheus.files,
    "terraform": terraform.files,
    "traefik": traefik.files,
}

#: All names that an option takes.
NAMES = (DOCKER, ENVIRONMENT, *MAKERS)
