# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of signing requests and their names, as ``argument_spec`` pieces."""

from __future__ import annotations

import typing as t

from ._ca import policy

#: One entry of ``requests`` of M(signed_certificates).
SIGNING_OPTIONS: dict[str, t.Any] = {
    "id": {"type": "str", "required": True},
    "authority": {"type": "str", "required": True},
    "profile": {"type": "str", "required": True, "choices": ["server", "client"]},
    "request_content": {"type": "str", "required": True},
    "common_name": {"type": "str", "default": ""},
    **{
        name: {"type": "list", "elements": "str", "default": []}
        for name in ("names", "reported_names", "extends", "address_ranges")
    },
    "validity": {"type": "str", "default": "365d"},
    "requester": {"type": "str", "default": ""},
    "reasons": {"type": "list", "elements": "str", "default": []},
    "expired": {"type": "bool", "default": False},
    "revoked": {"type": "bool", "default": False},
    "generation": {"type": "int", "default": 0},
    "replaces": {
        "type": "dict",
        "options": {
            "serial": {"type": "str", "required": True},
            "issuer": {"type": "str", "default": ""},
            "authority_key_identifier": {"type": "str", "default": "", "no_log": False},
            "authority_fingerprint_sha256": {"type": "str", "default": ""},
        },
    },
}
#: Which requester may have which name.
NAME_RULE_OPTIONS: dict[str, t.Any] = {
    "reserved_names": {"type": "dict", "default": {}},
    "shared_names": {"type": "list", "elements": "str", "default": []},
    "contested_names": {"type": "dict", "default": {}},
    "same_machine": {"type": "list", "elements": "list", "default": []},
}
#: One entry of ``installed`` of M(signed_certificates).
INSTALLED_OPTIONS: dict[str, t.Any] = {
    "requester": {"type": "str", "default": ""},
    "serial": {"type": "str", "required": True},
    "issuer": {"type": "str", "required": True},
    "not_before": {"type": "str", "default": ""},
    "authority_key_identifier": {"type": "str", "default": "", "no_log": False},
}


_LISTS = ("names", "reported_names", "extends", "address_ranges", "reasons")


def signing_request(options: dict[str, t.Any]) -> policy.SigningRequest:
    """Return one entry of ``requests``, with its defaults, as the core takes it."""
    replaces = policy.Replaced(**options["replaces"]) if options["replaces"] else None
    lists = {name: tuple(options[name]) for name in _LISTS}
    return policy.SigningRequest(**{**options, **lists, "replaces": replaces})
