#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_info
short_description: Tell what a certificate says, when it ends, and what it fits
version_added: 1.0.0
author: portcullis.docker_tls contributors (@portcullis-docker-tls)
description:
  - Reads every certificate of a PEM file or text. Works for the certificates of this collection and for all others.
  - Says on demand whether a private key belongs to the first certificate, and whether that certificate leads to an authority. Nothing secret is returned.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  check_mode:
    support: full
    details: This module changes nothing, and returns the same in check mode.
  diff_mode:
    support: N/A
    details: This module changes nothing.
  idempotent:
    support: full
    details: This module changes nothing.
options:
  path:
    description: File with one certificate or more (PEM). Either this or O(content) is required.
    type: path
  content:
    description: Text with one certificate or more (PEM).
    type: str
  key_path:
    description: File with an unencrypted private key that is compared with the first certificate.
    type: path
  authority_path:
    description: File with the authorities (PEM) that the first certificate may lead to, over the others in the file if need be.
    type: path
  authority_content:
    description: Text with these authorities (PEM).
    type: str
  valid_at:
    description:
      - Time for RV(valid), as V(2026-12-24T00:00:00Z), or from now on, as V(+30d).
      - By default now.
    type: str
    default: ""
requirements:
  - cryptography >= 3.3 (Python library, on the host that the module runs on)
seealso:
  - module: portcullis.docker_tls.endpoint_info
"""

EXAMPLES = r"""
- name: Read the certificate of this host's dockerd
  portcullis.docker_tls.certificate_info:
    path: /etc/docker/certs/server-cert.pem
    key_path: /etc/docker/certs/server-key.pem
    authority_path: /etc/docker/certs/ca.pem
    valid_at: +14d
  register: info

- name: Fail when it is not good for two more weeks
  ansible.builtin.assert:
    that:
      - info.valid
      - info.key_matches
      - info.signed_by_authority
    fail_msg: "{{ info.certificates[0].days_left }} days left"
"""

RETURN = r"""
certificates:
  description: The certificates in the order of the file.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: Subject as RFC 4514 writes it.
      type: str
      sample: CN=docker1.example.org
    issuer:
      description: Issuer as RFC 4514 writes it.
      type: str
      sample: CN=Docker CA,OU=server-g1
    common_name:
      description: Common name of the subject, empty if it has none.
      type: str
      sample: docker1.example.org
    names:
      description:
        - Subject alternative names. DNS names, IP addresses and URIs as they are, others with a prefix. A client of this collection has its common name
          as V(dirname:CN=portainer).
      type: list
      elements: str
      sample: [docker1.example.org, 10.0.0.5]
    serial:
      description: Serial number in hexadecimal digits.
      type: str
      sample: 2117fd4b0e9a39c7dc7f4461b215f542f7d9e8f8
    not_before:
      description: Start of validity.
      type: str
      sample: "2026-11-22T12:55:00Z"
    not_after:
      description: End of validity.
      type: str
      sample: "2027-11-22T13:00:00Z"
    days_left:
      description: Whole days from now to the end, negative after it.
      type: int
      sample: 364
    expired:
      description: Whether the end is past.
      type: bool
      sample: false
    purpose:
      description: V(authority), V(server), V(client), V(both) (also where no usage is stated, which TLS libraries take for every usage), or V(other).
      type: str
      sample: server
    key_type:
      description: Kind of the public key.
      type: str
      sample: ecdsa-p256
    public_key_fingerprint:
      description: SHA-256 of the public key (SubjectPublicKeyInfo).
      type: str
      sample: 74aea9d398aaaf1ea6014192295e08e423f81ecf4cbda05da9a8d700608c229c
    fingerprint_sha256:
      description: SHA-256 of the certificate.
      type: str
      sample: b01d7941c43f67ee0701fb85eced7bad798b798b0b6ee0861fac7b8c732bb879
    is_authority:
      description: Whether it may sign other certificates.
      type: bool
      sample: false
    extended_key_usages:
      description: Extended key usages.
      type: list
      elements: str
      sample: [serverAuth]
    key_usages:
      description: Key usages.
      type: list
      elements: str
      sample: [digitalSignature]
    subject_key_identifier:
      description: Identifier of its own key, empty if it has none.
      type: str
      sample: d5ff86e5e4d4ee66af925891af1f8da1dab3b61e
    authority_key_identifier:
      description: Identifier of its authority's key, empty if it has none.
      type: str
      sample: 0250bab1490e758a9e7a784ba74f220721893a66
    signature_algorithm:
      description: Algorithm of the signature on it.
      type: str
      sample: ecdsa-with-SHA256
valid:
  description: Whether O(valid_at) is within the validity of the first certificate.
  returned: success
  type: bool
  sample: true
valid_at:
  description: The time that was looked at.
  returned: success
  type: str
  sample: "2026-12-06T13:00:00Z"
key_matches:
  description: Whether the key belongs to the first certificate; none if no key was named.
  returned: success
  type: bool
  sample: true
signed_by_authority:
  description: Whether the first certificate leads to one of the authorities, by its signature; none if no authority was named. Dates are not looked at.
  returned: success
  type: bool
  sample: true
code:
  description: A stable word for the failure.
  returned: failure
  type: str
hint:
  description: What to do about the failure.
  returned: failure
  type: str
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _information
from ..module_utils._module import run_module
from ..module_utils._time import utc_now


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    return {"changed": False, **_information.answer(_information.ask(module.params, now), now)}


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, utc_now()),
        argument_spec={
            "path": {"type": "path"},
            "content": {"type": "str"},
            "key_path": {"type": "path", "no_log": False},
            "authority_path": {"type": "path"},
            "authority_content": {"type": "str"},
            "valid_at": {"type": "str", "default": ""},
        },
        required_one_of=[("path", "content")],
        mutually_exclusive=[("path", "content"), ("authority_path", "authority_content")],
    )


if __name__ == "__main__":
    main()
