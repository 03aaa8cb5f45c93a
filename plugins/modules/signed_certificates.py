#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: signed_certificates
short_description: Sign a batch of certificate requests with the authorities of a CA directory
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Signs all requests of a play in one call, under one lock, with one opening of each key.
  - By default either all are signed or none is; then one message lists every problem of every request. With O(partial) the good ones are signed
    and the others are in RV(rejected).
  - A server's name that neither O(reserved_names) nor O(shared_names) mentions belongs to the requester whose valid certificate contains it, according
    to the ledger. Another requester is refused; so are all requesters of one batch that ask for the same name while no certificate contains it.
  - O(requests[].reported_names) are reported by the host itself. Such a name is signed only if the inventory allows it for this host and no other host has or
    reports it. It is left out with a warning otherwise, and the certificate is signed without it.
  - Of a request's CSR only the public key is used, after its signature has shown that the requester has the private key. Names, profile and validity
    are taken from the options, never from the CSR.
  - Every certificate is in the CA's ledger (append-only, hash-chained, flushed to disk) and in C(issued/<serial>.pem) before it is returned.
  - This module signs all requests. Whether a certificate is due is decided by M(portcullis.docker_tls.certificate_requests).
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._ca.name_rules
  - portcullis.docker_tls._cryptography
attributes:
  check_mode:
    support: full
    details: Every check is made. Requests may have no CSR, and authorities need not exist, as on a first run.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Each call signs again; an empty list of requests changes nothing.
