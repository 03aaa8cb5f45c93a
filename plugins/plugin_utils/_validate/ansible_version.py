# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the ansible-core that runs is one that the collection supports.

``requires_ansible`` in meta/runtime.yml only warns, unless the user has set COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH (ansible-core 2.14 to 2.21).
"""

from __future__ import annotations

import re

#: The oldest supported ansible-core; meta/runtime.yml says the same (a contract test compares them).
MINIMUM = (2, 18)
CODE = "ansible-too-old"
HINT = (
    "Install a newer one beside the distribution's, for example with pipx install ansible-core or in a virtual environment with "
    "pip install ansible-core, and run the ansible-playbook that comes with it."
)


def problem(running: str) -> str:
    """Return what is wrong with the version ``running`` (``2.17.14``, ``2.19.0.dev0``), "" if it is supported or unreadable."""
    found = re.match(r"(\d+)\.(\d+)", running)
    if found is None or tuple(map(int, found.groups())) >= MINIMUM:
        return ""
    return f"ansible-core {running} is older than {'.'.join(map(str, MINIMUM))}, the oldest that portcullis.docker_tls supports"
