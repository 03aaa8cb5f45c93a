#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_info
short_description: Query the CA's ledger of issued certificates
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Checks the hash chain of the ledger of a CA directory and returns the entries that match, the newest first.
  - Needs no passphrase, changes nothing and takes no lock. The task has to run as the user that owns the CA directory.
  - A ledger that is torn or was tampered with does not make the task fail, see RV(ledger.state); the entries before the broken line are
    still returned, with a warning.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
options:
  path: {description: Directory of the CA., type: path, required: true}
  requester:
    description: Only certificates that were issued for this inventory host. The controller is V(localhost).
    type: str
    default: ""
  name: {description: "Only certificates with this name, common name or address, in full.", type: str, default: ""}
  authority:
    description: Only certificates that this authority signed, by name (V(clients), all its generations) or id (V(clients-g1)).
    type: str
    default: ""
  profile: {description: Only certificates of this kind., type: str, choices: [server, client]}
  serial: {description: Only the certificate with this serial number in hexadecimal; colons are ignored., type: str, default: ""}
  expiring_within:
    description:
      - Only certificates that are valid now and end within this time, for example V(30d).
      - Certificates that were renewed or revoked since (RV(entries[].superseded)) are left out.
    type: str
    default: ""
  valid: {description: "Only certificates that have not expired, renewed or not.", type: bool, default: false}
  expected_head:
    description:
      - A head that this ledger had once, as RV(ledger.head) and the summary of C(site.yml) have it (V(LINES:DIGEST)).
      - A ledger that does not continue it is V(tampered), no matter who wrote its chain. Root on the CA host can write a new chain, so keep the head elsewhere.
    type: str
    default: ""
  limit: {description: "Return at most this many entries, the newest. V(0) returns all.", type: int, default: 100}
  fields: {description: Return only these fields of each entry. All when empty., type: list, elements: str, default: []}
seealso:
  - module: portcullis.docker_tls.signed_certificates
  - module: portcullis.docker_tls.authority_info
"""

EXAMPLES = r"""
- name: What ends within a month and was not renewed
  portcullis.docker_tls.ledger_info:
    path: /etc/docker/ca
    expiring_within: 30d
    limit: 0
  delegate_to: olympus
  become: true
  register: ending

- name: Why did docker1 get its certificates
  portcullis.docker_tls.ledger_info:
    path: /etc/docker/ca
    requester: docker1.example.org
    fields: [time, reasons, not_after]
  delegate_to: olympus
  become: true

- name: Fail if the ledger was changed
  portcullis.docker_tls.ledger_info:
    path: /etc/docker/ca
    limit: 1
  delegate_to: olympus
  become: true
  register: last
  failed_when: last.ledger.state == 'tampered'
"""

RETURN = r"""
ledger:
  description: The ledger as a whole.
  returned: success
  type: dict
  contains:
    path: {description: The file., type: str, sample: /etc/docker/ca/ledger.jsonl}
    state:
      description: >-
        V(intact); V(torn), where the last line is incomplete (the next run that issues anything repairs that); V(tampered), where a line was
        changed, removed or put in; V(missing).
      type: str
      sample: intact
    problem: {description: "The problem, empty when it is intact.", type: str}
    line:
      description: >-
        The line where it was noticed, null where nothing is wrong. A line that was changed is noticed at the next one, which does not follow from it
        any more.
      type: int
    lines: {description: Number of whole lines of an intact or torn ledger., type: int, sample: 12}
    digest: {description: "SHA-256 of the last line. Kept elsewhere, it shows later whether a line before it was changed.", type: str}
    head: {description: "Lines and digest as O(expected_head) takes them, V(LINES:DIGEST).", type: str}
    begins: {description: "Time of the first entry, null where there is none.", type: str, sample: "2026-11-22T13:00:00Z"}
