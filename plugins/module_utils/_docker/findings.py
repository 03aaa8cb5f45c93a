# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings of the checks before a change; all of them are reported together."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import TlsError

ERROR = "error"
WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing found: ``severity`` is ERROR (nothing may be changed) or WARNING; ``code`` is a stable kebab-case word."""

    severity: str
    code: str
    message: str
    hint: str = ""

    def text(self) -> str:
        """Return message and hint as one line."""
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def to_dict(self) -> dict[str, str]:
        """Return the finding as modules return it."""
        return {"severity": self.severity, "code": self.code, "message": self.message, "hint": self.hint}


def error(code: str, message: str, hint: str = "") -> Finding:
    """Return a finding that forbids the change."""
    return Finding(ERROR, code, message, hint)


def warning(code: str, message: str, hint: str = "") -> Finding:
    """Return a finding that the user should hear of, and that forbids nothing."""
    return Finding(WARNING, code, message, hint)


def errors(findings: t.Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that forbid the change, in their order."""
    return tuple(item for item in findings if item.severity == ERROR)


def warnings(findings: t.Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that forbid nothing, in their order."""
    return tuple(item for item in findings if item.severity == WARNING)


def raise_errors(findings: t.Iterable[Finding], what: str) -> None:
    """Raise one TlsError that names every error of ``findings``; return when there is none.

    ``what`` begins the sentence ("the endpoint cannot be set up"). The code is the finding's own where there is one
    error, ``preflight-failed`` where there are more.
    """
    found = errors(findings)
    if not found:
        return
    if len(found) == 1:
        raise TlsError(f"{what}: {found[0].message}", hint=found[0].hint, code=found[0].code)
    listed = "; ".join(f"({number}) {item.text()}" for number, item in enumerate(found, 1))
    raise TlsError(
        f"{what}, {len(found)} problems: {listed}",
        hint="Nothing was changed. Solve all of them and run again.",
        code="preflight-failed",
    )


def keep_containers_hint(*, in_swarm: bool) -> str:
    """Return how a restart of dockerd can spare the running containers: live-restore is not available in swarm mode."""
    if in_swarm:
        return (
            "In a swarm live-restore is not available: drain the node first (docker node update --availability drain, on a "
            "manager), and set it active again afterwards."
        )
    return "docker_daemon_live_restore: enable keeps them running."
