# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of C(playbooks/status.yml): thin names over plugin_utils. Not for use elsewhere."""

from __future__ import annotations

import typing as t

from ..plugin_utils._filters import reporting
from ..plugin_utils._plan import status

FILTERS: dict[str, t.Callable[..., t.Any]] = {
    "status_ca": status.ca_place,
    "status_files": status.files,
    "status_fleet": status.fleet,
}


class FilterModule:
    """Filters of the status report."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {name: reporting(function) for name, function in FILTERS.items()}
