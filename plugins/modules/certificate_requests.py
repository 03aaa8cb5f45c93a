#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_requests
short_description: Decide which certificates of a host are due, and make keys and requests for them
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Inspects each certificate and key, decides whether a new certificate is needed and returns the reasons. Where one is, it makes a private key on the host
    and a certificate signing request (CSR) for it, all identities of a host in one call.
  - A new key waits at O(requests[].key_path) with C(.new) appended, readable for its owner only, until M(portcullis.docker_tls.server_certificate),
    M(portcullis.docker_tls.endpoint) or M(portcullis.docker_tls.certificate_bundles) puts it in place together with its certificate.
    The live key and certificate are never touched here, and the key never leaves the host. A run that was cut off finds the waiting key again.
  - The requests are signed by M(portcullis.docker_tls.signed_certificates) on the CA host.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  check_mode:
    support: full
    details: The decision is complete, no key and no CSR is made.
  diff_mode:
    support: full
    details: Shows RV(plan), never a key.
  idempotent:
    support: partial
    details: As long as a certificate is due, each call reports a change.
options:
  requests:
    description: The identities of the host.
    type: list
    elements: dict
    required: true
    suboptions:
      id: {description: Name of the identity in the result; each only once., type: str, required: true}
      profile:
        description: Whether the certificate is for a server or for a client. It is never for both.
        type: str
        choices: [server, client]
        required: true
      key_path:
        description:
          - Where the live key is or will be. The new key waits beside it. A missing directory is made with mode C(0700).
          - A leading C(~) is the home of O(requests[].owner), C(~user) that of another user.
        type: str
        required: true
      certificate_path:
        description: Where the live certificate is or will be; written as O(requests[].key_path) is.
        type: str
        required: true
      key_type:
        description: Kind of the private key. Another kind than the live key's makes a new certificate.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096]
        default: ecdsa-p256
      common_name:
        description:
          - Common name of the certificate, 1 to 64 characters.
          - By default a server's full name (FQDN), or another of its names where that is too long, and for a client its O(requests[].id).
          - A server's common name that is a host name with a dot is also one of its names.
        type: str
        default: ""
      names:
        description:
          - Subject alternative names. DNS names, wildcards such as V(*.apps.example.org), IPv4 and IPv6 addresses. International names are turned
            into their ASCII form.
          - A client needs none; it gets its common name as a directory name.
        type: list
        elements: str
        default: []
      optional_names:
        description: More names for a server, left out where they cannot stand in a certificate. Meant for inventory names such as V(my docker host).
        type: list
        elements: str
        default: []
      fact_names:
        description:
          - Those of O(requests[].names), O(requests[].common_name) and O(requests[].addresses) that the inventory takes from a fact, so that they are
            reported by the host itself, like its full name. A certificate without them is accepted if they were asked for and the CA left them out.
        type: list
        elements: str
        default: []
      fqdn: {description: Add the host's full name to a server's names., type: bool, default: true}
      local_names: {description: "Add V(localhost), V(127.0.0.1) and V(::1) to a server's names.", type: bool, default: true}
      addresses:
        description:
          - Addresses of the host to add to a server's names. V(private) for all private ones, V(all), networks such as V(10.0.0.0/8) that the host
            has an address in, or single addresses. Docker's own bridges are left out.
        type: list
        elements: str
        default: []
      authority_content:
        description:
          - Certificate (PEM) of the authority that would sign now. A certificate of any other authority is due.
          - Empty means that the authority is yet to be made (a first run in check mode).
          - With O(requests[].external_issuer), the root and intermediate certificates that the certificate may lead to, one after another.
        type: str
        required: true
      external_issuer:
        description:
          - Another issuer signs than a CA of this collection. A certificate is then due by its issuer only where it, with the chain in its file,
            leads to none of O(requests[].authority_content); an issuer that changes its intermediate CA makes nothing due.
          - A client's certificate may have its common name spelled in any way, or no names.
        type: bool
        default: false
      key_source_path:
        description:
          - A private key on the host that something else makes. The request is made with it, and a certificate is due when it is another key than the one in
            use. By default the host makes a key itself.
          - It has to be readable by its owner alone, and not encrypted. O(requests[].key_type) does not count then.
        type: str
        default: ""
      renew_before:
        description: How long before its end a certificate is due. A fraction of its lifetime such as V(1/3), or a length of time such as V(30d).
        type: str
        default: 1/3
      renew_jitter:
        description:
          - Over how long a time the renewals of a fleet are spread. A fraction of the lifetime such as V(1/20), a length of time such as V(14d),
            or V(0) for not at all.
          - A certificate is due earlier than by O(requests[].renew_before), never later, by its place in this window. The place follows
            from O(requests[].renew_jitter_name) and O(requests[].id) and is the same in every run.
          - A window is never longer than half of the time in which a new certificate is not due.
        type: str
        default: "0"
      renew_jitter_name:
        description: Identifies this host for O(requests[].renew_jitter). By default its full name (FQDN).
        type: str
        default: ""
      validity:
        description:
          - Validity that the signing will ask for, for example V(365d).
          - Used to refuse an O(requests[].renew_before) that is not shorter, with which every run would make a new certificate, and to report
            in the plan when the new certificate will end.
        type: str
        default: ""
      force: {description: "Ask for a new certificate, whatever is there.", type: bool, default: false}
      owner:
        description:
          - User that the files belong to, by name or number. By default the user that the task runs as; where that is root and a client's
            directory is a user's, that user.
          - In the directories of another user, root works with that user's rights. As owner, root follows no link that another user can set.
        type: str
      group: {description: Group of the files. By default the user's own., type: str}
seealso:
  - module: portcullis.docker_tls.signed_certificates
  - module: portcullis.docker_tls.server_certificate
  - module: portcullis.docker_tls.certificate_bundles
"""

EXAMPLES = r"""
- name: Decide about the host's server certificate
  portcullis.docker_tls.certificate_requests:
    requests:
      - id: server
        profile: server
        key_path: /etc/docker/certs/server-key.pem
        certificate_path: /etc/docker/certs/server-cert.pem
        names: ["{{ inventory_hostname }}"]
        addresses: [private]
        authority_content: "{{ ansible_facts.docker_ca_authorities['server'].certificate_content }}"
  register: requested

- name: Report what is due
  ansible.builtin.debug:
    msg: "{{ item.id }}: {{ item.action }} {{ item.reasons }}"
  loop: "{{ requested.requests }}"
  loop_control:
    label: "{{ item.id }}"

- name: Decide about a user's client certificate
  portcullis.docker_tls.certificate_requests:
    requests:
      - id: deploy
        profile: client
        owner: deploy
        key_path: ~/.docker/key.pem
        certificate_path: ~/.docker/cert.pem
        renew_before: 30d
        authority_content: "{{ ansible_facts.docker_ca_authorities['clients'].certificate_content }}"
"""

RETURN = r"""
plan:
  description: One line for each certificate that is due, what becomes of it and why.
  returned: success
  type: list
  elements: str
  sample: ["certificate expires 2026-12-01 -> 2027-11-22, SAN + 10.0.0.7 (expires-soon, names-changed)"]
requests:
  description: The identities in the order of O(requests).
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Name of the identity., type: str, sample: server}
    profile: {description: V(server) or V(client)., type: str, sample: server}
    action: {description: "V(issue) where a new certificate is needed, else V(none).", type: str, sample: issue}
    reasons:
      description:
        - Why. Any of V(forced), V(certificate-missing), V(certificate-unreadable), V(key-missing), V(key-unreadable), V(key-mismatch), V(key-replaced),
          V(key-type-changed), V(profile-changed), V(authority-changed), V(common-name-changed), V(names-changed), V(expired), V(expires-soon),
          V(not-yet-valid).
      type: list
      elements: str
      sample: [expires-soon]
    renew_at:
      description: When the live certificate is due for renewal, with its place in O(requests[].renew_jitter); none without a readable one.
      type: str
      sample: "2027-07-19T04:12:33Z"
    request_content:
      description: The certificate signing request (PEM). Empty in check mode, and where RV(requests[].action=none).
      type: str
    common_name: {description: Common name of the new certificate., type: str, sample: docker1.example.org}
    names:
      description: Subject alternative names of the new certificate, in canonical spelling.
      type: list
      elements: str
      sample: [docker1.example.org, localhost, 10.0.0.5, 127.0.0.1, "::1"]
    key_type: {description: Kind of the key., type: str, sample: ecdsa-p256}
    machine:
      description: Stands for this machine and RV(requests[].key_path). The same for two inventory names of one machine, empty where that cannot be decided.
      type: str
    key_path: {description: Absolute path of the live key., type: str, sample: /etc/docker/certs/server-key.pem}
    certificate_path: {description: Absolute path of the live certificate., type: str, sample: /etc/docker/certs/server-cert.pem}
    certificate:
      description: The live certificate with C(serial), C(subject), C(names), C(not_after) and others, none without a readable one.
      type: dict
    external_issuer: {description: "The same as O(requests[].external_issuer).", type: bool}
    authority_fingerprint_sha256:
      description: SHA-256 fingerprint of the authority of the live certificate, with the reason V(authority-changed) and where a C(ca.pem) beside it has it.
      type: str
