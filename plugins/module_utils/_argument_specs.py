# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several modules share, as ``argument_spec`` pieces."""

from __future__ import annotations

import typing as t

#: Documented by the fragment ``_cryptography``; acted on by the action plugins, the modules themselves ignore it.
CRYPTOGRAPHY_PACKAGE = "python3-cryptography"
CRYPTOGRAPHY_OPTION: dict[str, t.Any] = {"cryptography_package": {"type": "str", "default": CRYPTOGRAPHY_PACKAGE}}

#: Documented by the fragment ``_ca.directory``: options of the modules that work in a CA directory under its lock.
CA_DIRECTORY_OPTIONS: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "lock_timeout": {"type": "int", "default": 60},
    "operator": {"type": "str", "default": ""},
}

#: Documented by the fragments ``_ca`` and ``_ca.directory``: those of the modules that need its passphrase.
CA_OPTIONS: dict[str, t.Any] = {
    **CA_DIRECTORY_OPTIONS,
    "passphrase": {"type": "str", "required": True, "no_log": True},
    "allow_network_filesystem": {"type": "bool", "default": False},
}

#: Documented by the fragment ``_clients``: the access groups for which revocation lists are enough.
REVOCATION_LIST_GROUPS_OPTION: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}

#: Documented by the fragment ``_clients``: whom the inventory gives access to.
CLIENTS_OPTION: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "group": {"type": "str", "default": "clients"},
        "state": {"type": "str", "choices": ["present", "revoked"], "default": "present"},
        "requests": {"type": "list", "elements": "str"},
    },
}
