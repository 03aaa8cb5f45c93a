#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: recorded_certificates
short_description: Record certificates that the ledger of a CA does not know
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Takes certificates that were found on hosts. Those that an authority of this CA has signed and its ledger does not know are recorded there and in
    C(issued/), so that the ledger is whole again and its chain goes on.
  - Needed when an older state of the CA directory came back (a backup, a snapshot), and for certificates of a CA that was adopted.
  - What is recorded is checked by its signature; what others have signed is only counted. The passphrase is not needed.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: none
options:
  certificates:
    description: The certificates that were found.
    type: list
    elements: dict
    required: true
    suboptions:
      content:
        description: The certificate as PEM, leaf first.
        type: str
        required: true
      requester:
        description: The inventory host that has it.
        type: str
        default: ""
      source:
        description: Where it was found.
        type: str
        default: ""
  reason:
    description: Why the ledger does not know them. With V(restored) the ledger counts as complete again afterwards.
    type: str
    choices: [adopted, restored]
    default: restored
  complete:
    description: Whether O(certificates) are those of all hosts and clients. Otherwise the ledger goes on counting as one that lacks something.
    type: bool
    default: true
seealso:
  - module: portcullis.docker_tls.authority_restore
  - module: portcullis.docker_tls.adopted_authority
"""

EXAMPLES = r"""
- name: Record what a host has
  portcullis.docker_tls.recorded_certificates:
    path: /etc/docker/ca
    certificates:
      - content: "{{ found.files[0].certificate_content }}"
        requester: web1
        source: /etc/docker/certs/server-cert.pem
"""

RETURN = r"""
recorded:
  description: What was (would be) recorded.
  returned: success
  type: list
  elements: dict
  contains:
    serial:
      description: Serial number in hexadecimal.
      type: str
    event:
      description: V(leaf-adopted) or V(leaf-recorded).
      type: str
    authority:
      description: Id of the authority that has signed it.
      type: str
      sample: server-g1
    profile:
      description: V(server) or V(client).
      type: str
    requester:
      description: The host that has it.
      type: str
    claimants:
      description: All hosts that have shown it, where there are several. A server name in it that the inventory gives to nobody stays with them.
      returned: where several hosts have shown it
      type: list
      elements: str
    host:
      description: The machine that recorded it.
      type: str
    user:
      description: Who had it recorded.
      type: str
    source:
      description: The file that it was found in.
      type: str
    reasons:
      description: Why it was recorded.
      type: list
      elements: str
    subject:
      description: Its subject.
      type: str
    names:
      description: Its names.
      type: list
      elements: str
    not_before:
      description: Its begin.
      type: str
    not_after:
      description: Its end.
      type: str
    time:
      description: When it was recorded.
      type: str
    fingerprint_sha256:
      description: SHA-256 of the certificate.
      type: str
    public_key_fingerprint:
      description: SHA-256 of its public key.
      type: str
known:
  description: How many of the certificates the ledger knew already.
  returned: success
  type: int
  sample: 3
foreign:
  description: Those that no authority of this CA has signed, and why each was left out.
  returned: success
  type: list
  elements: str
reasons:
  description: V(certificates-adopted) or V(certificates-restored), and V(ledger-recorded).
  returned: success
  type: list
  elements: str
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_DIRECTORY_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import call_context, import_certificates, layout
from ..module_utils._module import run_module

_CERTIFICATE: dict[str, t.Any] = {
    "content": {"type": "str", "required": True},
    "requester": {"type": "str", "default": ""},
    "source": {"type": "str", "default": ""},
}


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    context = call_context.call_context(params, now)
    done = import_certificates.record(
        layout.ca_directory(params["path"]),
        [import_certificates.Found(**one) for one in params["certificates"]],
        params["reason"],
        context,
        predict=module.check_mode,
        complete=params["complete"],
    )
    return {
        "changed": bool(done.reasons),
        "reasons": list(done.reasons),
        "recorded": [dict(entry) for entry in done.entries],
        "known": done.known,
        "foreign": list(done.foreign),
        "warnings": list(done.warnings),
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            **CA_DIRECTORY_OPTIONS,
            "certificates": {"type": "list", "elements": "dict", "required": True, "options": _CERTIFICATE},
            "reason": {"type": "str", "choices": ["adopted", "restored"], "default": "restored"},
            "complete": {"type": "bool", "default": True},
        },
    )


if __name__ == "__main__":
    main()