asked:
  description:
    - By the id of each server request, the controller's own data about the certificate. C(names) that it gives to the host, C(extends) the names that the
      host's full name may extend, C(address_ranges) that it may have addresses in, and the C(common_name) that is declared. Filled in on the controller.
  returned: with server requests, in a play
  type: dict
foretold:
  description: >-
    In check mode, on a host whose Python has no C(cryptography) yet, by the C(id) of each server request the C(names) that it would ask for and its C(machine).
  returned: failure
  type: list
  elements: dict
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION, REQUEST_OPTIONS
from ..module_utils._host import network, request_names, requests
from ..module_utils._module import plan_diff, run_module
from ..module_utils._time import utc_now


def _host() -> request_names.Host:
    return request_names.Host(
        fqdn=request_names.host_fqdn(),
        select_addresses=lambda selectors: network.select_addresses(selectors, network.local_addresses()),
        machine=request_names.machine_identity(),
    )


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    plans = requests.plan_requests(module.params["requests"], _host(), now)
    found = requests.ensure(plans, check_mode=module.check_mode)
    return {"changed": bool(found["plan"]), **found, "diff": plan_diff(found["plan"])}


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    run(
        lambda module: _run(module, utc_now()),
        without_library=lambda module: {"foretold": request_names.foretold(module.params["requests"], _host())},
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            "requests": {"type": "list", "elements": "dict", "required": True, "options": REQUEST_OPTIONS},
        },
    )


if __name__ == "__main__":
    main()
