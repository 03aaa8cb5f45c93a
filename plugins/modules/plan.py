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
author: portcullis.docker_tls contributors (@portcullis-docker-tls)
description:
  - For the playbooks of this collection only.
  - Reads the inventory, what the hosts have answered in this run, and the state of the CA. Returns what the later plays are to do. Changes nothing.
options:
  part:
    description:
      - V(inventory) fails where the inventory cannot work, V(unfinished) where the run could not begin something that it was to do.
      - V(site) is the plan of C(site.yml), V(revocation) the rest of a revocation, once the hosts have taken the new generation.
      - V(revocation_report) and V(verification_report) are the rows for M(portcullis.docker_tls.proof_report).
    type: str
    required: true
    choices: [inventory, unfinished, site, revocation, revocation_report, verification_report]
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Plan the run
  portcullis.docker_tls.plan:
    part: site
  run_once: true
  register: __docker_tls_plan
"""

RETURN = r"""
plan:
  description: The part. Its fields are those of the classes in C(plugins/plugin_utils/_plan).
  type: dict
  returned: success
"""
