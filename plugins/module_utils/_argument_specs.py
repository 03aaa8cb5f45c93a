# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several modules have. |.

They are here and not in their modules because ``host_state`` takes them too: one list of options, one set of defaults.
"""

from __future__ import annotations

import typing as t

from ._pki.keys import KEY_TYPES

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


#: One entry of ``requests`` of M(certificate_requests).
REQUEST_OPTIONS: dict[str, t.Any] = {
    "id": {"type": "str", "required": True},
    "profile": {"type": "str", "choices": ["server", "client"], "required": True},
    "key_path": {"type": "str", "required": True, "no_log": False},
    "certificate_path": {"type": "str", "required": True},
    "key_type": {"type": "str", "choices": list(KEY_TYPES), "default": "ecdsa-p256", "no_log": False},
    "common_name": {"type": "str", "default": ""},
    "names": {"type": "list", "elements": "str", "default": []},
    "optional_names": {"type": "list", "elements": "str", "default": []},
    "fact_names": {"type": "list", "elements": "str", "default": []},
    "fqdn": {"type": "bool", "default": True},
    "local_names": {"type": "bool", "default": True},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "authority_content": {"type": "str", "required": True},
    "external_issuer": {"type": "bool", "default": False},
    "key_source_path": {"type": "str", "default": "", "no_log": False},
    "renew_before": {"type": "str", "default": "1/3"},
    "renew_jitter": {"type": "str", "default": "0"},
    "renew_jitter_name": {"type": "str", "default": ""},
    "validity": {"type": "str", "default": ""},
    "force": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}

#: The options of M(server_certificate).
SERVER_CERTIFICATE_OPTIONS: dict[str, t.Any] = {
    "directory": {"type": "path", "default": "/etc/docker/certs"},
    "certificate_content": {"type": "str", "required": True},
    "ca_content": {"type": "str", "default": ""},
    "rejected": {"type": "dict", "default": {}},
}

#: The options of M(endpoint).
ENDPOINT_OPTIONS: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent", "rolled_back", "confirmed"], "default": "present"},
    "listen": {"type": "list", "elements": "str", "default": []},
    "port": {"type": "int", "default": 2376},
    "directory": {"type": "path", "default": "/etc/docker/certs"},
    "certificate_content": {"type": "str", "default": ""},
    "certificate_pending": {"type": "bool", "default": False},
    "ca_content": {"type": "str", "default": ""},
    "client_ca_content": {"type": "str", "default": ""},
    "config_path": {"type": "path"},
    "service": {"type": "str", "default": "docker.service"},
    "existing_settings": {"type": "str", "choices": ["fail", "adopt", "replace"], "default": "fail"},
    "allow_public_address": {"type": "bool", "default": False},
    "allow_port_2375": {"type": "bool", "default": False},
    "allow_dual_trust": {"type": "bool", "default": False},
    "live_restore": {"type": "str", "choices": ["keep", "enable", "require"], "default": "keep"},
    "listener": {"type": "str", "choices": ["dockerd", "systemd", "proxy"], "default": "dockerd"},
    "group_authorities": {"type": "dict", "default": {}},
    "group_rights": {"type": "dict", "default": {}},
    "crl_content": {"type": "str", "default": ""},
    "kept_lists": {"type": "dict", "default": {}},
    "stream_timeout": {"type": "int", "default": 3600},
    "allowed_sources": {"type": "list", "elements": "str", "default": []},
    "haproxy_package": {"type": "str", "default": ""},
    "start_timeout": {"type": "int", "default": 120},
    "confirm_timeout": {"type": "int", "default": 0},
    "lock_timeout": {"type": "int", "default": 30},
    "controller_time": {"type": "str", "default": ""},
    "verify": {"type": "bool", "default": False},
    "verification_follows": {"type": "bool", "default": False},
}
