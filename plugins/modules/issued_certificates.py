#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: issued_certificates
short_description: Get certificates from OpenBao, Vault or another issuer, and check them
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Asks an issuer other than the CA of M(portcullis.docker_tls.authorities) for a batch of certificates, and returns them in the shape of
    M(portcullis.docker_tls.signed_certificates).
  - Runs on the controller, for every host of the task. Credentials of an issuer are sent only to that issuer, and are in no output.
  - Names are the controller's words, by the same rules as with M(portcullis.docker_tls.signed_certificates). Only its ledger is not asked.
  - Whatever an issuer answers is checked. The key is that of the request, the names are exactly those that were asked for, the usage is that of
    the profile alone, the certificate is not a CA and leads to one of the issuer's anchors, and it is not due for renewal at once.
  - Requests that an issuer refuses or does not answer are in RV(rejected). Others are not affected. Nothing is
    asked twice that may have been issued.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca.name_rules
attributes:
  check_mode:
    support: full
    details: No issuer is asked. Requests may have no CSR.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Each call asks again; an empty list of requests contacts no issuer.
options:
  requests:
    description: The certificates to issue, as O(portcullis.docker_tls.signed_certificates#module:requests).
    type: list
    elements: dict
    required: true
    suboptions:
      id: {description: Name of the request in the result; each only once., type: str, required: true}
      authority: {description: "V(server), or the access group of a client. It selects one of O(issuers).", type: str, required: true}
      profile: {description: Purpose of the certificate., type: str, choices: [server, client], required: true}
      request_content: {description: The certificate signing request as PEM., type: str, required: true}
      common_name:
        description: Common name of the certificate. A client needs one, and the issuer has to keep it.
        type: str
        default: ""
      names: {description: Subject alternative names of a server's certificate., type: list, elements: str, default: []}
      reported_names:
        description: Names that a server reports of itself, see M(portcullis.docker_tls.signed_certificates).
        type: list
        elements: str
        default: []
      extends:
        description: Host names of the requester in the inventory that O(requests[].reported_names) may extend by a domain.
        type: list
        elements: str
        default: []
      address_ranges: {description: "Which addresses may be in O(requests[].reported_names).", type: list, elements: str, default: []}
      validity: {description: Requested validity of the certificate. The issuer may change it., type: str, default: 365d}
      renew_before: {description: When the certificate is renewed. One that would be due at once is refused., type: str, default: 1/3}
      requester: {description: "The inventory host that asks. By default O(requests[].id).", type: str, default: ""}
      reasons: {description: Why the certificate is needed., type: list, elements: str, default: []}
  issuers:
    description: Who is asked, one entry for each authority.
    type: list
    elements: dict
    required: true
    suboptions:
      authority: {description: "V(server), or an access group.", type: str, required: true}
      issuer:
        description:
          - V(openbao) is a PKI engine of OpenBao or Vault, which is asked here.
          - V(files) are certificates that people or other tools put into a directory on the controller, where the requests are left for them.
          - V(acme) and V(tasks) are asked elsewhere, and their answers are in O(answers).
        type: str
        choices: [openbao, acme, tasks, files]
        required: true
      ca_content:
        description: The root and intermediate certificates (PEM) that certificates of the issuer have to lead to.
        type: str
        required: true
      openbao:
        description: The address of OpenBao or Vault, and the credentials.
        type: dict
        suboptions:
          url:
            description: Its address, for example V(https://bao.example.org:8200). Plain HTTP is for loopback only.
            type: str
            required: true
          mount: {description: Path of the PKI engine., type: str, default: pki}
          role: {description: Role of the PKI engine that signs., type: str, required: true}
          namespace: {description: "Namespace, where there are any.", type: str, default: ""}
          ca_content:
            description: The CA (PEM) of the server's own TLS certificate. By default, those that the system trusts.
            type: str
            default: ""
          token:
            description: A token that may sign. Without it an AppRole or a JWT gets one for this call, which is revoked at its end.
            type: str
            default: ""
          role_id: {description: Of an AppRole., type: str, default: ""}
          secret_id: {description: Of an AppRole., type: str, default: ""}
          jwt: {description: "A JSON web token, for example that of a CI job.", type: str, default: ""}
          jwt_role: {description: Role of the auth method C(jwt)., type: str, default: ""}
          auth_mount: {description: Path of the auth method. By default C(approle) or C(jwt)., type: str, default: ""}
          timeout: {description: How many seconds are waited for each answer., type: int, default: 30}
          concurrency: {description: How many requests are on their way at a time., type: int, default: 8}
      files:
        description: Where requests are left and certificates are found.
        type: dict
        suboptions:
          directory:
            description: Directory on the controller. The certificate for C(web1-server.csr) is put into C(web1-server.pem), with its intermediates.
            type: path
            required: true
          key_path:
            description: Unused here. The roles pass it to M(portcullis.docker_tls.certificate_requests), where the host's own path of a key is given.
            type: str
            default: ""
  answers:
    description:
      - What issuers have answered already, by the id of the request. C(certificate_content) is the leaf with its chain (PEM); or C(msg), C(hint) and
        C(code) with the reason why there is none.
      - A request for V(tasks) or V(acme) without an answer is in RV(pending).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- portcullis.docker_tls.issued_certificates:
    requests:
      - {id: web1/server, authority: server, profile: server, request_content: "{{ wanted.requests[0].request_content }}", names: [web1.example.org]}
    issuers:
      - authority: server
        issuer: openbao
        ca_content: "{{ lookup('ansible.builtin.file', 'company-root.pem') }}"
        openbao: {url: "https://bao.example.org:8200", mount: pki-docker, role: dockerd, token: "{{ vault_bao_token }}"}
  run_once: true
"""

RETURN = r"""
certificates:
  description: >-
    The certificates by the id of their request, as RV(portcullis.docker_tls.signed_certificates#module:certificates), each with C(issuer), who has
    issued it. In check mode the texts are empty, and C(certificate) is null.
  returned: success
  type: dict
rejected:
  description: Why requests have no certificate, by their id, as RV(portcullis.docker_tls.signed_certificates#module:rejected).
  returned: success
  type: dict
pending:
  description: >-
    Requests that have passed the rules for names and await an answer of their issuer, as C(pending) of C(module_utils/_issuers/batch.py) makes them.
    This is the input of a user's own tasks.
  returned: success
  type: list
  elements: dict
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._ca import policy
from ..module_utils._ca.policy import NAME_RULE_OPTIONS, signing_request
from ..module_utils._issuers import batch
from ..module_utils._module import plan_diff, run_module

if t.TYPE_CHECKING:
    from datetime import datetime


#: What only a CA of ours can do.
_OURS: dict[str, t.Any] = {"expired": False, "generation": 0, "replaces": None}


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    work = batch.Batch(
        requests=[
            signing_request({**batch.without(options, "renew_before"), **_OURS}) for options in params["requests"]
        ],
        renew_before={options["id"]: options["renew_before"] for options in params["requests"]},
        sources=batch.sources(params["issuers"], time.sleep),
        rules=policy.make_rules(
            reserved=params["reserved_names"],
            shared=params["shared_names"],
            backdate="0s",
            predicting=module.check_mode,
            contested=params["contested_names"],
            same_machine=params["same_machine"],
        ),
        answers=batch.answers(params["answers"]),
    )
    outcome = batch.issue(work, now)
    return {
        "changed": bool(outcome.accepted or (module.check_mode and outcome.pending)),
        "certificates": batch.certificates(outcome, work.sources, now, predicting=module.check_mode),
        "rejected": batch.rejected(outcome),
        "pending": [] if module.check_mode else batch.pending(outcome),
        "warnings": list(outcome.warnings),
        **({"diff": plan_diff(batch.plan(outcome))} if module._diff else {}),
        "invocation": {"module_args": {"requests": f"{len(params['requests'])} requests"}},
    }


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    run(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            "requests": {"type": "list", "elements": "dict", "required": True, "options": batch.REQUEST_OPTIONS},
            "issuers": {"type": "list", "elements": "dict", "required": True, "options": batch.ISSUER_OPTIONS},
            "answers": {"type": "dict", "default": {}},
            **NAME_RULE_OPTIONS,
        },
    )


if __name__ == "__main__":
    main()
