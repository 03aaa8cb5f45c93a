# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables for community.docker's modules, each host with its own endpoint."""

from __future__ import annotations

from .base import File, Identity, header, quoted, text

_HOST = "{{ docker_tls_endpoints[inventory_hostname] | default(docker_tls_endpoints.values() | first) }}"


def files(identity: Identity) -> dict[str, File]:
    """Return ``module_defaults.yml``, a file of variables: ``docker_tls_module_defaults`` and ``docker_tls_endpoints``."""
    if not identity.endpoints:
        return {}
    return {
        "module_defaults.yml": text(
            header(),
            "# In a play for the Docker hosts, with connection: local",
            "#   vars_files: [this file]",
            '#   module_defaults: {group/community.docker.docker: "{{ docker_tls_module_defaults }}"}',
            "---",
            "docker_tls_module_defaults:",
            f"  docker_host: {quoted(_HOST)}",
            "  validate_certs: true",
            f"  ca_path: {_literal(identity.path('ca.pem'))}",
            f"  client_cert: {_literal(identity.path('cert.pem'))}",
            f"  client_key: {_literal(identity.path('key.pem'))}",
            "docker_tls_endpoints:",
            *(f"  {quoted(endpoint.name)}: {quoted(endpoint.docker_host)}" for endpoint in identity.endpoints),
        )
    }


def _literal(value: str) -> str:
    """Return a path that Ansible takes as it is, braces and all; plain ones are left readable."""
    return f"!unsafe {quoted(value)}" if "{" in value else quoted(value)
