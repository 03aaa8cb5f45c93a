#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_info
short_description: Check a Docker endpoint as its clients and attackers see it
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Connects to a Docker endpoint and reports which clients it admits, which certificate it serves and which client authorities it names.
  - A client is admitted when it gets an HTTP response, and refused when it gets none. Error texts are not checked, because under
    TLS 1.3 they are a matter of chance.
  - Needs nothing but Python, changes nothing, and runs wherever the endpoint can be reached from.
  - The module fails only for wrong options. Check RV(passed).
options:
  host: {description: Name or address of the endpoint. Its certificate must carry it., type: str, required: true}
  port: {description: Port of the endpoint., type: int, default: 2376}
  address: {description: "Where to connect to, if that is not O(host).", type: str, default: ""}
  ca_content: {description: The server authority's certificates (PEM) that the good client trusts., type: str, default: ""}
  certificate_content:
    description: Certificate (PEM) of a client that must be admitted. Without it, no admitted client is tried.
    type: str
    default: ""
  key_content: {description: "Key (PEM, without passphrase) of that client. It stays in memory.", type: str, default: ""}
  client_ca_content:
    description: The client authorities (PEM) that the endpoint must name, exactly. Empty, it must name some.
    type: str
    default: ""
  expected_certificate_fingerprint: {description: SHA-256 (hex) of the certificate that must be served., type: str, default: ""}
  expected_engine_version: {description: The engine's version that the good client must see., type: str, default: ""}
  refused_clients:
    description: Further clients that must not be admitted, for example one that has expired, or a server's certificate.
    type: list
    elements: dict
    default: []
    suboptions: &client
      name: {description: Word for the check in the result., type: str, required: true}
      certificate_content: {description: Its certificate (PEM)., type: str, required: true}
      key_content: {description: "Its key (PEM, without passphrase).", type: str, required: true}
  admitted_clients:
    description: Further clients that must be admitted, for example those of an older generation of their authority during a rotation.
    type: list
    elements: dict
    default: []
    suboptions: *client
  limited_clients:
    description: Further clients that are admitted with limited rights (O(portcullis.docker_tls.endpoint#module:group_rights)) and must not get more.
    type: list
    elements: dict
    default: []
    suboptions: *client
  upgraded_connection:
    description: Whether the client of O(certificate_content) must get a connection that dockerd takes over, as BuildKit needs it.
    type: bool
    default: false
  foreign_client:
    description: Whether a client of an unknown authority is tried, which is made for this call. Needs C(cryptography).
    type: bool
    default: true
  closed_ports:
    description: Ports of the same address at which Docker's API may not answer without TLS.
    type: list
    elements: int
    default: [2375]
  timeout: {description: Seconds for each connection., type: int, default: 10}
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
seealso:
  - module: portcullis.docker_tls.endpoint
  - module: portcullis.docker_tls.temporary_client
"""

EXAMPLES = r"""
- name: Try the endpoint from the controller
  portcullis.docker_tls.endpoint_info:
    host: "{{ inventory_hostname }}"
    address: "{{ ansible_host | default(inventory_hostname) }}"
    ca_content: "{{ bundle.ca_content }}"
    certificate_content: "{{ bundle.certificate_content }}"
    key_content: "{{ bundle.key_content }}"
    client_ca_content: "{{ ansible_facts.docker_ca_authorities.clients.trusted_content }}"
  delegate_to: localhost
  register: probe
  failed_when: not probe.passed
"""

RETURN = r"""
passed: {description: Whether every check was passed., type: bool, returned: success}
checks:
  description: The checks in their order.
  type: list
  elements: dict
  returned: success
  contains:
    check: {description: Stable name of the check., type: str, sample: no-certificate}
    passed: {description: Whether it was as it must be., type: bool}
    detail: {description: The observed result., type: str, sample: no HTTP response (the connection was closed without an answer)}
endpoint: {description: Where was connected to., type: str, returned: success, sample: 10.0.0.5:2376}
engine_version: {description: The engine's version that the good client saw., type: str, returned: success}
certificate_fingerprint: {description: SHA-256 (hex) of the certificate that is served., type: str, returned: success}
client_authorities:
  description: The names of the client authorities that the endpoint names.
  type: list
  elements: str
  returned: success
  sample: ["CN=Docker CA,OU=clients-g1"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._endpoint.probe import Client, Target
from ..module_utils._endpoint.verify_remote import ProbeClient, Verification, verify
from ..module_utils._module import run_module
from ..module_utils._time import utc_now

_CLIENT = {
    "name": {"type": "str", "required": True},
    "certificate_content": {"type": "str", "required": True},
    "key_content": {"type": "str", "required": True, "no_log": True},
}
_SPECIFICATION: dict[str, t.Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 2376},
    "address": {"type": "str", "default": ""},
    "ca_content": {"type": "str", "default": ""},
    "certificate_content": {"type": "str", "default": ""},
    "key_content": {"type": "str", "default": "", "no_log": True},
    "client_ca_content": {"type": "str", "default": ""},
    "expected_certificate_fingerprint": {"type": "str", "default": ""},
    "expected_engine_version": {"type": "str", "default": ""},
    "refused_clients": {"type": "list", "elements": "dict", "default": [], "options": _CLIENT},
    "admitted_clients": {"type": "list", "elements": "dict", "default": [], "options": _CLIENT},
    "limited_clients": {"type": "list", "elements": "dict", "default": [], "options": _CLIENT},
    "upgraded_connection": {"type": "bool", "default": False},
    "foreign_client": {"type": "bool", "default": True},
    "closed_ports": {"type": "list", "elements": "int", "default": [2375]},
    "timeout": {"type": "int", "default": 10},
}


def probe_endpoint(module: AnsibleModule) -> dict[str, t.Any]:
    """Do the module's one call."""
    given = module.params
    target = Target(given["address"] or given["host"], given["port"], given["host"], float(given["timeout"]))
    refused, admitted, limited = (
        tuple(ProbeClient(one["name"], Client(one["certificate_content"], one["key_content"])) for one in given[option])
        for option in ("refused_clients", "admitted_clients", "limited_clients")
    )
    wanted = Verification(
        target=target,
        client=Client(given["certificate_content"], given["key_content"]),
        ca=given["ca_content"],
        client_ca=given["client_ca_content"],
        fingerprint=given["expected_certificate_fingerprint"],
        engine_version=given["expected_engine_version"],
        refused=refused,
        admitted=admitted,
        limited=limited,
        upgraded=given["upgraded_connection"],
        foreign_client=given["foreign_client"],
        closed_ports=tuple(given["closed_ports"]),
    )
    return {"changed": False, **verify(wanted, utc_now())}


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    run(probe_endpoint, needs_cryptography=False, argument_spec=_SPECIFICATION)


if __name__ == "__main__":
    main()
