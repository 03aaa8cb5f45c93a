#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: client_session
short_description: Give a play a client certificate for minutes or hours, and remove it afterwards
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Makes a key on the controller, has the CA host sign a client certificate for it, as M(portcullis.docker_tls.temporary_client) does, and puts both
    with C(ca.pem) into a directory of the controller that only its user can read, in memory where the system has a tmpfs.
  - The paths are what community.docker's modules, the docker CLI and the SDKs take.
  - With O(state=absent) the directory is removed. When ansible-playbook ends before that, whether it failed or was killed, a watcher removes it within
    a second; so it does when the certificate ends.
  - Where C(docker_client_cert_issuers) names OpenBao for the group, that signs; an issuer that makes no certificate within a run is refused.
  - The certificate is in the ledger like any other.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  check_mode:
    support: full
    details: Nothing is made; the paths are empty. A play that is to reach Docker in check mode too sets C(check_mode=false) on this task.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Every call makes another key and certificate.
options:
  path: {description: The CA directory. Required with O(state=present)., type: path, required: false}
  passphrase:
    description: Passphrase of the authorities. Needed with O(state=present) where the CA of this collection signs for O(group).
    type: str
    default: ""
    required: false
  state: {description: Whether the session begins or ends., type: str, choices: [present, absent], default: present}
  name:
    description:
      - Name of the client, which is the common name of the certificate and in the ledger; Docker's authorization plugins see it as the user.
      - Required with O(state=present).
    type: str
  group: {description: Access group whose client authority signs., type: str, default: clients}
  validity: {description: "How long the certificate is valid, from V(1m) to V(24h).", type: str, default: 1h}
  requester: {description: "Who asks, for the ledger. By default the inventory host of the task.", type: str, default: ""}
  docker_host:
    description: Endpoint for RV(module_defaults) and RV(environment), as V(tcp://docker1.example.org:2376). Leave it out where each host has its own.
    type: str
    default: ""
  location:
    description:
      - Directory that the session's own is made in. By default C(XDG_RUNTIME_DIR), else C(/dev/shm), else the directory for temporary files.
      - One that every user can write (or below one) is refused unless it is sticky as C(/tmp) is; others could put their files in the session's place.
    type: path
  session: {description: "The directory to remove, RV(session) of the task that began it. Empty does nothing.", type: path}
notes:
  - The files are on the controller, so tasks that use them run there (C(delegate_to=localhost) or C(connection=local)).
  - Runs partly on the controller, whose Python needs C(cryptography) too; the rest runs where the task is sent (C(delegate_to) the CA host).
seealso:
  - module: portcullis.docker_tls.temporary_client
"""

EXAMPLES = r"""
- name: A client for this play
  portcullis.docker_tls.client_session:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    name: deploy
    validity: 30m
  delegate_to: olympus
  run_once: true
  register: client

- name: What runs on each host?
  community.docker.docker_host_info:
    docker_host: "{{ inventory_hostname | portcullis.docker_tls.endpoint_url(hostvars) }}"
    ca_path: "{{ client.ca_path }}"
    client_cert: "{{ client.client_cert }}"
    client_key: "{{ client.client_key }}"
    validate_certs: true
    containers: true
  delegate_to: localhost

- name: Forget it
  portcullis.docker_tls.client_session:
    state: absent
    session: "{{ client.session }}"
  run_once: true
"""

RETURN = r"""
session:
  description: Directory of the session, which is what C(DOCKER_CERT_PATH) takes; empty in check mode and where it was removed.
  returned: success
  type: str
  sample: /run/user/1000/docker-tls-session-k2j4x0
ca_path: {description: Path of C(ca.pem)., returned: with O(state=present), type: str}
client_cert: {description: Path of C(cert.pem)., returned: with O(state=present), type: str}
client_key: {description: Path of C(key.pem)., returned: with O(state=present), type: str}
module_defaults:
  description: The same as options of community.docker's modules, for C(module_defaults) of its action group.
  returned: with O(state=present)
  type: dict
environment:
  description: The same as variables of the docker CLI and the SDKs, for C(environment) of a task.
  returned: with O(state=present)
  type: dict
certificate: {description: The certificate as plain values; null in check mode., returned: with O(state=present), type: dict}
reasons:
  description: Why something changed, V(session-ended) or the reasons of M(portcullis.docker_tls.signed_certificates).
  returned: success
  type: list
  elements: str
"""
