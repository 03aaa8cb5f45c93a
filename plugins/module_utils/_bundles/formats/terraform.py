# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Terraform's and OpenTofu's provider kreuzwerker/docker."""

from __future__ import annotations

import re

from ..._errors import TlsError
from .base import Endpoint, File, Identity, header, quoted, text


def files(identity: Identity) -> dict[str, File]:
    """Return ``docker.tf``: the first endpoint as the default provider, and each endpoint by its alias."""
    if not identity.endpoints:
        return {}
    blocks = _provider(identity.endpoints[0], "", identity)
    for alias, endpoint in _aliases(identity).items():
        blocks += ["", *_provider(endpoint, alias, identity)]
    return {"docker.tf": text(header(), "# Resources name theirs with: provider = docker.ALIAS", *blocks)}


def _provider(endpoint: Endpoint, alias: str, identity: Identity) -> list[str]:
    arguments = {"alias": alias, "host": endpoint.docker_host, "cert_path": identity.directory}
    written = [(name, value) for name, value in arguments.items() if value]
    width = max(len(name) for name, _value in written)
    return ['provider "docker" {', *(f"  {name:{width}} = {_quoted(value)}" for name, value in written), "}"]


def _aliases(identity: Identity) -> dict[str, Endpoint]:
    """Return the endpoints by names that HCL takes for one. Raises TlsError ``endpoint-duplicate``."""
    aliases: dict[str, Endpoint] = {}
    for endpoint in identity.endpoints:
        alias = re.sub(r"[^A-Za-z0-9_-]", "_", endpoint.name)
        alias = alias if re.match(r"[A-Za-z]", alias) else f"docker_{alias}"
        if alias in aliases:
            raise TlsError(
                f"the endpoints {aliases[alias].name!r} and {endpoint.name!r} of {identity.client!r} would have the same "
                f"alias {alias!r} in docker.tf",
                hint="Give one of them another name.",
                code="endpoint-duplicate",
            )
        aliases[alias] = endpoint
    return aliases


def _quoted(value: str) -> str:
    """Return a string of HCL, in which ``${`` and ``%{`` would begin a template."""
    return quoted(value).replace("${", "$${").replace("%{", "%%{")
