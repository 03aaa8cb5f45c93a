#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: recorded_certificates
short_description: Record certificates that the ledger of a CA does not contain
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Records certificates that were found on hosts and that the ledger of the CA does not know, for example after an older backup was restored.
  - Each is checked by its signature; those of other signers are counted only. The passphrase is not needed.
  - With O(reason=external) the certificates are those that another issuer has signed in this run, with the kind and the name of the issuer.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
options:
  certificates:
    description: The certificates that were found. One of O(certificates) and O(revocations) is required.
    type: list
    elements: dict
    default: []
    suboptions:
      content: {description: "The certificate as PEM, leaf first.", type: str, required: true}
      requester: {description: The inventory host that has it., type: str, default: ""}
      source: {description: Where it was found., type: str, default: ""}
      authority: {description: "With O(reason=external), V(server) or the access group.", type: str, default: ""}
      profile: {description: "With O(reason=external), the purpose of the certificate.", type: str, choices: [server, client]}
      issuer: {description: "With O(reason=external), the kind of the issuer.", type: str, default: ""}
      request: {description: "With O(reason=external), the id of the request that the certificate answers.", type: str, default: ""}
      reasons: {description: "With O(reason=external), why it was requested.", type: list, elements: str, default: []}
  revocations:
    description: Revoked clients and the hosts that were verified to refuse them, instead of O(certificates).
    type: list
    elements: dict
    default: []
    suboptions:
      client: {description: The name of the client., type: str, required: true}
      authority: {description: The id of the authority whose certificates of the client are refused., type: str, required: true}
      hosts: {description: The inventory hosts., type: list, elements: str, required: true}
  reason:
    description:
      - Why the ledger does not know them. With V(restored) the ledger counts as complete again afterwards.
      - V(external) records what another issuer has signed.
    type: str
    choices: [adopted, restored, external]
    default: restored
  complete:
    description: Whether O(certificates) are those of all hosts and clients. Otherwise the ledger continues to count as one that lacks something.
    type: bool
    default: true
"""

EXAMPLES = r"""
- portcullis.docker_tls.recorded_certificates:
    path: /etc/docker/ca
    certificates:
      - content: "{{ found.files[0].certificate_content }}"
"""

RETURN = r"""
recorded:
  description: The lines of the ledger that were (would be) written, as RV(portcullis.docker_tls.ledger_info#module:entries).
  returned: success
  type: list
  elements: dict
known: {description: How many of the certificates the ledger knew already., returned: success, type: int, sample: 3}
foreign:
  description: Those that no authority of this CA has signed, and why each was left out.
  returned: success
  type: list
  elements: str
reasons:
  description: V(certificates-adopted), V(certificates-restored) or V(certificates-external), and V(ledger-recorded); or V(revocation-verified).
  returned: success
  type: list
  elements: str
ledger: {description: "Where the ledger ends now (C(seq), C(digest), C(time), C(restored)).", returned: with O(reason=external), type: dict}
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_DIRECTORY_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import (
    access,
    call_context,
    import_certificates,
    layout,
    revocation,
)
from ..module_utils._ca.call_context import CallContext
from ..module_utils._errors import TlsError
from ..module_utils._module import run_module

_CERTIFICATE: dict[str, t.Any] = {
    "content": {"type": "str", "required": True},
    "requester": {"type": "str", "default": ""},
    "source": {"type": "str", "default": ""},
    "authority": {"type": "str", "default": ""},
    "profile": {"type": "str", "choices": ["server", "client"]},
    "issuer": {"type": "str", "default": ""},
    "request": {"type": "str", "default": ""},
    "reasons": {"type": "list", "elements": "str", "default": []},
}
_REVOCATION: dict[str, t.Any] = {
    "client": {"type": "str", "required": True},
    "authority": {"type": "str", "required": True},
    "hosts": {"type": "list", "elements": "str", "required": True},
}
EXTERNAL = "external"


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    context = call_context.call_context(params, now)
    if params["revocations"]:
        return _revocations(module, context)
    if params["reason"] == EXTERNAL:
        return _external(module, context)
    done = import_certificates.record(
        layout.ca_directory(params["path"]),
        [import_certificates.Found(one["content"], one["requester"], one["source"]) for one in params["certificates"]],
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


def _revocations(module: AnsibleModule, context: CallContext) -> dict[str, t.Any]:
    """Record which hosts refuse which revoked client."""
    found = [revocation.Verified(**{**one, "hosts": tuple(one["hosts"])}) for one in module.params["revocations"]]
    place = layout.ca_directory(module.params["path"])
    lines = revocation.record_verified(place, found, context, predict=module.check_mode)
    return {
        "changed": bool(lines),
        "reasons": [access.VERIFIED] if lines else [],
        "recorded": lines,
        "known": len(found) - len(lines),
        "foreign": [],
    }


def _external(module: AnsibleModule, context: CallContext) -> dict[str, t.Any]:
    """Record what another issuer has signed."""
    params = module.params
    for one in params["certificates"]:
        missing = [name for name in ("authority", "profile", "issuer") if not one[name]]
        if missing:
            raise TlsError(
                f"a certificate that another issuer has signed lacks {', '.join(missing)}",
                hint="With reason external, write authority, profile and issuer for each of certificates.",
                code="option-invalid",
            )
    done = import_certificates.record_external(
        layout.ca_directory(params["path"]),
        [
            import_certificates.External(
                **{name: one[name] for name in ("content", "authority", "profile", "issuer", "request", "requester")},
                reasons=tuple(one["reasons"]),
            )
            for one in params["certificates"]
        ],
        context,
        predict=module.check_mode,
    )
    return {
        "changed": bool(done.entries),
        "reasons": ["certificates-external"] if done.entries else [],
        "recorded": [dict(entry) for entry in done.entries],
        "known": done.known,
        "foreign": [],
        "ledger": done.ledger,
        "warnings": list(done.warnings),
    }


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    run(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            **CA_DIRECTORY_OPTIONS,
            "certificates": {"type": "list", "elements": "dict", "default": [], "options": _CERTIFICATE},
            "revocations": {"type": "list", "elements": "dict", "default": [], "options": _REVOCATION},
            "reason": {"type": "str", "choices": ["adopted", "restored", EXTERNAL], "default": "restored"},
            "complete": {"type": "bool", "default": True},
        },
        required_one_of=[("certificates", "revocations")],
    )


if __name__ == "__main__":
    main()
