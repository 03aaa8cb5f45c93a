# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes that apply to all modules."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of all modules; a module documents those of its own that differ."""

    DOCUMENTATION = r"""
options: {}
notes:
  - A failed task returns, beside C(msg), C(code), a stable identifier of the error, and C(hint), advice on what to do.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: none
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
  action_group:
    description: Use C(group/portcullis.docker_tls.docker_tls) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - portcullis.docker_tls.docker_tls
"""
