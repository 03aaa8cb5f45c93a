# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of dockerd's log about a failed start. Pure.

dockerd prints the reason for not starting as plain text on stderr ("failed to start daemon: ...", measured on 20.10 to 29),
beside its structured log; systemd's own lines about the unit stand in the same journal, and each restart repeats all of it.
"""

from __future__ import annotations

import re
import typing as t

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
