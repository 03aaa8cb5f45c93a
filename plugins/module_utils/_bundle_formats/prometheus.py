# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prometheus' service discovery of containers. PRIVATE: may change without notice.

The host is written ``https://``: Prometheus uses ``tls_config`` with no other scheme, ``tcp://`` would go out without
TLS (discovery/moby/docker.go: client options only for ``http`` and ``https``).
"""

from __future__ import annotations

from .identity import Endpoint, File, Identity, header, quoted, text


def files(identity: Identity) -> dict[str, File]:
    """Return ``prometheus.yml`` with one job, for ``scrape_config_files`` or to copy from."""
    if not identity.endpoints:
        return {}
    lines = [line for endpoint in identity.endpoints for line in _discovery(endpoint, identity)]
    return {
        "prometheus.yml": text(
            header(),
            "---",
            "scrape_configs:",
            "  - job_name: docker",
            "    docker_sd_configs:",
            *lines,
        )
    }


def _discovery(endpoint: Endpoint, identity: Identity) -> list[str]:
    return [
        f"      - host: {quoted('https://' + endpoint.address)}",
        "        tls_config:",
        f"          ca_file: {quoted(identity.path('ca.pem'))}",
        f"          cert_file: {quoted(identity.path('cert.pem'))}",
        f"          key_file: {quoted(identity.path('key.pem'))}",
    ]
