# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing requests of made-up hosts, as an issuer gets them."""

from __future__ import annotations

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing
from support.ca import certificates as made


def request(host: str, number: int = 1) -> policy.SigningRequest:
    """Return the request of a host, whose key has a number."""
    name = f"{host}.example.test"
    key = made.private_key(number=number)
    content = signing.build_request(key, names.SubjectNames(name, (name,))).decode()
    return policy.SigningRequest(
        id=f"{host}/server",
        authority="server",
        profile="server",
        requester=host,
        request_content=content,
        common_name=name,
        names=(name,),
        validity="90d",
    )
