#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: temporary_client
short_description: Make a short-lived client key and certificate in memory
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Makes a key in the controller's memory and has M(portcullis.docker_tls.signed_certificates) sign a client certificate for it on the
    CA host, for a task that connects to a Docker endpoint once, for example to verify it.
  - The key is written nowhere. The result holds it, so register it and set C(no_log=true) on the task; without that the result is hidden
    from the output as well, but the variable is there for every later task.
  - The certificate is in the ledger like any other.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  check_mode:
    support: full
    details: Nothing is made; the contents are empty.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Every call makes another key and certificate.
options:
  name: {description: "Name of the client, which is the common name of the certificate and in the ledger.", type: str, required: true}
  group: {description: Access group whose client authority signs., type: str, default: clients}
  groups:
    description: Access groups instead of O(group); for each the same key gets a certificate. The contents at the top of the result are those of the first.
    type: list
    elements: str
  validity: {description: "How long the certificate is valid, from V(1m) to V(24h).", type: str, default: 10m}
  requester: {description: "Who asks, for the ledger. By default the inventory host of the task.", type: str, default: ""}
  expired:
    description: Make a second certificate for the same key that has already expired, to verify that such a client is refused.
    type: bool
    default: false
  external:
    description:
      - For the roles of this collection, the issuers of access groups that another issuer signs for.
      - Without it, those that C(docker_client_cert_issuers) names for the groups are asked.
    type: list
    elements: dict
  revoked:
    description:
      - Access groups of which the same key gets a certificate with the serial number that was revoked last, to verify that a host with the
        newest revocation list refuses it. See RV(revoked).
    type: list
    elements: str
    default: []
  generations:
    description:
      - Generations of authorities, by id such as V(clients-g1), that the same key gets a certificate of besides, whether they sign now or not,
        to verify the admitted clients during a rotation. See RV(generations).
    type: list
    elements: str
    default: []
notes:
  - Runs partly on the controller, whose Python needs C(cryptography) too; the rest runs where the task is sent (C(delegate_to) the CA host).
seealso:
  - module: portcullis.docker_tls.signed_certificates
  - module: portcullis.docker_tls.endpoint_info
"""

EXAMPLES = r"""
- name: A client for ten minutes
  portcullis.docker_tls.temporary_client:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    name: check
    group: operators
  delegate_to: olympus
  run_once: true
  no_log: true
  register: client
"""

RETURN = r"""
certificate_content: {description: "The client certificate of the first group, as PEM; empty in check mode.", returned: success, type: str}
key_content: {description: "The private key, as PEM; empty in check mode. Do not show or store it.", returned: success, type: str}
ca_content: {description: "The certificates of the server authority that the client trusts, as PEM.", returned: success, type: str}
expired_certificate_content:
  description: With O(expired), the certificate of the first group that has ended already, else empty.
  returned: success
  type: str
authority_content: {description: "The certificate of the client authority of the first group, as PEM.", returned: success, type: str}
certificate: {description: The client certificate of the first group as plain values; null in check mode., returned: success, type: dict}
generations:
  description: By the ids in O(generations), each with C(certificate_content), C(key_content) and C(authority_content).
  returned: success
  type: dict
revoked:
  description: The same by the access groups in O(revoked), without those in which nothing was revoked.
  returned: success
  type: dict
clients: {description: The same by access group. All groups have the same key., returned: success, type: dict}
reasons: {description: Warnings of M(portcullis.docker_tls.signed_certificates)., returned: success, type: list, elements: str}
"""
