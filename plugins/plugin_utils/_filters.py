# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What filters have in common."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleFilterError


def reporting(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """Return the filter, which fails with the words of a ValueError and no traceback."""

    @functools.wraps(function)
    def call(*arguments: t.Any, **options: t.Any) -> t.Any:
        try:
            return function(*arguments, **options)
        except ValueError as error:
            raise AnsibleFilterError(str(error)) from error

    return call
