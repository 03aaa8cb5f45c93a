#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint
short_description: Put Docker's API on a host behind mutual TLS, verified or rolled back
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Makes dockerd on this host listen on TCP for clients with a certificate, and for no one else.
  - Certificates, client authorities, C(daemon.json) and the systemd drop-in are one change. It is checked before anything is
    touched, replaced together, followed by one restart of dockerd, and verified. If anything fails, the exact former files are restored and
    the former dockerd answers on its local socket, and the module fails with dockerd's last log lines.
  - If the module is killed, a guard process on the host rolls the change back; after a reboot the next run does.
  - In C(daemon.json) only the keys of the endpoint are changed; every other byte stays.
  - A run that has nothing to change costs one C(systemctl show) and a few requests to the engine, and restarts nothing.
options:
  state:
    description:
      - V(present) sets the endpoint up, or changes it.
      - V(absent) gives Docker the C(daemon.json) and the units that it had before. Where another tool had files in O(directory), these come
        back as they were, and ours go; else our certificates stay. A key that waits for its certificate is removed.
      - V(absent) needs no Python library on the host.
      - V(rolled_back) goes back to the last good state, once.
      - V(confirmed) reports that the controller has verified the endpoint. It commits a change that was made with O(confirm_timeout), and
        fails where that was rolled back meanwhile.
    type: str
    choices: [present, absent, rolled_back, confirmed]
    default: present
  listen:
    description:
      - Where dockerd listens for TLS clients, each as C(ADDRESS:PORT) (IPv6 as C([ADDRESS]:PORT)), also with C(tcp://).
      - V(private) stands for every private address of the host, Docker's own bridges left out, at O(port).
      - V(0.0.0.0:2376) means IPv6 too, and is refused on a host that has a public address unless O(allow_public_address).
      - Empty keeps the addresses of an endpoint of others that is taken over (O(existing_settings)), also in later runs; where there was none,
        it means all addresses at O(port).
    type: list
    elements: str
    default: []
  port:
    description:
      - The port for V(private) in O(listen), and for all addresses where O(listen) is empty.
      - Where O(listen) is empty, an endpoint that is taken over must listen on it (code C(listen-undecided)).
    type: int
    default: 2376
  directory:
    description:
      - Where the certificates are on this host. The files are C(ca.pem), C(client-ca.pem), C(server-cert.pem), C(server-key.pem).
      - The key is made on the host (M(portcullis.docker_tls.certificate_requests)) and is never an option.
    type: path
    default: /etc/docker/certs
  certificate_content: {description: The server's certificate (PEM). Empty keeps the one that is there., type: str, default: ""}
  certificate_pending:
    description:
      - Only in check mode, where no certificate can be made yet. V(true) means that a new one would be installed, so that the restart it
        needs is reported.
    type: bool
    default: false
  rejected:
    description:
      - Why the request for the certificate was refused, as RV(portcullis.docker_tls.signed_certificates#module:rejected) has it.
      - If there is anything in it, the task fails for this host with that reason, and nothing is changed.
    type: dict
    default: {}
  ca_content: {description: "The server authority's certificates (PEM), for clients. Empty keeps the present ones.", type: str, default: ""}
  client_ca_content:
    description: The client authorities of the admitted access groups (PEM), and no other certificates. Empty keeps the current ones.
    type: str
    default: ""
  config_path:
    description: The C(daemon.json) to change. By default the one that the unit names, or C(/etc/docker/daemon.json).
    type: path
  service:
    description:
      - The unit that runs dockerd. Each Docker service of a host can have an endpoint of its own, with its own O(directory), O(config_path) and port; a
        unit C(second.service) then has C(second-tls-proxy.service), C(/etc/second-tls-proxy) and C(/var/lib/second-tls).
    type: str
    default: docker.service
  existing_settings:
    description:
      - What to do with C(hosts) and C(tls*) settings that someone else has made, in C(daemon.json) or as flags of the unit,
        and with TCP listeners that someone has given C(docker.socket) (C(ListenStream=)).
      - V(fail) names them and changes nothing. V(adopt) replaces them; O(state=absent) brings them back. Misspelt keys, with which dockerd does not
        start, stay away.
      - V(adopt) refuses to shut out clients of a CA that O(client_ca_content) does not hold (code C(clients-would-be-shut-out)). V(replace) shuts them out.
    type: str
    choices: [fail, adopt, replace]
    default: fail
  allow_public_address:
    description: Whether dockerd may listen on a public address. Anyone who gets a client's key can then be anywhere.
    type: bool
    default: false
  allow_port_2375:
    description: Whether the listener may use port 2375, which by custom means Docker without TLS.
    type: bool
    default: false
  allow_dual_trust:
    description:
      - Whether an authority that signs servers may also be one whose clients are admitted (one adopted authority for both).
        Every server's key is then as good as a client's on all hosts.
    type: bool
    default: false
  live_restore:
    description:
      - Whether running containers survive the restart of dockerd.
      - V(keep) leaves Docker's setting as it is and warns when a restart stops containers.
      - V(enable) switches live-restore on before the first restart, so that no container is stopped. It is not available in a swarm.
      - V(require) is V(enable), and refuses the change when it is not possible.
    type: str
    choices: [keep, enable, require]
    default: keep
  listener:
    description:
      - Who holds the TCP port.
      - V(dockerd) is dockerd itself, by C(hosts) in C(daemon.json), with a drop-in that takes C(-H) out of the unit's command.
      - V(systemd) is systemd, by a socket unit C(docker-tls.socket). No connection is refused during a restart, and addresses that are
        not there at boot do no harm.
      - Where another tool removes these settings from C(daemon.json), Docker starts with its local socket only. The drop-in checks
        that before each start; the journal of C(docker.service) names the file and the command that restores the endpoint.
      - V(proxy) is HAProxy (2.6 or later, the distribution's package), by a unit of our own C(docker-tls-proxy.service), in front of
        Docker's local socket. C(daemon.json) has no settings of an endpoint then, and C(dockerd) is restarted once where it has to give
        up its own port, and never for certificates.
    type: str
    choices: [dockerd, systemd, proxy]
    default: dockerd
  group_authorities:
    description:
      - Access groups and the PEM certificates of their authorities, together those of O(client_ca_content). For O(listener=proxy).
      - Empty means one group with the name V(clients).
      - A group with an empty text has an authority that is yet to be made (check mode); the plan names it for every listener.
    type: dict
    default: {}
  group_rights:
    description:
      - Rights of the groups in O(group_authorities); a group that is not named may do everything. For O(listener=proxy).
      - Any other right than V(full) is refused with another listener.
      - A value is V(full), the name of a preset, or a dictionary with C(preset) and C(rules).
    type: dict
    default: {}
  crl_content: {description: "Revocation lists (PEM), one of each client authority. For O(listener=proxy).", type: str, default: ""}
  kept_lists:
    description:
      - Access groups whose revocation lists could not be renewed, with RV(ignore:msg), RV(ignore:hint) and RV(ignore:code) of that failure. The host keeps
        the lists that it has of their authorities in O(group_authorities), even if they have ended. O(crl_content) has those of the other groups.
      - The task fails with that failure, and changes nothing, where the host has no list of one of these authorities.
    type: dict
    default: {}
  stream_timeout: {description: How many seconds connections that are open at a reload of the proxy may continue., type: int, default: 3600}
  allowed_sources:
    description: Networks and addresses that may connect; empty means all. For O(listener=systemd) and O(listener=proxy).
    type: list
    elements: str
    default: []
  haproxy_package:
    description:
      - Package that is installed with M(ansible.builtin.package) where O(listener=proxy) and HAProxy is missing. Its own service is then
        disabled.
      - Empty means never to install anything.
    type: str
    default: ""
  start_timeout: {description: How many seconds dockerd may take to start before the change is rolled back., type: int, default: 120}
  confirm_timeout:
    description:
      - If above zero, the change is rolled back by itself after so many seconds, also after a reboot, unless O(state=confirmed)
        comes first. For hosts that one cannot walk to.
    type: int
    default: 0
  lock_timeout: {description: How many seconds to wait for another run on the same host., type: int, default: 30}
  controller_time:
    description: The controller's clock (ISO 8601, with zone) at the start of the task. A host whose clock differs gets a warning.
    type: str
    default: ""
  verify:
    description:
      - Verify the endpoint on the host also when nothing is changed, with RV(verification) as its result. A check that fails then is not a failure of the task.
      - A change is always verified, and rolled back when the verification fails.
    type: bool
    default: false
  verification_follows:
    description:
      - Whether the controller verifies the endpoint after this task, and reports success by O(state=confirmed).
      - The host then remembers each change as not verified (RV(not_verified)), and names the reason V(not-verified) in every later run
        until that call comes.
    type: bool
    default: false
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: full
    details: Shows RV(plan), and the texts of C(daemon.json) and drop-ins before and after; never a key.
requirements:
  - systemd
  - Docker Engine 20.10 or later, as a system service
seealso:
  - module: portcullis.docker_tls.endpoint_info
notes:
  - The task must run as root on the host.
"""

EXAMPLES = r"""
- name: Docker's API for clients with a certificate, on the private addresses
  portcullis.docker_tls.endpoint:
    listen: [private]
    certificate_content: "{{ issued.certificates[inventory_hostname].certificate_content }}"
    ca_content: "{{ ansible_facts.docker_ca_authorities.server.trusted_content }}"
    client_ca_content: "{{ ansible_facts.docker_ca_authorities.clients.trusted_content }}"
    live_restore: enable

- name: Only look what would happen, and how many containers a restart would stop
  portcullis.docker_tls.endpoint:
    listen: ["10.0.0.5:2376"]
  check_mode: true
  register: plan

- name: Back to Docker without an endpoint
  portcullis.docker_tls.endpoint:
    state: absent
"""

RETURN = r"""
plan:
  description: >-
    The change in one line, empty where there is none. It includes the effect of a restart on the running containers. Where HAProxy is installed
    for O(listener=proxy), the line before it names the package.
  type: list
  elements: str
  returned: success
  sample: ["listen 0.0.0.0:2376, admits + clients-g1, ca.pem + server-g1, restart yes, 14 containers kept (endpoint-new)"]
restarted: {description: Whether dockerd was restarted., type: bool, returned: success}
restart_needed: {description: Whether the change needs a restart; in check mode too., type: bool, returned: success}
reasons:
  description: Why something was changed, as stable words.
  type: list
  elements: str
  returned: success
  sample: [certificate-changed]
containers_stopped: {description: "How many running containers the restart stopped, or would stop.", type: int, returned: success}
unconfirmed: {description: Whether a change waits for its confirmation., type: bool, returned: success}
not_verified:
  description: Whether a change waits for the verification from the controller (O(verification_follows)), one of this run or of an earlier run.
  type: bool
  returned: success
endpoint:
  description: The endpoint as it is now (in check mode, as it would be). With O(state=confirmed) only where a change waited for that.
  type: dict
  returned: success
  contains:
    state: {description: "V(present), or the state that was made instead.", type: str}
    listen: {description: Address and port of each listener., type: list, elements: str}
    addresses: {description: The addresses that clients can use., type: list, elements: str}
    config_path: {description: The daemon.json in use., type: str}
    directory: {description: Where the certificates are., type: str}
    certificate:
      description: The server's certificate (subject, names, not_after, fingerprint_sha256, and more), null where there is none.
      type: dict
    access: {description: Subjects of the client authorities whose clients are admitted., type: list, elements: str}
    engine_version: {description: The engine's version., type: str}
    containers_running: {description: How many containers run., type: int}
    live_restore: {description: Whether live-restore is on., type: bool}
    swarm: {description: Whether the engine is in a swarm., type: bool}
    starts_at_boot:
      description: Whether the boot opens the endpoint (C(docker.service), or C(docker.socket) that holds the port, is enabled).
      type: bool
    port_2375:
      description: Processes other than dockerd that listen on port 2375, with their addresses. Empty where that port is allowed.
      type: list
      elements: str
      sample: ["docker-proxy (1234) for the container proxy on 127.0.0.1"]
    revocation_lists:
      description: The revocation lists that the listener V(proxy) checks. Empty with other listeners, and where the proxy has none.
      type: list
      elements: dict
      contains:
        issuer: {description: Subject of the client authority., type: str, sample: "CN=Docker client CA,OU=clients-g1"}
        number: {description: Number of the list; a later one has a higher number., type: int, sample: 1796050000}
        revoked: {description: How many certificates it revokes., type: int, sample: 1}
verification:
  description: The checks after a restart or on request, each with RV(verification[].check), RV(verification[].passed) and RV(verification[].detail).
  type: list
  elements: dict
  returned: success
  contains:
    check: {description: Stable name of the check., type: str}
    passed: {description: Whether it was as it must be., type: bool}
    detail: {description: The observed result., type: str}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION, ENDPOINT_OPTIONS
from ..module_utils._endpoint.entry import ensure_endpoint
from ..module_utils._module import run_module


def change(module: AnsibleModule) -> dict[str, t.Any]:
    """Do the module's one call."""
    return ensure_endpoint(module.params, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    run_module(
        change,
        needs_cryptography=False,
        argument_spec={**CRYPTOGRAPHY_OPTION, **ENDPOINT_OPTIONS, "rejected": {"type": "dict", "default": {}}},
    )


if __name__ == "__main__":
    main()
