# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of C(playbooks/status.yml): thin names over plugin_utils. Not for use elsewhere."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils import _status

FILTERS: dict[str, t.Callable[..., t.Any]] = {
    "status_ca": _status.ca_place,
    "status_files": _status.files,
    "status_fleet": _status.fleet,
}


def _reporting(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    @functools.wraps(function)
    def call(*arguments: t.Any, **options: t.Any) -> t.Any:
        try:
            return function(*arguments, **options)
        except ValueError as error:
            raise AnsibleFilterError(str(error)) from error

    return call


class FilterModule:
    """Filters of the status report."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {name: _reporting(function) for name, function in FILTERS.items()}
