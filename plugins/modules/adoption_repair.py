#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: adoption_repair
short_description: Repair keys and units that other tools left on a Docker host
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Inspects the host as M(portcullis.docker_tls.adoption_info) does, closes keys that others can read, and moves unused keys of the host's Docker CAs
    to O(quarantine_path).
  - A key is never deleted. Keys that dockerd reads, or will read after this collection is removed, stay where they are.
extends_documentation_fragment:
  - portcullis.docker_tls._adoption
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: full
options:
  repair:
    description:
      - The repairs. V(modes) closes keys to others, V(stray_keys) moves those that are not in use.
      - V(units) restores the package's text of an edited unit, byte for byte, or removes a copy of it in C(/etc), and keeps the edits in the drop-in
        C(docker.service.d/00-adopted-unit.conf). The effective unit must be the same before and after; otherwise everything is rolled back.
        Docker is not restarted. The repair is made only where the package's text is certain (by the checksum that dpkg or rpm has of it) and where a
        drop-in can contain all edits; otherwise the finding names the lines that differ and the command that restores it.
    type: list
    elements: str
    choices: [modes, stray_keys, units]
    default: [modes]
  quarantine_path:
    description: Where keys are moved to, and where a unit's former text is kept.
    type: path
    default: /var/lib/docker-tls/adopted
"""

EXAMPLES = r"""
- portcullis.docker_tls.adoption_repair:
    repair: [modes, stray_keys]
  become: true
"""

RETURN = r"""
repairs:
  description: The repairs that were (would be) made. C(code) of the finding, C(path), and C(after), the new place or state of the key or unit.
  returned: success
  type: list
  elements: dict
reasons: {description: The codes of the findings that were repaired., returned: success, type: list, elements: str, sample: [key-readable]}
adoption: {description: "The state before, as M(portcullis.docker_tls.adoption_info) returns it.", returned: success, type: dict}
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._adoption import inspect_host, repair
from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION
from ..module_utils._docker.systemd import Systemd
from ..module_utils._module import run_module
from ..module_utils._outcome import require_root
from ..module_utils._time import utc_now


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    require_root("repair the keys and units of a host")
    params = module.params
    found = inspect_host.inspect_here(params, now)
    repairs = repair.plan(found.findings, params["repair"], params["quarantine_path"])
    if not module.check_mode:
        repair.carry_out(repairs, params["quarantine_path"], found.situation.unit, Systemd())
    return {
        "changed": bool(repairs),
        "reasons": list(dict.fromkeys(one.code for one in repairs)),
        "repairs": [dict(vars(one)) for one in repairs],
        "adoption": inspect_host.report(found),
        "diff": {
            "before": {one.path: one.code for one in repairs},
            "after": {one.path: one.after for one in repairs},
        },
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            "repair": {
                "type": "list",
                "elements": "str",
                "choices": ["modes", "stray_keys", "units"],
                "default": ["modes"],
            },
            "quarantine_path": {"type": "path", "default": "/var/lib/docker-tls/adopted"},
            **inspect_host.OPTIONS,
        },
    )


if __name__ == "__main__":
    main()
