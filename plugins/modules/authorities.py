#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: authorities
short_description: Make and verify the certificate authorities of a CA directory
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Makes the server authority, which signs the certificates of Docker's API, and one client authority for each access group.
  - A second run verifies them. The modes of the directory are repaired; each key must open with the passphrase and belong to its
    certificate; each certificate must be a CA of the right purpose that is valid now; the ledger's chain must be whole.
  - An authority that is there is never replaced. Options that differ from it are reported as a warning, because such a change means a new CA.
  - Keys are PKCS#8, encrypted with AES-256 and 600,000 rounds of PBKDF2; C(openssl) and C(cryptography) open them.
  - A run that was killed at any point is completed or rolled back by the next one.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._ca.clients
  - portcullis.docker_tls._cryptography
  - portcullis.docker_tls._ca.issuers
attributes:
  diff_mode:
    support: full
options:
  server:
    description: The server authority, whose certificate is the C(ca.pem) of the clients.
    type: dict
    suboptions:
      common_name: {description: "Common name, at most 64 characters.", type: str, default: Docker CA}
      organization: {description: Organization; empty for none., type: str, default: ""}
      key_type:
        description: Type of the key.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096]
        default: ecdsa-p256
      validity:
        description: How long the authority is valid, for example V(1825d). Nothing that it signs can be valid longer.
        type: str
        default: 1825d
  client:
    description: The client authorities, one for each of O(access_groups); they differ in their organizational unit.
    type: dict
    suboptions:
      common_name: {description: "Common name, at most 64 characters.", type: str, default: Docker client CA}
      organization: {description: Organization; empty for none., type: str, default: ""}
      key_type:
        description: Type of the key.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096]
        default: ecdsa-p256
      validity:
        description: How long the authority is valid, for example V(1825d). Nothing that it signs can be valid longer.
        type: str
        default: 1825d
  access_groups:
    description:
      - Names of the access groups, each with a client authority of its own. V(server) is taken.
      - A group that is no longer listed keeps its authority; that is reported as a warning.
    type: list
    elements: str
    default: [clients]
  unlisted_certificates:
    description:
      - What becomes of valid client certificates that O(clients) does not list, see RV(unlisted).
      - V(report) names them. V(revoke) treats them like those of revoked clients; ones that were adopted, or recorded after a restore, are named only.
    type: str
    choices: [report, revoke]
    default: report
  revocation_deferred:
    description:
      - Do not begin a revocation; name it in RV(revocations_deferred) and warn of it. For a run that leaves hosts or client machines out
        (C(--limit)), which could not finish it.
    type: bool
    default: false
  restart_ledger:
    description:
      - Accept a ledger that was changed, or that does not fit the authorities, and begin a new one. The old one stays beside it.
      - The new one takes over the valid client certificates and the revocations of the old one, as far as its lines can be read.
      - To be set for one run, after finding out what happened. A ledger that is sound is never restarted.
    type: bool
    default: false
seealso:
  - module: portcullis.docker_tls.authority_info
  - module: portcullis.docker_tls.signed_certificates
"""

EXAMPLES = r"""
- name: One server authority and one access group
  portcullis.docker_tls.authorities:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"

- name: RSA for old clients, and two groups of clients that can be admitted host by host
  portcullis.docker_tls.authorities:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    server:
      common_name: Docker CA
      organization: Olympus
      key_type: rsa-4096
      validity: 1825d
    access_groups: [operators, ci]
"""

RETURN = r"""
plan:
  description: One line for each new authority, and for other changes of the CA directory.
  returned: success
  type: list
  elements: str
  sample: ["new authority server-g1, CN Docker CA, ecdsa-p256, until 2031-11-21 (authority-missing)"]
reasons:
  description:
    - Why something changed. V(authority-missing), an authority was made; V(authority-unfinished), one was finished that a killed run had begun;
      V(modes-repaired), others had access; V(ledger-repaired), a torn last line was removed; V(ledger-restarted), see O(restart_ledger);
      V(client-revoked), certificates of a revoked client were put into the revocation list of their authority, and where that is not enough a new
      generation signs; V(revocation-list-signed), the list of an authority was missing or could not be used.
  returned: success
  type: list
  elements: str
  sample: [authority-missing]
