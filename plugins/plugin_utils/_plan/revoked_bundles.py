# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a host has bundles of revoked clients: they are removed, or recorded first."""

from __future__ import annotations

import typing as t

from . import bundle_places, inventory
from .inventory import Mapping


def revoked_bundles(
    host: str, hostvars: Mapping, clients: t.Sequence[Mapping], machines: t.Container[str], path: str
) -> list[dict[str, t.Any]]:
    """Return the bundles of revoked clients on ``host``, as M(certificate_bundles) removes them.

    ``path`` is where the controller has its bundles.
    """
    gone = [client for client in clients if client.get("state", "present") == "revoked"]
    names = [one["name"] for one in gone]
    found: list[Mapping] = []
    if bundle_places.has_own_bundles(host, machines):
        found += [
            {"client": one["name"], "user": "", "directory": one.get("controller_directory") or ""} for one in gone
        ]
    if host in machines:
        login = bundle_places.login_user(host, hostvars[host])
        found += [
            {"client": user["client"], "user": user.get("user", login), "directory": user.get("directory", "")}
            for user in hostvars[host].get("docker_client_cert_users") or []
            if user.get("client") in names
        ]
    return [
        {
            "id": f"{bundle['user']}:{bundle['client']}" if bundle["user"] else bundle["client"],
            "state": "absent",
            "common_name": bundle["client"],
            "directory": inventory.bundle_directory(bundle, path),
            "owner": bundle["user"] or None,
        }
        for bundle in found
    ]
