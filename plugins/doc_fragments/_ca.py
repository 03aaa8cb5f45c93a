# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that work in a CA directory."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that open the keys of a CA.

    ``DIRECTORY``: those of the modules that open none too. ``CLIENTS``: whom the inventory gives access to, for modules that compare that with the
    ledger. ``ISSUERS``: the anchors of other issuers, for the modules that describe authorities. ``NAME_RULES``: which requester may have which name.
    """

    DOCUMENTATION = r"""
options:
  passphrase:
    description:
      - Passphrase of the CA's keys, from any source that Ansible knows (Ansible Vault, a prompt, a lookup). One for all authorities.
      - At least 12 characters; passphrases from examples, such as V(changeme1234), are refused.
      - It never appears in a command line, a file, a diff or any output. To that end the module is always sent through a pipe
        (pipelining), regardless of the configuration; with a connection that cannot do that, the task fails before anything is sent.
    type: str
    required: true
  allow_network_filesystem:
    description:
      - Whether O(path) may be on a network file system such as NFS or CIFS, where the lock may not keep two hosts apart.
        By default it must be on a local one.
      - Only when no other host ever works in that directory.
    type: bool
    default: false
notes:
  - The task must not run with C(async).
"""
    DIRECTORY = r"""
options:
  path:
    description:
      - Directory of the CA. It belongs to the user that the task runs as, with mode C(0700), and everything in it has mode C(0600).
      - It must not be below a directory that every user can write.
    type: path
    required: true
  lock_timeout: {description: How many seconds to wait while another run holds the lock of the CA directory., type: int, default: 60}
  operator:
    description: Who runs this, for the ledger. By default the user and the host name of the controller, as C(user@host).
    type: str
    default: ""
"""
    CLIENTS = r"""
options:
  clients:
    description:
      - All clients of the inventory. The valid client certificates in the ledger are compared with them. Without this option nothing is compared.
      - A client whose state is V(revoked) must not connect. A client with an incomplete revocation in the ledger must not connect either, even if it
        is not listed any more.
    type: list
    elements: dict
    suboptions:
      name: {description: Name of the client., type: str, required: true}
      group: {description: Its access group., type: str, default: clients}
      state: {description: Whether it has access., type: str, choices: [present, revoked], default: present}
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
    ISSUERS = r"""
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
      authority: {description: "V(server), or an access group.", type: str, required: true}
      issuer: {description: Who signs., type: str, choices: [local, openbao, acme, tasks, files], default: local}
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
    NAME_RULES = r"""
options:
  reserved_names:
    description:
      - Names and addresses that belong to a requester, or to several (a list), by name. A server request of another requester for one of them is refused.
      - A wildcard that covers such a name is refused too. C(localhost) and loopback addresses belong to no requester.
    type: dict
    default: {}
  shared_names:
    description: Names that more than one requester may have, such as that of a load balancer or a virtual address.
    type: list
    elements: str
    default: []
  contested_names:
    description: >-
      Names and addresses that several hosts report of themselves, with those hosts, also where they are in no request of this batch. They are left
      out of O(requests[].reported_names), except for a requester that already has a valid certificate with the name and is the only one.
    type: dict
    default: {}
  same_machine:
    description: Lists of requesters that are one and the same machine. Their server requests are refused.
    type: list
    elements: list
    default: []
"""