count: {description: "How many entries match, also those beyond O(limit).", returned: success, type: int, sample: 3}
entries:
  description: The entries that match, the newest first. Each has those of these fields that its event has, limited to O(fields).
  returned: success
  type: list
  elements: dict
  contains:
    seq: {description: Number of the line., returned: where the event has it, type: int, sample: 7}
    time: {description: When it was written., returned: where the event has it, type: str, sample: "2026-11-22T13:00:00Z"}
    event:
      description: What happened, V(issued), V(external-issued) for a certificate of another issuer, V(revoked-serial-signed) for a temporary one
        with the serial number of a revoked one, or one of the events of an authority.
      type: str
      sample: issued
    authority: {description: Id of the authority., returned: where the event has it, type: str, sample: server-g1}
    profile: {description: V(server) or V(client)., returned: where the event has it, type: str, sample: server}
    host: {description: Name of the machine on which the entry was written., returned: where the event has it, type: str, sample: ca1}
    requester:
      description: Inventory host that it was issued for.
      returned: where the event has it
      type: str
      sample: docker1.example.org
    reasons: {description: Why it was issued., returned: where the event has it, type: list, elements: str, sample: [expires-soon]}
    subject: {description: Subject of the certificate., returned: where the event has it, type: str, sample: CN=docker1.example.org}
    names: {description: Its names., returned: where the event has it, type: list, elements: str}
    serial: {description: Its serial number in hexadecimal., returned: where the event has it, type: str}
    not_before: {description: Its begin., returned: where the event has it, type: str, sample: "2026-11-22T12:55:00Z"}
    not_after: {description: Its end., returned: where the event has it, type: str, sample: "2027-11-22T13:00:00Z"}
    fingerprint_sha256: {description: SHA-256 of the certificate., returned: where the event has it, type: str}
    days_left:
      description: Days until its end, negative after it, null where the event has no certificate.
      returned: where the event has it
      type: float
      sample: 364.99
    superseded:
      description: Whether the same request was answered with a newer certificate later, or a revocation list has this one.
      returned: where the event has it
      type: bool
      sample: false
    public_key_fingerprint: {description: SHA-256 of its public key., returned: where the event has it, type: str}
    request: {description: Id of the request that it answered., returned: where the event has it, type: str, sample: web1/server}
    client: {description: The client that is revoked., returned: where the event has it, type: str, sample: bob}
    hosts:
      description: The hosts that were verified to refuse that client.
      returned: where the event has it
      type: list
      elements: str
      sample: [web1]
    user: {description: Who ran it., returned: where the event has it, type: str}
    issuer:
      description: The kind of the issuer, of a certificate that no authority of this CA has signed.
      returned: where the event has it
      type: str
      sample: openbao
    issuer_subject:
      description: Name of the CA that has signed it.
      returned: where the event has it
      type: str
      sample: CN=Example issuing CA 1
    prev: {description: SHA-256 of the line before., returned: where the event has it, type: str}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._ca import call_context, ledger_query
from ..module_utils._ca.layout import ca_directory
from ..module_utils._module import run_module

ARGUMENT_SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "requester": {"type": "str", "default": ""},
    "name": {"type": "str", "default": ""},
    "authority": {"type": "str", "default": ""},
    "profile": {"type": "str", "choices": ["server", "client"]},
    "serial": {"type": "str", "default": ""},
    "expiring_within": {"type": "str", "default": ""},
    "valid": {"type": "bool", "default": False},
    "expected_head": {"type": "str", "default": ""},
    "limit": {"type": "int", "default": 100},
    "fields": {"type": "list", "elements": "str", "default": []},
}


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    within = options["expiring_within"]
    query = ledger_query.Query(
        requester=options["requester"],
        name=options["name"],
        authority=options["authority"],
        profile=options["profile"] or "",
        serial=options["serial"],
        expiring_within=_time.parse_duration(within, "expiring_within") if within else None,
        valid=options["valid"],
        limit=max(options["limit"], 0),
        fields=tuple(options["fields"]),
    )
    place = ca_directory(options["path"])
    noted = options["expected_head"]
    verdict = ledger_query.verify(place, call_context.Head.parse(noted, "expected_head") if noted else None)
    if verdict["problem"] and verdict["state"] != "missing":
        module.warn(verdict["problem"])
    found = ledger_query.find(lambda: ledger_query.read(place), query, _time.utc_now())
    return {
        "changed": False,
        "ledger": {**verdict, "begins": found["begins"]},
        "count": found["count"],
        "entries": found["entries"],
    }


def main() -> None:
    """Run the module."""
    run_module(_run, needs_cryptography=False, argument_spec=ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
