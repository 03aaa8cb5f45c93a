# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters that the roles shape their data with: thin names over plugin_utils. Not for use elsewhere."""

from __future__ import annotations

import typing as t

from ..plugin_utils import (
    _access,
    _batches,
    _ca_place,
    _formats,
    _installed,
    _inventory,
    _looked,
    _preflight,
    _reports,
    _reserved,
    _revocation,
    _rotation,
)
from ..plugin_utils._filters import reporting
from ..plugin_utils._output import verification

FILTERS: dict[str, t.Callable[..., t.Any]] = {
    "admitted_groups": _inventory.admitted_groups,
    "all_clients": _access.all_clients,
    "ca_directory": _ca_place.ca_directory,
    "ca_host": _ca_place.ca_host,
    "client_anchors": _inventory.client_anchors,
    "client_bundle_files": _inventory.client_bundle_files,
    "client_bundle_formats": _formats.client_bundle_formats,
    "client_bundles": _inventory.client_bundles,
    "client_certificate_requests": _inventory.client_certificate_requests,
    "client_signing_requests": _inventory.client_signing_requests,
    "contested_names": _reports.contested_names,
    "daemon_serial": _batches.daemon_serial,
    "dual_trust": _inventory.dual_trust,
    "endpoint_url": _inventory.endpoint_url,
    "generation_clients": _revocation.generation_clients,
    "hosts_not_refused": _looked.hosts_not_refused,
    "hosts_of_undone_revocations": _revocation.hosts_of_undone_revocations,
    "hosts_to_prove": verification.hosts_to_prove,
    "hosts_with_work": _looked.hosts_with_work,
    "hosts_without_authorities": _ca_place.hosts_without_authorities,
    "installed_certificates": _installed.installed_certificates,
    "inventory_problems": _preflight.inventory_problems,
    "is_behind": _installed.is_behind,
    "listen_addresses": _inventory.listen_addresses,
    "proof_rows": verification.proof_rows,
    "refused_hosts": _looked.refused_hosts,
    "rejected_requests": _inventory.rejected_requests,
    "reserved_names": _reserved.reserved_names,
    "revocation_changes": _revocation.revocation_changes,
    "revocation_hosts": _revocation.revocation_hosts,
    "revocation_problems": _revocation.revocation_problems,
    "revocation_rows": _revocation.revocation_rows,
    "revoked_bundles": _revocation.revoked_bundles,
    "revoked_names": _rotation.revoked_names,
    "rotation_changes": _rotation.rotation_changes,
    "rotation_fleet": _rotation.rotation_fleet,
    "rotation_hosts": _rotation.rotation_hosts,
    "rotation_obstacles": _rotation.rotation_obstacles,
    "same_machine": _reports.same_machine,
    "server_signing_requests": _inventory.server_signing_requests,
    "undone_revocations": _revocation.undone_revocations,
}


class FilterModule:
    """Filters of the roles."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {name: reporting(function) for name, function in FILTERS.items()}
