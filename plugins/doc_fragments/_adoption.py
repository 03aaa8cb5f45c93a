# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that inspect a host before it is adopted."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that say where to look."""

    DOCUMENTATION = r"""
options:
  directory:
    description: Directory that this collection keeps its own certificates in; they are nobody's left-overs.
    type: path
    default: /etc/docker/certs
  ca_path:
    description: Directory of the CA, where this host is the CA host.
    type: path
    default: /etc/docker/ca
  places:
    description: More directories to search for certificates and keys; patterns such as V(/srv/*/certs) may be given.
    type: list
    elements: str
    default: []
"""