options:
  requests:
    description: The certificates to sign.
    type: list
    elements: dict
    required: true
    suboptions:
      id: {description: Name of the request in the result; each only once., type: str, required: true}
      authority: {description: "V(server), or the access group of a client.", type: str, required: true}
      profile:
        description: Purpose of the certificate. V(server) goes with the authority V(server), V(client) with an access group.
        type: str
        choices: [server, client]
        required: true
      request_content: {description: The certificate signing request as PEM., type: str, required: true}
      common_name:
        description:
          - Common name of the certificate, at most 64 characters. A client needs one.
          - By default, the first of a server's names that fits, a host name before an address.
        type: str
        default: ""
      names:
        description:
          - Subject alternative names of the certificate. A server needs at least one, a DNS name, a wildcard or an IP address.
          - A client without any gets one that is made of its common name and is not a host name.
        type: list
        elements: str
        default: []
      reported_names:
        description:
          - Names and addresses that a server reports of itself. A DNS name is signed if it extends one of O(requests[].extends) by a domain, an
            address if it is in one of O(requests[].address_ranges), either only if it belongs to no other requester, is in no valid certificate
            of another, and is reported by no other (O(contested_names)).
        type: list
        elements: str
        default: []
      extends:
        description: Host names of the requester in the inventory that O(requests[].reported_names) may extend by a domain.
        type: list
        elements: str
        default: []
      address_ranges:
        description: Which addresses may be in O(requests[].reported_names). V(private), V(all), or networks such as V(10.0.0.0/8).
        type: list
        elements: str
        default: []
      validity:
        description: How long the certificate is valid from now on, for example V(365d); not longer than its authority.
        type: str
        default: 365d
      requester: {description: "The inventory host that asks. By default O(requests[].id).", type: str, default: ""}
      reasons: {description: "Why the certificate is needed, for the ledger.", type: list, elements: str, default: []}
      expired:
        description: Make a certificate that has already expired, only to verify that such a client is refused.
        type: bool
        default: false
      revoked:
        description:
          - Make a client certificate with the serial number that O(requests[].authority) revoked last, for the verification that a host has
            the newest revocation list and refuses it. Where nothing was revoked, RV(certificates) has none.
          - The certificate is in the ledger as an event of its own and is not stored. It may be valid for a day at most.
        type: bool
        default: false
      generation:
        description: >-
          Number of the generation of the authority that signs, to verify the admitted clients during a rotation. V(0) is the one that signs
          now, as it should be for everything that stays.
        type: int
        default: 0
      replaces:
        description:
          - The certificate of another authority than O(requests[].authority) that the requester has now. Where neither the ledger nor an authority
            of this CA has to do with it, the request is refused. Leave it out to sign whatever is there.
        type: dict
        suboptions:
          serial:
            description: Its serial number, as in RV(portcullis.docker_tls.certificate_requests#module:requests[].certificate).
            type: str
            required: true
          issuer: {description: Its issuer., type: str, default: ""}
          authority_key_identifier: {description: Its authority key identifier., type: str, default: ""}
          authority_fingerprint_sha256:
            description: SHA-256 fingerprint of its authority's certificate where that is known, for the message.
            type: str
            default: ""
  partial:
    description: Sign the valid requests even if others are refused. A problem of the CA itself or of the call still fails all.
    type: bool
    default: false
  installed:
    description:
      - Certificates that hosts report to have. Those that an authority of this CA has signed and its ledger does not know are reported in a warning
        and in RV(unknown), because then the CA directory is an older state (a restored backup) or its keys are in other hands.
    type: list
    elements: dict
    default: []
    suboptions:
      requester: {description: The inventory host that has it., type: str, default: ""}
      serial: {description: Its serial number in hexadecimal., type: str, required: true}
      issuer: {description: "Its issuer, such as V(CN=Docker CA,OU=server-g1).", type: str, required: true}
      not_before: {description: Its begin., type: str, default: ""}
      authority_key_identifier:
        description: Its authority key identifier; without one, only its issuer shows whether an authority of this CA has signed it.
        type: str
        default: ""
  backdate:
    description: How long before now certificates begin to be valid, for clocks that are behind; V(0s) for not at all.
    type: str
    default: 5m
seealso:
  - module: portcullis.docker_tls.authorities
  - module: portcullis.docker_tls.certificate_requests
  - module: portcullis.docker_tls.temporary_client
"""

EXAMPLES = r"""
- name: Sign the requests of the hosts of this play
  portcullis.docker_tls.signed_certificates:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    requests:
      - id: web1
        authority: server
        profile: server
        request_content: "{{ hostvars.web1.wanted.requests[0].request_content }}"
        common_name: web1.example.org
        names: [web1.example.org, 192.0.2.10]
        validity: 365d
        requester: web1
    reserved_names:
      web2.example.org: web2
  delegate_to: olympus
  run_once: true
  register: signed
"""

RETURN = r"""
certificates:
  description: The certificates by the id of their request. In check mode their contents are empty.
  returned: success
  type: dict
  contains:
    certificate_content: {description: The certificate as PEM., type: str}
    authority_content: {description: "The certificate of the authority that signed it, as PEM.", type: str}
    certificate:
      description: The certificate as plain values (subject, names, serial, dates, key type, fingerprints); null in check mode.
      type: dict
    authority:
      description: The generation of the authority that signed it, or its authority where that is yet to be made.
      type: str
      sample: server-g1
    not_after: {description: When it ends (would end)., type: str}
    common_name: {description: The common name that is (would be) signed., type: str}
    names: {description: The names that are (would be) signed., type: list, elements: str}
    left_out:
      description: Those of O(requests[].reported_names) that are not signed; a warning has the reason.
      type: list
      elements: str
rejected:
  description: Why requests were refused, by their id; empty without O(partial).
  returned: success
  type: dict
  contains:
    msg: {description: The problem of the request., type: str}
    hint: {description: What to do about it., type: str}
    code: {description: A stable word for it., type: str, sample: name-taken}
authorities:
  description: All authorities of the CA, as M(portcullis.docker_tls.authority_info) returns them.
  returned: success
  type: dict
ledger:
  description: The end of the ledger after this call. Kept elsewhere, it shows later whether the ledger was replaced.
  returned: success
  type: dict
  contains:
    seq: {description: Number of lines., type: int}
    digest: {description: SHA-256 of the last line., type: str}
unknown:
  description: Those of O(installed) that an authority of this CA has signed and the ledger does not know.
  returned: success
  type: list
  elements: dict
reasons:
  description: What else was done. V(modes-repaired), others had access to the CA directory; V(ledger-repaired), a torn last line was removed.
  returned: success
  type: list
  elements: str
"""

import contextlib
import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import (
    call_context,
    layout,
    ledger_query,
    policy,
    report,
    sign_batch,
    store,
)
from ..module_utils._ca.passphrase import check_passphrase
from ..module_utils._ca.policy import (
    INSTALLED_OPTIONS,
    NAME_RULE_OPTIONS,
    SIGNING_OPTIONS,
    signing_request,
)
from ..module_utils._module import plan_diff, run_module

if t.TYPE_CHECKING:
    from datetime import datetime


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    passphrase = check_passphrase(params["passphrase"], of_ca=params["path"])
    work = sign_batch.Batch(
        place=layout.ca_directory(params["path"]),
        requests=[signing_request(options) for options in params["requests"]],
        installed=[ledger_query.Installed(**options) for options in params["installed"]],
        rules=policy.make_rules(
            reserved=params["reserved_names"],
            shared=params["shared_names"],
            backdate=params["backdate"],
            predicting=module.check_mode,
            contested=params["contested_names"],
            same_machine=params["same_machine"],
        ),
        passphrase=passphrase,
        context=call_context.call_context(params, now),
        partial=params["partial"],
    )
    result = sign_batch.sign(work)
    return {
        "changed": bool(result.signed or result.reasons),
        "reasons": list(result.reasons),
        "certificates": report.certificates(result),
        "rejected": report.rejected(result),
        "unknown": [dict(vars(one)) for one in result.unknown],
        "authorities": store.describe(result.stored, now),
        "ledger": {"seq": result.ledger.seq, "digest": result.ledger.digest},
        "warnings": list(result.warnings),
        **({"diff": plan_diff(report.certificate_lines(result))} if module._diff else {}),
        # Otherwise the module's whole input is returned beside its result: half of its size, for thousands of requests.
        "invocation": {"module_args": {**params, "requests": f"{len(params['requests'])} requests"}},
    }


@contextlib.contextmanager
def _cycle_collection_off() -> t.Iterator[None]:
    """Keep Python from searching for reference cycles; memory is still freed by reference counts.

    A batch makes millions of objects and hardly a cycle, but Python would search all of them again and again: a tenth of the CPU time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    specification = {
        **CRYPTOGRAPHY_OPTION,
        **CA_OPTIONS,
        "requests": {"type": "list", "elements": "dict", "required": True, "options": SIGNING_OPTIONS},
        "installed": {"type": "list", "elements": "dict", "default": [], "options": INSTALLED_OPTIONS},
        **NAME_RULE_OPTIONS,
        "backdate": {"type": "str", "default": "5m"},
        "partial": {"type": "bool", "default": False},
    }
    with _cycle_collection_off():
        run(lambda module: _run(module, _time.utc_now()), argument_spec=specification)


if __name__ == "__main__":
    main()
