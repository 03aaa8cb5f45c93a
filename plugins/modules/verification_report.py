#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The code is in plugins/action/verification_report.py, for it runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: verification_report
short_description: Show the verification of a fleet of Docker endpoints
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Prints the checks of a fleet as one table, and writes them as JSON. Fails when a check was not passed, or a host could not be inspected.
  - Runs on the controller and changes nothing but its own file.
options:
  rows:
    description: The checks, each with C(host), C(seen_from), C(check), C(passed) and C(detail). M(portcullis.docker_tls.plan) collects them.
    type: list
    elements: dict
    required: true
  json_path: {description: Where to write the checks as JSON on the controller. Empty writes nothing., type: str, default: ""}
  authorities:
    description: RV(portcullis.docker_tls.authority_info#module:authorities), whose fingerprints the JSON names.
    type: dict
    default: {}
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
"""

EXAMPLES = r"""
- portcullis.docker_tls.verification_report:
    rows: "{{ __docker_tls_report.plan.rows }}"
  delegate_to: localhost
"""

RETURN = r"""
verified: {description: Whether every check of every host was passed., type: bool, returned: always}
checks: {description: The checks., type: list, elements: dict, returned: always}
"""
