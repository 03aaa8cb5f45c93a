#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_generation
short_description: Replace a certificate authority by a new generation, step by step
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Does the part of a rotation that happens in the CA directory. C(playbooks/rotate_ca.yml) does all of it, in an order in which everything
    keeps working; with this module alone that order is up to you.
  - Each step is a line of the ledger and then one change on disk. A run that was killed at any point is finished by the next one.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: full
options:
  name: {description: "The authority, V(server) or an access group.", type: str, required: true}
  state:
    description:
      - V(accepted) makes a new generation, unless one waits already. It is trusted and does not sign.
      - V(issuing) lets the generation that waits sign. The former one is still trusted.
      - V(retired) retires the former generations. Their certificates are kept in C(retired/), their private keys
        are destroyed.
    type: str
    choices: [accepted, issuing, retired]
    required: true
  passphrase:
    description:
      - Passphrase of the CA's keys, needed for O(state=accepted) only. In the other states one that is given is checked, so that a wrong one
        changes nothing. It is sent and kept as by M(portcullis.docker_tls.authorities).
    type: str
    required: false
    default: ""
  generation:
    description:
      - Number of the new generation that is meant. Where another run was quicker, and that generation is there, signs or has been replaced
        already, nothing is done to a later one. V(0) for the next one.
    type: int
    default: 0
  common_name:
    description: Common name of a new generation, at most 64 characters. By default that of the generation that signs.
    type: str
    default: ""
  organization: {description: Organization of a new generation. By default that of the generation that signs., type: str}
  key_type:
    description: Type of the key of a new generation. By default that of the generation that signs.
    type: str
    choices: [ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096]
  validity: {description: How long a new generation is valid., type: str, default: 1825d}
seealso:
  - module: portcullis.docker_tls.authorities
  - module: portcullis.docker_tls.authority_info
"""

EXAMPLES = r"""
- name: Make the next server authority known, with another type of key
  portcullis.docker_tls.authority_generation:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    name: server
    state: accepted
    key_type: ecdsa-p384

# Then state: issuing, after every client trusts it, and state: retired, after every host has a certificate of the new one.
"""

RETURN = r"""
reasons:
  description:
    - The changes. V(generation-accepted), V(generation-issuing), V(generation-retired); V(authority-unfinished), a generation was finished that
      a killed run had begun; V(modes-repaired), V(ledger-repaired) as for M(portcullis.docker_tls.authorities).
  returned: success
  type: list
  elements: str
  sample: [generation-accepted]
authorities: {description: "All authorities, as M(portcullis.docker_tls.authority_info) returns them.", returned: success, type: dict}
ansible_facts: {description: "RV(authorities) as the fact C(docker_ca_authorities).", returned: success, type: dict}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import call_context, create, layout, report, stages, store
from ..module_utils._ca.passphrase import check_passphrase
from ..module_utils._module import run_module
from ..module_utils._pki.keys import KEY_TYPES

if t.TYPE_CHECKING:
    from datetime import datetime


def _spec(place: layout.CaDirectory, params: dict[str, t.Any]) -> create.AuthoritySpec:
    """Return how a new generation is made: as asked for, else like the one that signs."""
    name, validity = params["name"], _time.parse_duration(params["validity"], "validity")
    stored = store.read_authorities(place).get(name, ())
    like = (
        create.spec_like(store.issuing(stored))
        if stored
        else create.AuthoritySpec(name, name, "", "ecdsa-p256", validity)
    )
    return create.AuthoritySpec(
        name=name,
        common_name=params["common_name"] or like.common_name,
        organization=like.organization if params["organization"] is None else params["organization"],
        key_type=params["key_type"] or like.key_type,
        validity=validity,
    )


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    passphrase = check_passphrase(params["passphrase"], of_ca=params["path"]) if params["passphrase"] else None
    context = call_context.call_context(params, now)
    place = layout.ca_directory(params["path"])
    stages.check_place(place, context)
    spec = _spec(place, params)
    outcome = stages.change(
        place, spec, params["state"], passphrase, context, predict=module.check_mode, generation=params["generation"]
    )
    authorities = store.describe(outcome.after, now)
    return {
        "changed": bool(outcome.reasons),
        "reasons": list(outcome.reasons),
        "authorities": authorities,
        "ansible_facts": {"docker_ca_authorities": authorities},
        "warnings": list(outcome.warnings),
        "diff": report.generations_diff(outcome.before, outcome.after, outcome.made if module.check_mode else ()),
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            **CA_OPTIONS,
            "passphrase": {"type": "str", "default": "", "no_log": True},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "required": True, "choices": list(stages.STATES)},
            "generation": {"type": "int", "default": 0},
            "common_name": {"type": "str", "default": ""},
            "organization": {"type": "str"},
            "key_type": {"type": "str", "choices": list(KEY_TYPES)},
            "validity": {"type": "str", "default": "1825d"},
        },
    )


if __name__ == "__main__":
    main()
