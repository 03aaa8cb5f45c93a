#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_restore
short_description: Restore a CA directory from its archive
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Unpacks an archive of M(portcullis.docker_tls.authority_backup) beside the place, checks all of it (ledger, authorities, passphrase), records
    the restore in the ledger, and makes it the CA directory in one rename.
  - A directory that is not empty is never replaced; where it is a newer state of the same CA, the message reports it.
  - Serial numbers are random (159 bits), so an old state repeats none. Certificates issued since the backup are not in the ledger; the next run of the roles
    notices that by the certificates that hosts have, and M(portcullis.docker_tls.recorded_certificates) records them.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  idempotent:
    support: full
    details: An archive that was restored to O(path) before is not restored again.
options:
  archive_path: {description: "The archive, on the host that the task runs on.", type: path, required: true}
  passphrase:
    description: The passphrase that the keys had when the archive was made. All keys are opened with it before anything is put in place.
    type: str
    required: true
seealso:
  - module: portcullis.docker_tls.authority_backup
  - module: portcullis.docker_tls.recorded_certificates
"""

EXAMPLES = r"""
- name: Restore the CA on a new host
  portcullis.docker_tls.authority_restore:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    archive_path: /var/backups/docker-ca.tar.gz
"""

RETURN = r"""
restored:
  description: The archive that was (would be) restored.
  returned: success
  type: dict
  contains:
    made: {description: When the archive was made., type: str, sample: "2026-11-22T13:00:00Z"}
    sha256: {description: Digest of the archive., type: str}
    authorities: {description: Ids of the authorities in it., type: list, elements: str, sample: [clients-g1, server-g1]}
    lines: {description: Number of lines of the ledger in it., type: int, sample: 12}
reasons: {description: V(ledger-restored) where it was restored., returned: success, type: list, elements: str}
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import backup, call_context, layout
from ..module_utils._ca.passphrase import check_passphrase
from ..module_utils._module import run_module


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    passphrase = check_passphrase(params["passphrase"])
    context = call_context.call_context(params, now)
    place = layout.ca_directory(params["path"])
    done = backup.restore_backup(place, params["archive_path"], passphrase, context, predict=module.check_mode)
    return {
        "changed": done.changed,
        "reasons": ["ledger-restored"] if done.changed else [],
        "restored": {
            "made": done.made,
            "sha256": done.digest,
            "authorities": list(done.authorities),
            "lines": done.head.seq,
        },
        "warnings": list(done.warnings),
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={**CRYPTOGRAPHY_OPTION, **CA_OPTIONS, "archive_path": {"type": "path", "required": True}},
    )


if __name__ == "__main__":
    main()
