# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two filters: ``endpoint_url`` for users, ``planned`` for the plays of this collection's playbooks."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._plan.inventory import endpoint_url
from ..plugin_utils._plan.registered import planned

FILTERS: dict[str, t.Callable[..., t.Any]] = {"endpoint_url": endpoint_url, "planned": planned}


class FilterModule:
    """The filters of the collection."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {name: _reporting(function) for name, function in FILTERS.items()}


def _reporting(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """Return the filter, which fails with the message of a ValueError and no traceback."""

    @functools.wraps(function)
    def call(*arguments: t.Any, **options: t.Any) -> t.Any:
        try:
            return function(*arguments, **options)
        except ValueError as error:
            raise AnsibleFilterError(str(error)) from error

    return call
