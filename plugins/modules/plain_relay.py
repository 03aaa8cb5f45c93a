#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: plain_relay
short_description: Relay Docker's plain TCP port to the local socket for a transition
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Lets systemd hold the former plain TCP addresses of a secured dockerd and pass connections to Docker's local socket, so that clients can move one
    by one.
  - As open as the port was before. Anyone who reaches it is root on the host. O(state=absent) closes it.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
options:
  state:
    description: Whether the plain addresses are served. V(absent) closes them.
    type: str
    choices: [present, absent]
    default: present
  listen:
    description:
      - The listeners that dockerd had, such as V(tcp://0.0.0.0:2375). Without an address it is loopback, without a port 2375, as for dockerd.
      - Empty leaves a relay as it is.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Close the plain port, now that all clients have moved
  portcullis.docker_tls.plain_relay:
    state: absent
  become: true
"""

RETURN = r"""
listen:
  description: Where the relay listens (would listen); empty where there is none.
  returned: success
  type: list
  elements: str
  sample: ["0.0.0.0:2375"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._adoption import repair
from ..module_utils._docker.systemd import Systemd
from ..module_utils._endpoint.machine import Machine
from ..module_utils._module import run_module
from ..module_utils._outcome import require_root


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    require_root("change units of systemd")
    systemd, state = Systemd(), module.params["state"]
    local = repair.docker_socket(Machine(systemd).listening().unix if state == "present" else ())
    changed, listens = repair.ensure(systemd, module.params["listen"], state, predict=module.check_mode, local=local)
    return {"changed": changed, "listen": list(listens)}


def main() -> None:
    """Run the module."""
    run_module(
        _run,
        needs_cryptography=False,
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "listen": {"type": "list", "elements": "str", "default": []},
        },
    )


if __name__ == "__main__":
    main()
