# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures of a task that the controller words itself."""

from __future__ import annotations

import typing as t

from ...module_utils._errors import TlsError

Result = dict[str, t.Any]


def failure(message: str, hint: str, code: str = "") -> Result:
    """Return a task's result for a failure that nothing was changed before."""
    found = {"failed": True, "changed": False, "msg": message, "hint": hint}
    return {**found, "code": code} if code else found


def of_error(error: TlsError) -> Result:
    """Return the same for a TlsError."""
    return failure(error.message, error.hint, error.code)


def rejection(rejected: t.Mapping[str, t.Mapping[str, str]]) -> Result:
    """Return the failure of a host whose requests M(signed_certificates) has rejected (its ``rejected``, or a part of it)."""
    reasons = list(rejected.values())
    codes = {reason["code"] for reason in reasons}
    return failure(
        "; ".join(reason["msg"] for reason in reasons),
        " ".join(dict.fromkeys(reason["hint"] for reason in reasons if reason["hint"])),
        codes.pop() if len(codes) == 1 else "requests-refused",
    )
