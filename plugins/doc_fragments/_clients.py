# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom the inventory gives access to, for modules that compare that with the ledger."""

from __future__ import annotations


class ModuleDocFragment:
    """The option ``clients``."""

    DOCUMENTATION = r"""
options:
  clients:
    description:
      - All clients of the inventory. The valid client certificates in the ledger are compared with them. Without this option nothing is compared.
      - A client whose state is V(revoked) must not connect. A client with an incomplete revocation in the ledger must not connect either, even if it
        is not listed any more.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the client.
        type: str
        required: true
      group:
        description: Its access group.
        type: str
        default: clients
      state:
        description: Whether it has access.
        type: str
        choices: [present, revoked]
        default: present
      requests:
        description:
          - Ids of the signing requests by which it gets its certificates, for example V(localhost/alice). A valid certificate of this client and group
            that answered another request is unlisted.
          - Without this option every certificate of this client and group is listed.
        type: list
        elements: str
  revocation_list_groups:
    description:
      - Access groups that only hosts admit whose listener checks revocation lists. A revoked client of such a group is refused by the list of its
        authority; the others of the group keep their certificates and no new generation is made.
      - Other groups get a new generation as well, because dockerd itself checks no lists. So does one of these groups whose authority may sign no
        list, or has signed certificates that the ledger does not know.
    type: list
    elements: str
    default: []
"""
