# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of the playbooks around adoption: thin names over plugin_utils. Not for use elsewhere."""

from __future__ import annotations

import typing as t

from ..plugin_utils._plan import adoption

FILTERS: dict[str, t.Callable[..., t.Any]] = {
    "adoption_plan": adoption.adoption_plan,
    "adoption_problems": adoption.adoption_problems,
    "found_authorities": adoption.found_authorities,
    "found_certificates": adoption.found_certificates,
    "plain_listeners": adoption.plain_listeners,
    "unseen_hosts": adoption.unseen_hosts,
}


class FilterModule:
    """Filters of the playbooks adopt and record_certificates."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return FILTERS
