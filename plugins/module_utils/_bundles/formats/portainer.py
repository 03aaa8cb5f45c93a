# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files named as Portainer's form "Docker Standalone, API" asks for them."""

from __future__ import annotations

from .base import File, Identity, header, secret, text


def files(identity: Identity) -> dict[str, File]:
    """Return the three files by the labels of the form's fields, and what to type into the others.

    Portainer keeps copies, so they have to be given again after a renewal; the module portainer_environment does that.
    """
    if not identity.endpoints:
        return {}
    rows = [f"{endpoint.name}\t{endpoint.address}" for endpoint in identity.endpoints]
    return {
        "portainer/tls-ca-certificate.pem": secret(identity.ca),
        "portainer/tls-certificate.pem": secret(identity.certificate),
        "portainer/tls-key.pem": secret(identity.key),
        "portainer/environments.txt": text(
            header(),
            "# Environments, Add environment, Docker Standalone, API. TLS on, Skip Certification Verification off.",
            "# Name\tDocker API URL",
            *rows,
        ),
    }
