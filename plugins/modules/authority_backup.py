#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_backup
short_description: Write a CA directory into one archive
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Writes authorities, ledger and issued certificates into one gzipped tar archive of mode C(0600), which is complete or not there.
  - It is made under the lock of the CA, after the ledger's chain was checked, so it is one moment of a sound CA.
  - Keys are in it as they are on disk, encrypted. The passphrase is not needed and is not in it. Keep both, in different places.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  idempotent:
    support: none
    details: Each call makes an archive. An older one at O(archive_path) is replaced.
options:
  archive_path: {description: "File to write, outside of O(path), in a directory that is there.", type: path, required: true}
seealso:
  - module: portcullis.docker_tls.authority_restore
"""

EXAMPLES = r"""
- name: Back the CA up
  portcullis.docker_tls.authority_backup:
    path: /etc/docker/ca
    archive_path: /var/backups/docker-ca.tar.gz
"""

RETURN = r"""
archive:
  description: The archive.
  returned: success
  type: dict
  contains:
    path: {description: Where it is., type: str, sample: /var/backups/docker-ca.tar.gz}
    sha256: {description: Its digest; empty in check mode., type: str}
    files: {description: How many files of the CA are in it., type: int, sample: 9}
    authorities: {description: Ids of the authorities in it., type: list, elements: str, sample: [clients-g1, server-g1]}
    ledger:
      description: Number (C(seq)) and C(digest) of the last line of the ledger in it, and both as C(head) (V(LINES:DIGEST)).
      type: dict
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_DIRECTORY_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import backup, call_context, layout
from ..module_utils._module import run_module


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    context = call_context.call_context(params, now)
    place = layout.ca_directory(params["path"])
    made = backup.make_backup(place, params["archive_path"], context, predict=module.check_mode)
    return {
        "changed": True,
        "archive": {
            "path": made.path,
            "sha256": made.digest,
            "files": made.files,
            "authorities": list(made.authorities),
            "ledger": {"seq": made.head.seq, "digest": made.head.digest, "head": str(made.head)},
        },
        "warnings": list(made.warnings),
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            **CA_DIRECTORY_OPTIONS,
            "archive_path": {"type": "path", "required": True},
        },
    )


if __name__ == "__main__":
    main()
