#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The code is in plugins/action/plan.py, for it runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Make a part of the plan of a playbook
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Reads the inventory, the answers of the hosts in this run, and the state of the CA. Returns the plan for the later plays. Changes nothing.
options:
  part:
    description:
      - V(controller) fails where C(--limit) excludes V(localhost) from a playbook that plans and reports there.
      - V(settings) only checks the group C(docker_ca) and the variables that playbooks read themselves, as every other part does first.
      - V(inventory) fails where the inventory cannot work, V(secrets) where Ansible would take a secret for a template.
      - V(site) is the plan of C(site.yml), V(revocation) the rest of a revocation, once the hosts accept the new generation. V(unfinished) fails
        where the run could not begin something that it was to do.
      - V(rotation) is the plan of C(rotate_ca.yml); it asks every endpoint for its certificate.
      - V(status) are the options of M(portcullis.docker_tls.fleet_status).
      - V(adoption) is the plan of C(adopt.yml), V(adoption_keys) the CAs whose keys the CA host searches for.
      - V(record) is the plan of C(record_certificates.yml).
      - V(rotation_start), V(rotation_phase) and V(rotation_end) fail where a rotation has no authority, where its next phase would lock out a client,
        and where it is not complete. V(adoption_start) fails where an adoption cannot be carried out, V(restore_start) where it is not clear which
        archive is restored.
      - V(revocation_report) and V(verification_report) are the rows for M(portcullis.docker_tls.verification_report), the former also what
        M(portcullis.docker_tls.recorded_certificates) records.
    type: str
    required: true
    choices: [
      controller, settings, inventory, secrets, site, revocation, revocation_report, unfinished, verification_report, rotation,
      status, adoption_keys, adoption, record, rotation_start, rotation_phase, rotation_end, adoption_start, restore_start,
    ]
  settings:
    description: Variables of the playbook that belong to no role.
    type: dict
    suboptions:
      authority: {description: "The authority that is rotated, or V(all).", type: str, default: ""}
      again_after:
        description: A generation that is younger than this is not replaced by a further one, V(0s) for always.
        type: str
        default: 1d
      stop_after:
        description: The last phase of a rotation in this run, V(trust), V(reissue) or V(retire); empty for all that are due.
        type: str
        default: ""
      forced: {description: The phases of a rotation that begin in spite of what prevents them., type: list, elements: str, default: []}
      execute: {description: Whether the plan is carried out., type: bool, default: false}
      complete: {description: Whether the hosts' files were read for a status report., type: bool, default: true}
      repair: {description: The repairs of an adoption on the hosts., type: list, elements: str, default: []}
      keep_2375: {description: Whether an adoption keeps port 2375 for its clients., type: bool, default: false}
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
"""

EXAMPLES = r"""
- name: Plan the run
  portcullis.docker_tls.plan:
    part: site
  run_once: true
  register: __docker_tls_plan
"""

RETURN = r"""
plan: {description: The part. Its fields are those of the classes in C(plugins/plugin_utils/_plan)., type: dict, returned: success}
"""
