#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: Inspect in one call whether the roles have work on a Docker host
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Decides in one remote call what M(portcullis.docker_tls.certificate_requests) and M(portcullis.docker_tls.endpoint) would do with the arguments of
    the roles.
  - Changes nothing, unless O(prepare) is set; then a host with work makes its keys and requests at once.
  - Makes every check that M(portcullis.docker_tls.endpoint) makes before a change, so a refused host makes no key, and no certificate is signed for
    it.
  - If this is not certain, a host is not current; the roles then report the problem.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  diff_mode:
    support: partial
    details: With O(prepare), the certificates that are due. What else there is to do is shown by the roles.
options:
  roles:
    description: The roles that would run. Variables that the inventory does not set are taken from their defaults.
    type: list
    elements: str
    choices: [docker_server_cert, docker_daemon]
    default: [docker_server_cert, docker_daemon]
  requests:
    description: Instead of O(roles), the O(portcullis.docker_tls.certificate_requests#module:requests) to ask about.
    type: list
    elements: dict
  endpoint: {description: "Instead of O(roles), the options of M(portcullis.docker_tls.endpoint) to ask about.", type: dict}
  prepare:
    description:
      - Let a host where something is due make the key and the request that it needs in the same call, as
        M(portcullis.docker_tls.certificate_requests) does. The role docker_server_cert then does not ask the host again. Never in check mode.
    type: bool
    default: false
  refusal:
    description:
      - The result for a refused host. V(fail) fails its task. V(report) returns RV(refused), for a playbook in which the host fails later
        (O(refused)); Ansible counts every failed host against C(max_fail_percentage), also in plays that do not have that host.
    type: str
    choices: [fail, report]
    default: fail
  refused:
    description: RV(refused) of an earlier task. If it is not empty, the task fails with it, and the host is not asked.
    type: dict
notes:
  - On a host the look runs as one Python program that comes through a pipe, without a file. Where the connection or the become method allows no pipe,
    it is sent as a module like any other.
"""

EXAMPLES = r"""
- portcullis.docker_tls.host_state:
  become: true
  register: inspected
"""

RETURN = r"""
current: {description: Whether there is nothing to do., returned: success, type: bool, sample: true}
reasons:
  description:
    - Why the host is not current, as in RV(portcullis.docker_tls.certificate_requests#module:requests) and
      RV(portcullis.docker_tls.endpoint#module:reasons), the code of a failure, V(asked-for), V(unconfirmed),
      V(forced), V(client-revoked) (that the host rejects the client has to be verified), V(ledger-behind) (the CA's ledger may be older than the
      certificate, so the CA has to be asked) or V(undecided).
  returned: success
  type: list
  elements: str
requests:
  description: >-
    What RV(portcullis.docker_tls.certificate_requests#module:requests) would be. Of a host whose certificate is due with O(prepare), this is in
    RV(prepared).
  returned: when the host is not refused
  type: list
  elements: dict
endpoint:
  description: Of a host that is current, what RV(portcullis.docker_tls.endpoint#module:endpoint) would be.
  returned: when RV(current)
  type: dict
prepared:
  description:
    - RV(ignore:requests), RV(ignore:plan), RV(ignore:warnings) and RV(ignore:asked) as M(portcullis.docker_tls.certificate_requests) would
      have returned them. With a plan, the host has made a key and a request, and is changed.
  returned: with O(prepare), when something is due and the host is not refused
  type: dict
settings:
  description: The variables of the host that later plays read, as this task has them. They are the controller's own, whatever the host answers.
  returned: in a playbook, by the action plugin
  type: dict
refused:
  description: Why the change would be refused, with RV(ignore:msg), RV(ignore:hint) and RV(ignore:code) of that failure.
  returned: when the host is refused
  type: dict
incomplete:
  description:
    - What this run cannot do for a host that has other work, with RV(ignore:msg), RV(ignore:hint) and RV(ignore:code). C(site.yml) fails with it at its end.
  returned: in a playbook, when revocation lists of another issuer could not be renewed and the host keeps its own
  type: dict
msg:
  description: The open question, with V(undecided); why the host is refused, where the task fails.
  returned: when something is in doubt, and on failure
  type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._endpoint import host_state
from ..module_utils._module import run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    prepare = module.params["prepare"] and not module.check_mode
    asked = {"requests": module.params["requests"] or [], "endpoint": module.params["endpoint"], "prepare": prepare}
    return {"changed": False, **host_state.run(asked)}


def main() -> None:
    """Run the module."""
    roles = ["docker_server_cert", "docker_daemon"]
    run_module(
        _run,
        argument_spec={
            "roles": {"type": "list", "elements": "str", "choices": roles, "default": roles},
            # With all their defaults: the action plugin has seen to that.
            "requests": {"type": "list", "elements": "dict"},
            "endpoint": {"type": "dict"},
            "prepare": {"type": "bool", "default": False},
            # These two are the action plugin's.
            "refusal": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
            "refused": {"type": "dict"},
        },
    )


if __name__ == "__main__":
    main()
