#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rotation_plan
short_description: Say where the rotation of an authority stands and what comes next
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Compares the generations in the CA with what the hosts have on disk, what their daemons show on the wire, and what is in the clients'
    bundles, and prints the plan. Changes nothing.
  - Runs on the controller. C(playbooks/rotate_ca.yml) gathers its options and carries the plan out.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  diff_mode:
    support: none
options:
  authority:
    description:
      - The authority that is rotated, V(server) or an access group.
      - With V(all) the server authority and those of all access groups are rotated side by side. The earliest phase that any of
        them stands in is the one that is due; those that are further wait for it.
    type: str
    required: true
  hosts:
    description: The Docker hosts, as for M(portcullis.docker_tls.fleet_status).
    type: list
    elements: dict
    default: []
  clients:
    description: The client bundles, as for M(portcullis.docker_tls.fleet_status).
    type: list
    elements: dict
    default: []
  authorities:
    description: What M(portcullis.docker_tls.authority_info) returned.
    type: dict
    required: true
  held:
    description: RV(portcullis.docker_tls.ledger_info#module:entries) of the certificates that are valid now.
    type: list
    elements: dict
    default: []
  revoked_clients:
    description: Names of clients that may come in no more. Their certificates keep nothing from being retired.
    type: list
    elements: str
    default: []
  again_after:
    description: A generation that is younger than this is not replaced by a further one, V(0s) for always.
    type: str
    default: 1d
  timeout:
    description: How many seconds to wait for each endpoint.
    type: int
    default: 5
  connections:
    description: How many endpoints to ask at the same time.
    type: int
    default: 64
  executing:
    description: Whether the plan is going to be carried out; only for the last line of the text.
    type: bool
    default: false
seealso:
  - module: portcullis.docker_tls.authority_generation
  - module: portcullis.docker_tls.fleet_status
"""

EXAMPLES = r"""
# playbooks/rotate_ca.yml shows where the options come from.
- name: Say where the rotation stands
  portcullis.docker_tls.rotation_plan:
    authority: server
    authorities: "{{ ansible_facts.docker_ca_authorities }}"
    hosts: "{{ fleet.hosts }}"
    clients: "{{ fleet.clients }}"
  delegate_to: localhost
  register: rotation
"""

RETURN = r"""
plan:
  description: What comes next.
  returned: success
  type: dict
  contains:
    authority:
      description: Its name.
      type: str
      sample: server
    phase:
      description: V(trust), V(reissue), V(retire), or V(done).
      type: str
      sample: reissue
    change:
      description: The state that the authority has to reach first (M(portcullis.docker_tls.authority_generation)), empty for none.
      type: str
      sample: signing
    changes:
      description:
        - The same with what leads to it, one after the other, each with the C(name) of the authority, its C(state) and C(generation).
        - An authority that has expired is introduced and made to sign at once.
      type: list
      elements: dict
    target:
      description: Id of the new generation; with O(authority=all) of all of them, with commas.
      type: str
      sample: server-g2
    leaving:
      description: Ids of the generations that it takes the place of.
      type: list
      elements: str
    steps:
      description: What each place that can be reached needs, with C(name), C(host) and C(what).
      type: list
      elements: dict
    hosts:
      description: The Docker hosts among them.
      type: list
      elements: str
    bundle_hosts:
      description: The machines with bundles among them.
      type: list
      elements: str
    blockers:
      description: Why RV(plan.change) must wait.
      type: list
      elements: str
    risk:
      description: What happens if it does not wait.
      type: str
    note:
      description: Why there is nothing to do, or why phases can be done at once.
      type: str
    idle:
      description: Whether no rotation is under way.
      type: bool
plans:
  description: The plan of each authority, by its name, with the same keys. With O(authority=all), RV(plan) is what they have in the phase that is due.
  returned: success
  type: dict
table:
  description: The plan as text.
  returned: success
  type: list
  elements: str
"""

import typing as t
from datetime import datetime, timedelta

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._fleet import collect_endpoints, inputs
from ..module_utils._module import run_module
from ..module_utils._rotation import all_phases, phases, text
from ..module_utils._rotation import inputs as rotation_inputs

ARGUMENT_SPEC: dict[str, t.Any] = {
    "authority": {"type": "str", "required": True},
    "hosts": {"type": "list", "elements": "dict", "default": []},
    "clients": {"type": "list", "elements": "dict", "default": []},
    "authorities": {"type": "dict", "required": True},
    "held": {"type": "list", "elements": "dict", "default": []},
    "revoked_clients": {"type": "list", "elements": "str", "default": []},
    "again_after": {"type": "str", "default": "1d"},
    "timeout": {"type": "int", "default": 5},
    "connections": {"type": "int", "default": 64},
    "executing": {"type": "bool", "default": False},
}


def collect(options: t.Mapping[str, t.Any], now: datetime) -> list[phases.Situation]:
    """Ask the endpoints and return the situation of each authority. Raises TlsError for options that make no sense."""
    again = options["again_after"].strip()
    limits = collect_endpoints.ProbeLimits(max(options["timeout"], 1), max(options["connections"], 1))
    served = collect_endpoints.probe([inputs.endpoint(host["endpoint"]) for host in options["hosts"]], limits)
    hosts = [inputs.host(host, served) for host in options["hosts"]]
    clients = [inputs.client(client) for client in options["clients"]]
    wait = timedelta(0) if again == "0s" else _time.parse_duration(again, "again_after")
    wanted = options["authority"]
    ours = [name for name, one in options["authorities"].items() if not one.get("external")]
    names = (ours or list(options["authorities"])) if wanted == all_phases.ALL else [wanted]
    return [
        rotation_inputs.situation(
            name, options["authorities"], hosts, clients, options["held"], options["revoked_clients"], now, wait
        )
        for name in sorted(names, key=lambda name: (name != phases.SERVER, name))
    ]


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    found = collect(module.params, _time.utc_now())
    executing = module.params["executing"]
    if module.params["authority"] == all_phases.ALL:
        plans = all_phases.decide(found)
        lines, plan = all_phases.render(found, plans, executing=executing), all_phases.to_dict(plans)
    else:
        plans = [phases.decide(found[0])]
        lines, plan = text.render(found[0], plans[0], executing=executing), text.to_dict(plans[0])
    return {
        "changed": False,
        "plan": plan,
        "plans": {one.name: text.to_dict(one) for one in plans},
        "table": lines,
    }


def main() -> None:
    """Run the module."""
    run_module(_run, argument_spec=ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
