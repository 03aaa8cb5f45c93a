# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about a host, with codes and hints, and the reason that dockerd itself has logged.

dockerd prints the reason for not starting as plain text on stderr ("failed to start daemon: ...", measured on 20.10 to 29),
beside its structured log; systemd's own lines about the unit stand in the same journal, and each restart repeats all of it.
"""

from __future__ import annotations

import re
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


#: Stands before log lines in a message; the text before it is never shortened.
LOG_MARK = "dockerd's last log lines:"
_NOISE = re.compile(
    r"level=(info|debug)|WARNING: No |Unable to find \w+ controller|^Start(ing|ed) |Consumed .* CPU time|^http: TLS handshake error "
)
_OF_SYSTEMD = re.compile(
    r"^(docker[\w@.-]*\.(service|socket): |(Failed to|Start|Starting|Started|Stopped|Stopping|Closed|Listening on|Dependency failed|"
    r"Finished|Reached|Condition check)\b.*(docker\.|Docker\b|- ))"
)
_STRUCTURED = re.compile(r'^time="[^"]*" level=(\w+) msg=("(?:[^"\\]|\\.)*"|\S+)(.*)$')
_CRASH = re.compile(r"^(panic|fatal error): ")
_MOST_LINES = 4


def reason(log: str) -> str:
    """Return dockerd's own reason for not starting, whole and on one line; "" where its log has none."""
    blocks = _plain_blocks(log.splitlines())
    if blocks:
        return _one_line(blocks[-1])
    found = [match for match in map(_STRUCTURED.match, log.splitlines()) if match]
    for level in ("fatal", "panic", "error"):
        messages = [match for match in found if match[1] == level]
        if messages:
            return _message(messages[-1])
    return ""


def telling_lines(log: str, count: int = 8) -> list[str]:
    """Return the last error lines of dockerd's log; without any the last few lines."""
    lines = log.splitlines()
    telling = [line for line in lines if not _NOISE.search(line)]
    last = list(dict.fromkeys(reversed(telling)))[:count]  # each restart repeats them
    return last[::-1] or lines[-3:]


def _plain_blocks(lines: t.Iterable[str]) -> list[list[str]]:
    """Return what dockerd has printed outside of its structured log: runs of lines between other lines."""
    blocks: list[list[str]] = [[]]
    for line in filter(str.strip, lines):
        if _NOISE.search(line) or _OF_SYSTEMD.match(line) or _STRUCTURED.match(line):
            blocks.append([])
        else:
            blocks[-1].append(line.strip())
    return [block for block in blocks if block]


def _one_line(block: t.Sequence[str]) -> str:
    """Return a block as one line; of a crash, which prints all of its stacks, the line with the cause."""
    crash = [line for line in block if _CRASH.match(line)]
    return " ".join(crash[-1:] or block[-_MOST_LINES:])


def _message(match: re.Match[str]) -> str:
    text = match[2]
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    error = re.search(r'\berror="((?:[^"\\]|\\.)*)"', match[3])
    return f"{text}: {error[1]}" if error else text
