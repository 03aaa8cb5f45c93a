# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters that the roles shape their data with: thin names over plugin_utils. Not for use elsewhere."""

from __future__ import annotations

import typing as t

from ..plugin_utils import _access, _ca_place, _inventory, _preflight
from ..plugin_utils._filters import reporting
from ..plugin_utils._output import verification
from ..plugin_utils._plan import batches, inspected, rotation, site

FILTERS: dict[str, t.Callable[..., t.Any]] = {
    "all_clients": _access.all_clients,
    "ca_directory": _ca_place.ca_directory,
    "ca_host": _ca_place.ca_host,
    "daemon_serial": batches.daemon_serial,
    "endpoint_url": _inventory.endpoint_url,
    "hosts_with_work": inspected.hosts_with_work,
    "inventory_problems": _preflight.inventory_problems,
    "planned": site.planned,
    "proof_rows": verification.proof_rows,
    "revoked_names": rotation.revoked_names,
    "rotation_changes": rotation.rotation_changes,
    "rotation_fleet": rotation.rotation_fleet,
    "rotation_hosts": rotation.rotation_hosts,
    "rotation_obstacles": rotation.rotation_obstacles,
}


class FilterModule:
    """Filters of the roles."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {name: reporting(function) for name, function in FILTERS.items()}
