# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that inspect a host before it is adopted."""

from __future__ import annotations


class ModuleDocFragment:
    """Options for the places to search."""

    DOCUMENTATION = r"""
options:
  directory:
    description: Directory of this collection's own certificates, which are never reported as left-overs.
    type: path
    default: /etc/docker/certs
  ca_path: {description: "Directory of the CA, where this host is the CA host.", type: path, default: /etc/docker/ca}
  places:
    description: More directories to search for certificates and keys; patterns such as V(/srv/*/certs) may be given.
    type: list
    elements: str
    default: []
"""
