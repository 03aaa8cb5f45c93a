# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prometheus' service discovery of containers.

The host is written ``https://``: Prometheus uses ``tls_config`` with no other scheme, ``tcp://`` would go out without
TLS (discovery/moby/docker.go: client options only for ``http`` and ``https``). Each host has a job: containers of two
hosts often have the same address, and of two targets alike in one job Prometheus drops one without a word.
"""

from __future__ import annotations

from .base import Endpoint, File, Identity, header, quoted, text


def files(identity: Identity) -> dict[str, File]:
    """Return ``prometheus.yml`` with a job for each host, for ``scrape_config_files`` or to copy from."""
    if not identity.endpoints:
        return {}
    lines = [line for endpoint in identity.endpoints for line in _job(endpoint, identity)]
    return {"prometheus.yml": text(header(), "---", "scrape_configs:", *lines)}


def _job(endpoint: Endpoint, identity: Identity) -> list[str]:
    """Return the lines of a host's job; what a container publishes is asked for at the host."""
    host = endpoint.address.rpartition(":")[0]
    return [
        f"  - job_name: {quoted('docker-' + endpoint.name)}",
        "    docker_sd_configs:",
        f"      - host: {quoted('https://' + endpoint.address)}",
        "        tls_config:",
        f"          ca_file: {quoted(identity.path('ca.pem'))}",
        f"          cert_file: {quoted(identity.path('cert.pem'))}",
        f"          key_file: {quoted(identity.path('key.pem'))}",
        "    relabel_configs:",
        "      - source_labels: [__meta_docker_port_public]",
        '        regex: "([0-9]+)"',
        "        target_label: __address__",
        f"        replacement: {quoted(host + ':$1')}",
    ]
