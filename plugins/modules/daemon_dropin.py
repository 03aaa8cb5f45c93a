#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon_dropin
short_description: Take -H out of the command that systemd starts dockerd with
version_added: 1.0.0
author: portcullis.docker_tls contributors (@portcullis-docker-tls)
description:
  - dockerd does not start when its listeners are named both by C(-H) and by C(hosts) in C(daemon.json). This module writes a systemd drop-in with the
    unit's own command without C(-H) and C(--host), and with everything else spelled as it was.
  - The command is derived from the unit's files and drop-ins as they are without this drop-in, so a new command that a package upgrade brings is seen
    at the next run. Variables such as C($OPTIONS) stay references, and their files keep working.
  - Where a variable's value holds C(-H) itself (C(DOCKER_OPTS) in C(/etc/default/docker)), its other options are written out in the drop-in, with a warning.
  - After writing, systemd reads its units anew, and its own view of the command is compared with the one that was meant; where they differ, the former
    file comes back and the module fails. No service is restarted.
  - Where the unit names no listener, there is no drop-in to make. Snap, rootless Docker, NixOS, Podman and units that start a shell are refused.
  - Do not use it on hosts that M(portcullis.docker_tls.daemon_endpoint) manages, which writes the same file as part of its transaction.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: Whether the drop-in must be there (where the unit needs one) or be gone. A file at its place that is not ours is never touched.
    type: str
    choices: [present, absent]
    default: present
  service:
    description: The unit that runs dockerd.
    type: str
    default: docker.service
  path:
    description:
      - The drop-in. By default C(zz-docker-tls.conf) in C(/etc/systemd/system/docker.service.d), or in that of O(service).
      - Its name must sort after those of all other drop-ins that set C(ExecStart), because the last one counts.
    type: path
  after_network:
    description: Whether dockerd is to start after the network is up, for listeners on addresses that must be there before.
    type: bool
    default: false
  strip_tls_flags:
    description: Whether C(--tls), C(--tlsverify), C(--tlscacert), C(--tlscert) and C(--tlskey) are taken out as well.
    type: bool
    default: false
seealso:
  - module: portcullis.docker_tls.daemon_config
  - module: portcullis.docker_tls.daemon_endpoint
requirements:
  - systemd
notes:
  - The task must run as root on the host.
"""

EXAMPLES = r"""
- name: Let daemon.json say where Docker listens
  portcullis.docker_tls.daemon_dropin:
  register: dropin

- name: Show what was found
  ansible.builtin.debug:
    msg: "Without the drop-in, Docker listens on {{ dropin.hosts | join(', ') }}"

- name: The vendor's command again
  portcullis.docker_tls.daemon_dropin:
    state: absent
"""

RETURN = r"""
reasons:
  description:
    - Why the file was written or removed. One of V(dropin-missing), V(dropin-unwanted), V(dropin-changed) (edited, or other options now), V(unit-changed)
      (the unit's command, or a variable that is written out, is another than the one it was derived from).
  returned: success
  type: list
  elements: str
  sample: [dropin-missing]
dropin_path:
  description: The drop-in.
  returned: success
  type: str
  sample: /etc/systemd/system/docker.service.d/zz-docker-tls.conf
command:
  description: The command of dockerd with the drop-in, as C(ExecStart) spells it. Empty for O(state=absent).
  returned: success
  type: str
  sample: /usr/bin/dockerd --containerd=/run/containerd/containerd.sock
original_command:
  description: The command without the drop-in. Empty for O(state=absent).
  returned: success
  type: str
  sample: /usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
hosts:
  description: The values of C(-H) and C(--host) that were taken out, from the unit and from variables.
  returned: success
  type: list
  elements: str
  sample: ["fd://"]
config_path:
  description: The C(daemon.json) that dockerd reads.
  returned: success
  type: str
  sample: /etc/docker/daemon.json
inlined:
  description: Variables whose values are written out in the drop-in, and where they come from.
  returned: success
  type: list
  elements: str
  sample: [DOCKER_OPTS in /etc/default/docker]
code:
  description: A stable word for the failure, such as V(docker-snap) or V(unit-unsupported).
  returned: failure
  type: str
hint:
  description: What to do about the failure.
  returned: failure
  type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._daemon import dropin_file
from ..module_utils._daemon.machine import Machine
from ..module_utils._daemon.systemd import Systemd
from ..module_utils._module import run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    machine = Machine(Systemd(params["service"], params["service"].rpartition(".")[0] + ".socket"))
    path = params["path"] or ""
    if params["state"] == "absent":
        change = dropin_file.plan_removal(machine, path)
    else:
        change = dropin_file.plan_dropin(
            machine, path, after_network=params["after_network"], strip_tls_flags=params["strip_tls_flags"]
        )
    if change.reason and not module.check_mode:
        dropin_file.apply(machine, change)
    return {"changed": bool(change.reason), **_report(change)}


def _report(change: dropin_file.DropinChange) -> dict[str, t.Any]:
    derived = change.derivation
    return {
        "reasons": [change.reason] if change.reason else [],
        "dropin_path": change.path,
        "command": change.command,
        "original_command": derived.original if derived else "",
        "hosts": list(derived.hosts) if derived else [],
        "config_path": derived.config_path if derived else "",
        "inlined": list(derived.inlined) if derived else [],
        "warnings": [note.text() for note in derived.notes] if derived else [],
        "diff": {
            "before_header": change.path if change.before is not None else f"{change.path} (absent)",
            "after_header": change.path if change.after is not None else f"{change.path} (absent)",
            "before": change.before or "",
            "after": change.after or "",
        },
    }


def main() -> None:
    """Run the module."""
    run_module(
        _run,
        needs_cryptography=False,
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "service": {"type": "str", "default": "docker.service"},
            "path": {"type": "path"},
            "after_network": {"type": "bool", "default": False},
            "strip_tls_flags": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
