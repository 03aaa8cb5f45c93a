# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures of a task: those that the controller reports itself, and the output of a host instead of a module's answer."""

from __future__ import annotations

import re
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


_CLOSED = re.compile(r"(Shared c|C)onnection to \S+ closed\.")


def raw_output(result: t.Mapping[str, t.Any]) -> str:
    """Return the last line of a host's output that is not a module's answer (sudo, a shell, a traceback), "" if it answered.

    On a terminal ssh has the last word on stderr, and it is not about the failure.
    """
    for stream in ("module_stderr", "module_stdout"):
        lines = [line.strip() for line in str(result.get(stream) or "").splitlines()]
        output = [line for line in lines if line and not _CLOSED.fullmatch(line)]
        if output:
            return output[-1]
    return ""
