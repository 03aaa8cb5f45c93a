#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_certificate
short_description: Get a host's server certificate by ACME
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Orders a certificate by ACME for a key that M(portcullis.docker_tls.certificate_requests) has made, and answers the http-01 challenges on this
    host.
  - Installs nothing. The result is an answer for O(portcullis.docker_tls.issued_certificates#module:answers), which checks it.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  check_mode:
    support: full
    details: The CA is not asked.
  idempotent:
    support: none
    details: Each call orders a certificate.
options:
  directory: {description: URL of the CA's ACME directory., type: str, required: true}
  ca_content:
    description: The CA (PEM) of the ACME server's own TLS certificate. By default, those that the host trusts.
    type: str
    default: ""
  anchors_content:
    description: Of several chains, the first that leads to one of these certificates (PEM) is taken.
    type: str
    default: ""
  key_path:
    description: Path of the live key. The order is for the key that waits at this path with C(.new) added.
    type: path
    required: true
  common_name: {description: Common name of the request. Most CAs leave it out of the certificate., type: str, required: true}
  names: {description: DNS names and IP addresses of the certificate., type: list, elements: str, required: true}
  contact:
    description: Addresses that the CA may write to, for example V(mailto:ops@example.org).
    type: list
    elements: str
    default: []
  eab_kid: {description: Identifier of an external account binding., type: str, default: ""}
  eab_key: {description: "Key of the external account binding, as the CA shows it (base64url).", type: str, default: ""}
  profile: {description: "Profile of the CA, where it has several.", type: str, default: ""}
  port: {description: Where the challenges are answered. The CA asks port 80., type: int, default: 80}
  webroot:
    description: Directory that a web server of this host serves on port 80. Then the answers are files there, and no port is opened.
    type: path
  account_directory: {description: Where the keys of accounts are kept., type: path, default: /var/lib/docker-tls/acme}
  timeout: {description: How many seconds are waited for each answer of the CA., type: int, default: 30}
"""

EXAMPLES = r"""
- name: Order the due certificates
  portcullis.docker_tls.acme_certificate:
    directory: https://ca.example.org/acme/directory
    ca_content: "{{ lookup('ansible.builtin.file', 'company-root.pem') }}"
    key_path: /etc/docker/certs/server-key.pem
    common_name: web1.example.org
    names: [web1.example.org, 192.0.2.10]
  register: ordered
"""

RETURN = r"""
certificate_content: {description: The certificate and its chain as PEM; empty in check mode., returned: success, type: str}
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._issuers import acme
from ..module_utils._module import run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    if module.check_mode:
        return {"changed": True, "certificate_content": ""}
    return {"changed": True, "certificate_content": acme.order(module.params, time.sleep)}


def main() -> None:
    """Run the module."""
    run_module(_run, argument_spec=acme.OPTIONS)


if __name__ == "__main__":
    main()
