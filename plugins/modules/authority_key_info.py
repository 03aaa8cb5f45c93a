#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_key_info
short_description: Find the private keys of CAs on a machine
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Searches for the private keys of given CA certificates where Docker's documentation, docker-machine and common scripts leave them, and in
    O(places).
  - Only reads, and returns paths, never a key. Skips files that this user may not read.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
options:
  certificates: {description: "CA certificates (PEM), one a text.", type: list, elements: str, required: true}
  places:
    description: More directories to search; V(~) and patterns such as V(/srv/*/certs) may be given.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- portcullis.docker_tls.authority_key_info:
    certificates: ["{{ lookup('ansible.builtin.file', 'ca.pem') }}"]
  register: found
"""

RETURN = r"""
keys:
  description: >-
    The places of keys. An encrypted key cannot be identified before it is opened; it is listed where it is beside the CA's certificate, or where its
    name is that of a CA key and no other CA's certificate is beside it.
  returned: success
  type: list
  elements: dict
searched: {description: Directories that were searched., returned: success, type: list, elements: str}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._adoption import effective_settings
from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION
from ..module_utils._module import run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    found = effective_settings.find_ca_keys(module.params["certificates"], module.params["places"])
    names = ("fingerprint_sha256", "path", "encrypted")
    return {
        "changed": False,
        "keys": [dict(zip(names, key)) for key in found.keys],
        "searched": list(found.searched),
    }


def main() -> None:
    """Run the module."""
    run_module(
        _run,
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            "certificates": {"type": "list", "elements": "str", "required": True},
            "places": {"type": "list", "elements": "str", "default": []},
        },
    )


if __name__ == "__main__":
    main()
