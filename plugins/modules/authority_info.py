#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_info
short_description: Show the certificate authorities of a CA directory
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Reads the certificates of the authorities that M(portcullis.docker_tls.authorities) made. Needs no passphrase, changes nothing, takes no lock.
  - Where there is no CA directory the result is empty.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca.clients
  - portcullis.docker_tls._cryptography
  - portcullis.docker_tls._ca.issuers
options:
  path: {description: Directory of the CA. The task has to run as the user that owns it., type: path, required: true}
seealso:
  - module: portcullis.docker_tls.authorities
"""

EXAMPLES = r"""
- name: Read the authorities on the CA host
  portcullis.docker_tls.authority_info:
    path: /etc/docker/ca
  delegate_to: olympus
  run_once: true
  register: ca

- name: Show until when the server authority is valid
  ansible.builtin.debug:
    var: ca.authorities.server.certificate.not_after
"""

RETURN = r"""
authorities:
  description: Every authority by name; V(server) first.
  returned: success
  type: dict
  contains:
    id: {description: "Name and generation, as in the organizational unit of the certificate.", type: str, sample: server-g1}
    name: {description: V(server) or the access group., type: str, sample: server}
    purpose: {description: V(server) or V(client)., type: str, sample: server}
    generation: {description: Number of the generation that signs., type: int, sample: 1}
    adopted:
      description: Whether that generation was made by another tool, see M(portcullis.docker_tls.adopted_authority).
      type: bool
      sample: false
    certificate_content: {description: "Certificate of the generation that signs, as PEM.", type: str}
    trusted_content: {description: "Certificates to trust, as PEM; during a rotation those of more than one generation.", type: str}
    crl_content:
      description:
        - Their revocation lists, as PEM and in their order. They are valid as long as their authorities.
        - Empty for V(server), and where one of the authorities may sign none (one of another tool without the key usage cRLSign).
      type: str
    crl_problem:
      description: Why the lists of another issuer could not be read (C(msg), C(hint), C(code)). Hosts that check them are refused with it.
      returned: in a play, where that is so
      type: dict
    certificate: {description: "The certificate as plain values (subject, names, dates, key type, fingerprints).", type: dict}
    external:
      description: Whether another issuer signs, see O(issuers). RV(authorities.certificate_content) are then its anchors.
      returned: where another issuer signs
      type: bool
    issuer: {description: Which issuer that is., returned: where another issuer signs, type: str, sample: openbao}
    generations:
      description: Every generation that is there, oldest first.
      type: list
      elements: dict
      contains:
        id: {description: Name and number., type: str, sample: server-g1}
        generation: {description: Its number., type: int}
        stage:
          description: V(accepted), is trusted and does not sign yet; V(issuing); V(retiring), is trusted and signs no more.
          type: str
          sample: signing
        certificate_content: {description: Its certificate as PEM., type: str}
        not_before: {description: Its begin., type: str}
        not_after: {description: Its end., type: str}
ledger:
  description: End of the ledger, as the fact C(docker_ca_ledger) of M(portcullis.docker_tls.authorities).
  returned: success
  type: dict
compared:
  description: Whether O(clients) were compared with the ledger; not without them, nor with a ledger that cannot be read.
  returned: success
  type: bool
revoked:
  description:
    - Valid certificates of clients that are revoked, by O(clients) or by the ledger, as RV(unlisted), and C(refused_by), the hosts that
      were verified to refuse them since, by the ledger.
    - Where C(trusted) is false the revocation is complete at the CA, and a host that still admits that generation has to be changed.
  returned: success
  type: list
  elements: dict
revoked_unknown:
  description: Clients of O(clients) that are revoked and of whom the ledger has no certificate. Empty if the ledger was not compared, see RV(compared).
  returned: success
  type: list
  elements: str
  sample: []
