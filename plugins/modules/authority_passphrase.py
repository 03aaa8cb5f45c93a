#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_passphrase
short_description: Change the passphrase of a CA's keys
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Encrypts the keys of all authorities of a CA directory with a new passphrase, all of them or none.
  - A run that is killed at any point leaves keys that all have the old passphrase or all the new one; the next run completes the remaining steps.
  - A second run changes nothing. It opens the keys with either passphrase.
  - Certificates stay as they are. Old backups still open with the old passphrase, so if someone else knows it, replace the authorities too.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  check_mode:
    support: full
    details: The keys are opened, so a wrong passphrase is found.
  diff_mode:
    support: full
options:
  new_passphrase: {description: The new passphrase of the keys; the same rules apply as for O(passphrase)., type: str, required: true}
seealso:
  - module: portcullis.docker_tls.authorities
  - module: portcullis.docker_tls.authority_backup
"""

EXAMPLES = r"""
- name: Change the passphrase
  portcullis.docker_tls.authority_passphrase:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    new_passphrase: "{{ vault_docker_ca_new_passphrase }}"
"""

RETURN = r"""
reasons:
  description:
    - The changes. V(passphrase-changed), keys were encrypted again; V(passphrase-change-finished), a killed run had left its last step;
      V(modes-repaired), others had access; V(ledger-repaired), a torn last line was removed.
  returned: success
  type: list
  elements: str
  sample: [passphrase-changed]
authorities:
  description: Ids of the authorities whose keys have got the new passphrase.
  returned: success
  type: list
  elements: str
  sample: [clients-g1, server-g1]
unchanged:
  description: Ids of the authorities whose keys had the new passphrase already.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import call_context, layout, passphrase
from ..module_utils._module import run_module


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    change = passphrase.Change(
        place=layout.ca_directory(params["path"]),
        old=params["passphrase"],
        new=params["new_passphrase"],
        context=call_context.call_context(params, now),
    )
    outcome = passphrase.change_passphrase(change, predict=module.check_mode)
    return {
        "changed": bool(outcome.reasons),
        "reasons": list(outcome.reasons),
        "authorities": list(outcome.changed),
        "unchanged": list(outcome.kept),
        "warnings": list(outcome.warnings),
        "diff": {
            "before": dict.fromkeys(outcome.changed, "old passphrase"),
            "after": dict.fromkeys(outcome.changed, "new passphrase"),
        },
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            **CA_OPTIONS,
            "new_passphrase": {"type": "str", "required": True, "no_log": True},
        },
    )


if __name__ == "__main__":
    main()
