# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The anchors of other issuers, for the modules that describe authorities."""

    DOCUMENTATION = r"""
options:
  issuers:
    description:
      - Which authorities another issuer signs for than the CA in O(path), or will, with that issuer's anchors.
        M(portcullis.docker_tls.authorities) makes no authority for those.
      - Where the issuer is still V(local), the anchors are trusted beside those of this CA. That comes first when a fleet moves to another issuer.
    type: list
    elements: dict
    default: []
    suboptions:
      authority:
        description: V(server), or an access group.
        type: str
        required: true
      issuer:
        description: Who signs.
        type: str
        choices: [local, openbao, acme, tasks, files]
        default: local
      ca_content:
        description: The root and intermediate certificates (PEM) that certificates of the issuer lead to.
        type: str
        default: ""
      trust_local_ca:
        description: Whether the generations of this CA are trusted beside an external issuer, until every certificate of theirs is replaced.
        type: bool
        default: true
      crl_content:
        description: The revocation lists (PEM) of the certificates in O(issuers[].ca_content), for hosts that check lists.
        type: str
        default: ""
"""
