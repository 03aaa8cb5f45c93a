#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The code is in plugins/action/proof_report.py, for it runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: proof_report
short_description: Show the proof of a fleet of Docker endpoints
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Prints what was verified of each host, from the host itself and from the controller, as one table, and writes it as JSON.
  - Fails when a check of any host was not passed, or a host could not be examined.
  - Runs on the controller and changes nothing but its own file.
options:
  rows:
    description: The checks, each with C(host), C(seen_from), C(check), C(passed) and C(detail). M(portcullis.docker_tls.plan) collects them.
    type: list
    elements: dict
    required: true
  json_path:
    description: Where to write the proof as JSON on the controller. Empty writes nothing.
    type: str
    default: ""
  authorities:
    description: RV(portcullis.docker_tls.authority_info#module:authorities), whose fingerprints the JSON names.
    type: dict
    default: {}
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  diff_mode:
    support: none
seealso:
  - module: portcullis.docker_tls.endpoint_info
  - module: portcullis.docker_tls.endpoint
"""

EXAMPLES = r"""
- name: Show what was verified
  portcullis.docker_tls.proof_report:
    rows:
      - host: web1
        seen_from: controller
        check: good-client
        passed: true
        detail: a client of the access group clients is answered
    json_path: /var/lib/monitoring/docker-proof.json
  delegate_to: localhost
"""

RETURN = r"""
proved:
  description: Whether every check of every host was passed.
  type: bool
  returned: always
checks:
  description: The checks.
  type: list
  elements: dict
  returned: always
  contains:
    host:
      description: Inventory name.
      type: str
    seen_from:
      description: V(host) or V(controller).
      type: str
    check:
      description: What was checked, as a stable word.
      type: str
    passed:
      description: Whether it was as it must be.
      type: bool
    detail:
      description: What was seen.
      type: str
"""
