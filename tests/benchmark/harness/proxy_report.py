# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Goals and rows of the listener `proxy`."""

from __future__ import annotations

import typing as t

from .bench import OURS, Section
from .goals import Goal, Sections, ratio
from .proxy import DOCKERD, EVENTS, LISTENERS, PROXY

MEMORY_BOUND_MIB = 40
CHANGES_HEAD = [
    "listener",
    "change",
    "refused",
    "broken off",
    "streams broken",
    "restarts of dockerd",
    "longest wait, s",
    "answered",
]
COST_HEAD = ["what", "dockerd's TLS", "`proxy`", "ratio"]


def judge_proxy(sections: Sections) -> list[Goal]:
    """Return the goals of the listener `proxy`."""
    changes, cost = sections.get("proxy-changes"), sections.get("proxy-cost")
    return [
        _interruptions(changes),
        _restart(changes),
        _renewal(sections.get("proxy-8")),
        _connection(cost),
        _request(cost),
        *(_copy(cost, direction) for direction in ("in", "out")),
        _memory(cost),
    ]


def _interruptions(section: t.Optional[Section]) -> Goal:
    case = "renewal, revocation and rotation, a connection every 5 ms, open `logs -f` and `exec -i`"
    goal = "0 refused, 0 broken, 0 restarts of dockerd"
    facts = [section.facts.get(f"{PROXY}/{event}") for event in EVENTS if event != "restart"] if section else [None]
    known = [each for each in facts if each]
    if len(known) < len(facts):
        return Goal(case, goal)
    refused, restarts = sum(each["refused"] for each in known), sum(each["restarts"] for each in known)
    broken = sum(sum(each["broken"].values()) + len(each["streams_broken"]) for each in known)
    return Goal(
        case, goal, f"{refused} refused, {broken} broken, {restarts} restarts", refused + broken + restarts == 0
    )


def _restart(section: t.Optional[Section]) -> Goal:
    case, goal = "dockerd restarts behind the proxy", "0 refused"
    facts = section.facts.get(f"{PROXY}/restart") if section else None
    if not facts:
        return Goal(case, goal)
    broken = sum(facts["broken"].values())
    found = f"{facts['refused']} refused, {broken} broken off; longest wait {facts['longest_wait']:.1f} s"
    return Goal(case, goal, found, facts["refused"] + broken == 0 and _answered([facts]))


def _answered(facts: t.Sequence[dict[str, t.Any]]) -> bool:
    """Whether there was something to break: who gets no answer at all is not refused either."""
    return all(each["answered"] > 0 for each in facts)


def _renewal(section: t.Optional[Section]) -> Goal:
    case, goal = "renewal of all, 8 real hosts, listener `proxy`", "≤ 2 × a `ping` play"
    wall, cpu = ratio(section, f"{OURS}/renewal", "ping"), ratio(section, f"{OURS}/renewal", "ping", "cpu")
    if wall is None or cpu is None:
        return Goal(case, goal)
    return Goal(case, goal, f"{wall:.2f} × wall, {cpu:.2f} × CPU", wall <= 2)


def _connection(section: t.Optional[Section]) -> Goal:
    case, goal = "new connection and request through the proxy", "≤ 2 × dockerd's TLS"
    if section is None or "proxy_new_ms" not in section.facts:
        return Goal(case, goal)
    found = section.facts["proxy_new_ms"] / section.facts["dockerd_new_ms"]
    return Goal(case, goal, f"{found:.2f} ×", found <= 2)


def _request(section: t.Optional[Section]) -> Goal:
    case, goal = "request on an open connection through the proxy", "≤ 0.2 ms more than dockerd's TLS"
    if section is None or "proxy_open_ms" not in section.facts:
        return Goal(case, goal)
    found = section.facts["proxy_open_ms"] - section.facts["dockerd_open_ms"]
    return Goal(case, goal, f"{found:+.2f} ms", found <= 0.2)


def _copy(section: t.Optional[Section], direction: str) -> Goal:
    case, goal = f"`docker cp` of 500 MB {direction} through the proxy, Debian 13", "≤ 1.5 × dockerd's TLS"
    found = ratio(section, f"{PROXY}/cp {direction}", f"{DOCKERD}/cp {direction}")
    return Goal(case, goal) if found is None else Goal(case, goal, f"{found:.2f} ×", found <= 1.5)


def _memory(section: t.Optional[Section]) -> Goal:
    case, goal = "resident memory of the proxy", f"< {MEMORY_BOUND_MIB} MiB"
    if section is None or "memory_after_mib" not in section.facts:
        return Goal(case, goal)
    before, after = section.facts["memory_mib"], section.facts["memory_after_mib"]
    return Goal(
        case, goal, f"{before:.0f} MiB, {after:.0f} MiB after the copies", max(before, after) < MEMORY_BOUND_MIB
    )


def changes_rows(section: t.Optional[Section]) -> list[list[str]]:
    """Return a row for each listener and change."""
    rows = []
    for listener in LISTENERS:
        for event in EVENTS:
            facts = section.facts.get(f"{listener}/{event}") if section else None
            if facts:
                broken = ", ".join(f"{count} {name}" for name, count in facts["broken"].items()) or "0"
                streams = ", ".join(f"`{name}`" for name in facts["streams_broken"]) or "none"
                what = "restart of dockerd" if event == "restart" else event
                numbers = (facts["restarts"], facts["longest_wait"], facts["answered"])
                rows.append([f"`{listener}`", what, str(facts["refused"]), broken, streams, *map(str, numbers)])
    return rows


def cost_rows(section: t.Optional[Section]) -> list[list[str]]:
    """Return a row for each way of using a connection."""
    rows = []
    for name, title in (("new", "new connection and a request"), ("open", "request on an open connection")):
        if section and f"{PROXY}_{name}_ms" in section.facts:
            ours, theirs = section.facts[f"{PROXY}_{name}_ms"], section.facts[f"{DOCKERD}_{name}_ms"]
            rows.append([title, f"{theirs:.2f} ms", f"{ours:.2f} ms", f"{ours / theirs:.2f}"])
    for direction in ("in", "out"):
        found = ratio(section, f"{PROXY}/cp {direction}", f"{DOCKERD}/cp {direction}")
        if section and found is not None:
            seconds = [f"{section.cells[f'{listener}/cp {direction}'].median('wall'):.1f} s" for listener in LISTENERS]
            rows.append([f"`docker cp` of 500 MB, {direction}", *seconds, f"{found:.2f}"])
    return rows
