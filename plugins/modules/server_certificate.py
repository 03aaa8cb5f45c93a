#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: server_certificate
short_description: Install a server certificate with its key
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Installs a server certificate with its key in the directory that dockerd reads, as one set that changes in one rename, so key and certificate
    always match.
  - The key is C(server-key.pem.new), which M(portcullis.docker_tls.certificate_requests) made, or the live one. The former set is kept.
  - Restarts nothing; M(portcullis.docker_tls.endpoint) installs and restarts in one transaction.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: full
    details: Shows names, issuer, expiry and fingerprint, never a key.
options:
  directory:
    description: Directory of the certificates. It is made with mode C(0700) where it is missing.
    type: path
    default: /etc/docker/certs
  certificate_content: {description: "The certificate (PEM, with its chain if it has one).", type: str, required: true}
  ca_content:
    description: Certificates (PEM) for C(ca.pem), with which clients on this host verify the server. Empty keeps the present ones.
    type: str
    default: ""
  rejected:
    description:
      - Why the request for this certificate was refused, as RV(portcullis.docker_tls.signed_certificates#module:rejected) has it.
      - If there is anything in it, the task fails with that message, and nothing is asked of the host.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- portcullis.docker_tls.server_certificate:
    certificate_content: "{{ signed.certificates[inventory_hostname].certificate_content }}"
    ca_content: "{{ ansible_facts.docker_ca_authorities['server'].trusted_content }}"
"""

RETURN = r"""
reasons:
  description:
    - Why something was written. Any of V(certificate-changed), V(key-changed), V(ca-changed), V(layout-changed) (the files become a set that changes
      in one rename).
  returned: success
  type: list
  elements: str
  sample: [certificate-changed, key-changed]
directory: {description: The directory., returned: success, type: str, sample: /etc/docker/certs}
certificate: {description: "The certificate with C(serial), C(subject), C(names), C(not_after) and others.", returned: success, type: dict}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION, SERVER_CERTIFICATE_OPTIONS
from ..module_utils._endpoint import server_certificate
from ..module_utils._module import run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    return server_certificate.ensure(module.params, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    run_module(_run, argument_spec={**CRYPTOGRAPHY_OPTION, **SERVER_CERTIFICATE_OPTIONS})


if __name__ == "__main__":
    main()
