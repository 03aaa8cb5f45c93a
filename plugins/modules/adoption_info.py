#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: adoption_info
short_description: Inspect a Docker host of another tool before it is adopted
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Reads dockerd's TLS settings from all their sources, recognizes the layout of other tools, inspects certificates and keys, and reports what is
    wrong and what repairs it.
  - Only reads. It must run as root, because keys are private.
extends_documentation_fragment:
  - portcullis.docker_tls._adoption
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
"""

EXAMPLES = r"""
- portcullis.docker_tls.adoption_info:
  become: true
  register: found
"""

RETURN = r"""
adoption:
  description: >-
    The state of the host, as C(report) of C(module_utils/_adoption/inspect_host.py) makes it and C(plugin_utils/_plan/adoption_answer.py) accepts it.
  returned: success
  type: dict
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._adoption import inspect_host
from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION
from ..module_utils._module import run_module
from ..module_utils._outcome import require_root
from ..module_utils._time import utc_now


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    require_root("see the keys of a host")
    return {"changed": False, "adoption": inspect_host.report(inspect_host.inspect_here(module.params, now))}


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, utc_now()),
        argument_spec={**CRYPTOGRAPHY_OPTION, **inspect_host.OPTIONS},
    )


if __name__ == "__main__":
    main()