unlisted:
  description: Valid client certificates, of generations that are trusted, that O(clients) does not list.
  returned: success
  type: list
  elements: dict
  contains:
    client: {description: Common name., type: str, sample: olga}
    group: {description: The access group whose authority signed it., type: str, sample: ops}
    generation: {description: Id of the authority that signed it., type: str, sample: ops-g1}
    request: {description: Id of the request that it answered; empty where it was adopted or recorded., type: str, sample: localhost/olga}
    requester: {description: Host that asked for it., type: str, sample: localhost}
    source:
      description: V(issued) here, V(adopted) with an authority of another tool, or V(recorded) after a restore.
      type: str
      sample: issued
    not_after: {description: The end of the last of them., type: str, sample: "2027-11-30T07:53:00Z"}
    reason:
      description: >-
        V(client-unlisted), the inventory has no such client; V(group-changed), it is in another group now; V(bundle-unlisted), no bundle of the inventory
        is where this one is; V(client-revoked).
      type: str
      sample: group-changed
    trusted: {description: Whether that authority is still one of the CA., type: bool}
    listed:
      description: Whether the revocation list of that authority has all of them, so that a host that checks the list refuses them.
      type: bool
    serials: {description: Their serial numbers in hexadecimal., type: list, elements: str, sample: [5f3a]}
    hosts:
      description: The Docker hosts of the inventory that admit the group.
      returned: in a play
      type: list
      elements: str
      sample: [web1]
revocations_deferred:
  description: Due revocations of clients, as RV(portcullis.docker_tls.authorities#module:revocations_deferred).
  returned: success
  type: list
  elements: dict
ansible_facts:
  description: The same as a fact.
  returned: success
  type: dict
  contains:
    docker_ca_authorities: {description: The same as RV(authorities)., type: dict}
    docker_ca_ledger: {description: The same as RV(ledger)., type: dict}
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CLIENTS_OPTION, CRYPTOGRAPHY_OPTION, REVOCATION_LIST_GROUPS_OPTION
from ..module_utils._ca import access, layout, report, revocation, store
from ..module_utils._errors import TlsError
from ..module_utils._issuers import anchors
from ..module_utils._module import run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    place, now = layout.ca_directory(module.params["path"]), _time.utc_now()
    for path in layout.insecure_entries(place):
        module.warn(f"others than its owner have access to {path}; the module authorities repairs that")
    authorities = store.describe(store.read_authorities(place), now)
    issuers = [anchors.Issuer(**options) for options in module.params["issuers"]]
    authorities = anchors.with_issuers(authorities, issuers, now)
    ledger = report.ledger_end(place)
    compared = _compared(module, place, now)
    found = compared or revocation.Outcome({}, ())
    return {
        "changed": False,
        "authorities": authorities,
        "ledger": ledger,
        "compared": compared is not None,
        "revoked": [one.to_dict() for one in found.access.revoked],
        "revoked_unknown": list(found.unknown),
        "unlisted": [one.to_dict() for one in found.access.unlisted],
        "revocations_deferred": [one.to_dict() for one in found.revocations],
        "ansible_facts": {"docker_ca_authorities": authorities, "docker_ca_ledger": ledger},
    }


def _compared(module: AnsibleModule, place: layout.CaDirectory, now: datetime) -> revocation.Outcome | None:
    """Return the ledger's information about the clients, None where it was not asked for or the ledger cannot be read."""
    if module.params["clients"] is None:
        return None
    try:
        by_list = set(module.params["revocation_list_groups"]) - {one["authority"] for one in module.params["issuers"]}
        return revocation.pending(place, access.clients_of(module.params["clients"]), now, by_list)
    except TlsError as error:
        module.warn(f"the access of clients cannot be compared with the ledger: {error.message}")
        return None


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    run(
        _run,
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            "path": {"type": "path", "required": True},
            "clients": CLIENTS_OPTION,
            "issuers": {"type": "list", "elements": "dict", "default": [], "options": anchors.ANCHOR_OPTIONS},
            "revocation_list_groups": REVOCATION_LIST_GROUPS_OPTION,
        },
    )


if __name__ == "__main__":
    main()