authorities:
  description: >-
    Every authority by name, as M(portcullis.docker_tls.authority_info) returns them. In check mode those that would be made have empty contents.
  returned: success
  type: dict
revocations:
  description:
    - Pending revocations of clients. C(playbooks/site.yml) completes them, that is new certificates for the members, then
      M(portcullis.docker_tls.authority_generation) with O(portcullis.docker_tls.authority_generation#module:state=retired), then the C(hosts), which
      each entry names where the task knows the inventory.
  returned: success
  type: list
  elements: dict
  contains:
    authority: {description: The access group., type: str}
    clients: {description: The clients whose valid certificates of it are revoked., type: list, elements: str, sample: [bob]}
    issuing: {description: Id of the generation that signs now; empty in check mode when it would be made., type: str}
    generations: {description: Ids of the generations that signed them., type: list, elements: str, sample: [clients-g1]}
    members: {description: Whether others of the group stay., type: bool}
    hosts:
      description: The Docker hosts of the inventory that admit the group.
      returned: in a play
      type: list
      elements: str
      sample: [web1]
    proxies:
      description: Those of them that check revocation lists. They refuse the revoked certificates before the generation is retired.
      returned: in a play
      type: list
      elements: str
      sample: []
revocations_deferred:
  description: Revocations that were not begun because of O(revocation_deferred), as RV(revocations).
  returned: success
  type: list
  elements: dict
revoked_certificates:
  description: Certificates that this call has put (would put) into revocation lists, because their clients are revoked.
  returned: success
  type: list
  elements: dict
  contains:
    serial: {description: Serial number of the certificate., type: str}
    authority: {description: Id of the authority that has signed it., type: str, sample: clients-g1}
    client: {description: Name of the client., type: str, sample: bob}
    group: {description: The access group that the authority is of., type: str, sample: clients}
    hosts:
      description: The Docker hosts of the inventory that admit the group.
      returned: in a play
      type: list
      elements: str
      sample: [web1]
revoked_unknown:
  description: Clients that are revoked and of whom the ledger has no certificate; probably misspelt.
  returned: success
  type: list
  elements: str
unlisted:
  description: Valid client certificates that O(clients) does not list, as RV(portcullis.docker_tls.authority_info#module:unlisted).
  returned: success
  type: list
  elements: dict
revoked: {description: "As RV(portcullis.docker_tls.authority_info#module:revoked).", returned: success, type: list, elements: dict}
ansible_facts:
  description: The same as a fact.
  returned: success
  type: dict
  contains:
    docker_ca_authorities: {description: The same as RV(authorities)., type: dict}
    docker_ca_ledger:
      description: >-
        End of the ledger: C(seq), C(digest), C(time) of its last entry, and whether it was C(restored) from a backup and still lacks the certificates
        issued since. The roles compare it with the certificates of the hosts.
      type: dict
"""

import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import (
    CA_OPTIONS,
    CLIENTS_OPTION,
    CRYPTOGRAPHY_OPTION,
    REVOCATION_LIST_GROUPS_OPTION,
)
from ..module_utils._ca import (
    access,
    call_context,
    create,
    layout,
    ledger,
    report,
    revocation,
    store,
)
from ..module_utils._ca.call_context import CallContext
from ..module_utils._ca.passphrase import check_passphrase, needed_passphrase
from ..module_utils._issuers import anchors
from ..module_utils._module import plan_diff, run_module
from ..module_utils._pki.keys import KEY_TYPES

if t.TYPE_CHECKING:
    from datetime import datetime


def _authority_options(common_name: str) -> dict[str, t.Any]:
    """Return the options of one kind of authority."""
    return {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "common_name": {"type": "str", "default": common_name},
            "organization": {"type": "str", "default": ""},
            "key_type": {"type": "str", "choices": list(KEY_TYPES), "default": "ecdsa-p256"},
            "validity": {"type": "str", "default": "1825d"},
        },
    }


def _specs(params: dict[str, t.Any]) -> list[create.AuthoritySpec]:
    """Return the wanted authorities, the server's first."""
    groups = layout.check_group_names(params["access_groups"])
    return [_spec(params, store.SERVER, "server"), *(_spec(params, group, "client") for group in groups)]


def _spec(params: dict[str, t.Any], name: str, option: str) -> create.AuthoritySpec:
    """Return one wanted authority; ``option`` is ``server`` or ``client``."""
    validity = _time.parse_duration(params[option]["validity"], f"{option}.validity")
    return create.AuthoritySpec(name=name, **{**params[option], "validity": validity})


def _has_authorities(place: layout.CaDirectory) -> bool:
    """Return whether there are authorities, or were: a directory with certificates of other issuers alone has a ledger and no key."""
    return bool(store.read_authorities(place) or ledger.scan(place).authorities)


def _revoke(
    module: AnsibleModule, place: layout.CaDirectory, passphrase: bytes, context: CallContext
) -> revocation.Outcome:
    """Begin the due revocations, and compare the ledger with the other clients; without clients it is not read."""
    params, deferred = module.params, module.params["revocation_deferred"]
    if params["clients"] is None:
        return revocation.Outcome({}, ())
    request = revocation.RevocationRequest(
        tuple(access.clients_of(params["clients"])),
        params["unlisted_certificates"] == "revoke",
        frozenset(params["revocation_list_groups"]) - {one["authority"] for one in params["issuers"]},
    )
    template = _spec(params, "clients", "client")
    predict = module.check_mode
    found = revocation.begin(place, request, template, passphrase, context, predict=predict, deferred=deferred)
    for warning in report.access_warnings(found, deferred=deferred):
        module.warn(warning)
    return found


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    issuers = [anchors.Issuer(**options) for options in params["issuers"]]
    external = anchors.external_names(issuers)
    only_external = anchors.with_issuers({}, [one for one in issuers if one.authority in external], now)
    specs = [spec for spec in _specs(params) if spec.name not in external]
    place = layout.ca_directory(params["path"])
    if not specs and not _has_authorities(place):
        return report.without_ca(only_external, report.ledger_end(place))
    is_without = module.check_mode and not params["passphrase"]  # enough to report that nothing is due
    passphrase = b"" if is_without else check_passphrase(params["passphrase"], of_ca=params["path"])
    context = call_context.call_context(params, now)
    outcome = create.ensure(place, specs, passphrase, context, predict=module.check_mode)
    for warning in report.bootstrap_warnings(outcome, issuers):
        module.warn(warning)
    authorities = report.authorities(outcome, now)
    revoked = _revoke(module, place, passphrase, context)
    deferred = revoked.revocations if params["revocation_deferred"] else ()
    begun = () if deferred else revoked.revocations
    if begun or revoked.listed:
        authorities = report.with_revocations(authorities, replace(revoked, revocations=begun), now)
    authorities = anchors.with_issuers(authorities, issuers, now)
    reasons = [*outcome.reasons, *revoked.reasons]
    if reasons and is_without:
        raise needed_passphrase(reasons)
    ledger_end = report.ledger_end(place, None if reasons else outcome.ledger)
    plan = [*report.authority_lines(outcome, now), *report.revocations(begun), *report.listed(revoked)]
    return {
        "changed": bool(reasons),
        "reasons": reasons,
        "authorities": authorities,
        "revocations": [one.to_dict() for one in begun],
        "revocations_deferred": [one.to_dict() for one in deferred],
        "revoked_certificates": [one.to_dict() for one in revoked.listed],
        "revoked_unknown": list(revoked.unknown),
        "unlisted": [one.to_dict() for one in revoked.access.unlisted],
        "revoked": [one.to_dict() for one in revoked.access.revoked],
        "ansible_facts": {"docker_ca_authorities": authorities, "docker_ca_ledger": ledger_end},
        "plan": plan,
        "diff": plan_diff(plan),
    }


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    run(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            **CA_OPTIONS,
            "server": _authority_options("Docker CA"),
            "client": _authority_options("Docker client CA"),
            "access_groups": {"type": "list", "elements": "str", "default": ["clients"]},
            "clients": CLIENTS_OPTION,
            "issuers": {"type": "list", "elements": "dict", "default": [], "options": anchors.ANCHOR_OPTIONS},
            "unlisted_certificates": {"type": "str", "choices": ["report", "revoke"], "default": "report"},
            "revocation_list_groups": REVOCATION_LIST_GROUPS_OPTION,
            "revocation_deferred": {"type": "bool", "default": False},
            "restart_ledger": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
