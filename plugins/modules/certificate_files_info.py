#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_files_info
short_description: Read the certificate files of a host in one call
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Returns the certificates in files, and whether the key beside each belongs to it. A missing or unreadable file is a result, not an error.
  - Never returns a private key; only C(CERTIFICATE) blocks are returned. The host needs Python's standard library only.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
options:
  files:
    description: The sets of files to read.
    type: list
    elements: dict
    required: true
    suboptions:
      id: {description: Name of the set in the result., type: str, required: true}
      certificate_path:
        description: File of the certificate. V(~) and V(~user) are understood on the host, here and in the other paths.
        type: str
        required: true
      key_path:
        description: File of its private key. Only whether it belongs to the certificate is reported. Empty for none.
        type: str
        default: ""
      ca_path: {description: File of the authorities that its owner trusts. Empty for none., type: str, default: ""}
      client_ca_path: {description: File of the client authorities that a daemon admits. Empty for none., type: str, default: ""}
      config_path: {description: The C(daemon.json) that has to name the certificate. Empty for none., type: str, default: ""}
      unit: {description: "The daemon's unit, to report whether the boot starts it. Empty for a set of a client.", type: str, default: ""}
"""

EXAMPLES = r"""
- portcullis.docker_tls.certificate_files_info:
    files:
      - id: server
        certificate_path: /etc/docker/certs/server-cert.pem
  become: true
  register: found
"""

RETURN = r"""
files:
  description: >-
    The results, in the order of O(files), as C(module_utils/_fleet/collect_files.py) makes them. Their C(state) is V(read), V(missing),
    V(not-readable) (this user may not read it) or V(invalid) (no certificate, or no regular file). C(rights) has the access groups of a daemon behind
    the listener V(proxy), with their rights.
  returned: success
  type: list
  elements: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._fleet import collect_files
from ..module_utils._module import run_module

ARGUMENT_SPEC: dict[str, t.Any] = {
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "id": {"type": "str", "required": True},
            "certificate_path": {"type": "str", "required": True},
            "key_path": {"type": "str", "default": "", "no_log": False},
            "ca_path": {"type": "str", "default": ""},
            "client_ca_path": {"type": "str", "default": ""},
            "config_path": {"type": "str", "default": ""},
            "unit": {"type": "str", "default": ""},
        },
    },
}


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    wanted = [collect_files.Wanted(**entry) for entry in module.params["files"]]
    return {"changed": False, "files": collect_files.read_all(wanted)}


def main() -> None:
    """Run the module."""
    run_module(_run, needs_cryptography=False, argument_spec=ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
