# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The goals of the project, and whether the measured sections reach them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .bench import BASELINE, OURS, Section

MEMORY_BOUND_MIB = 256


@dataclass(frozen=True)
class Goal:
    """One goal: what was found, None where it was not measured."""

    case: str
    goal: str
    found: t.Optional[str] = None
    reached: t.Optional[bool] = None


Sections = t.Mapping[str, Section]


def ratio(section: t.Optional[Section], above: str, below: str, what: str = "wall") -> t.Optional[float]:
    """Return the ratio of the medians of two cells, None if one of them was not measured."""
    if section is None or above not in section.cells or below not in section.cells:
        return None
    denominator = section.cells[below].median(what)
    return section.cells[above].median(what) / denominator if denominator else None


def judge(sections: Sections) -> list[Goal]:
    """Return all goals in the order of the table."""
    real, some, most = (sections.get(name) for name in ("real-8-ssh", "simulated-200", "simulated-1000"))
    no_change, renewal, first = (f"{OURS}/{case}" for case in ("no-change", "renewal", "first"))
    ping = "a `ping` play"
    return [
        _at_most("no-change `site.yml`, 8 real hosts over SSH", real, no_change, "ping", 1.3, ping, cpu_limit=1.3),
        _faster("no-change `site.yml`, 8 real hosts over SSH", real, "no-change", 14),
        _at_most("renewal of all, 8 real hosts over SSH", real, renewal, "ping", 2.8, ping),
        _faster("renewal of all, 8 real hosts over SSH", real, "renewal", 7.5),
        _at_most("first run, 8 real hosts over SSH, same key type", real, first, "ping", 3.2, ping),
        _faster("first run, 8 real hosts over SSH, same key type", real, "first", 6),
        _at_most("control plane, 200 simulated hosts, renewal of all", some, renewal, "ping", 2, ping, cpu_limit=2.5),
        _at_most("control plane, 1,000 simulated hosts, no change", most, no_change, "ping", 0.5, ping),
        *(_flat(sections, case) for case in ("no-change", "renewal", "first")),
        _at_most(
            "signing 100 CSRs in one play",
            sections.get("signing-100"),
            f"{OURS}/100 requests",
            "nothing",
            2,
            "a play that does nothing",
            cpu_limit=2,
        ),
        _ca(sections.get("ca-10000")),
        _gap_dockerd(sections.get("gap-dockerd")),
        _gap_systemd(sections.get("gap-systemd")),
    ]


def _at_most(
    case: str,
    section: t.Optional[Section],
    above: str,
    below: str,
    limit: float,
    what: str,
    cpu_limit: t.Optional[float] = None,
) -> Goal:
    """Compare two cells in wall time and, where it has a limit, in CPU time."""
    goal = f"≤ {limit:g} × {what}"
    if cpu_limit is not None:
        goal += ", wall and CPU" if cpu_limit == limit else f" wall, ≤ {cpu_limit:g} × CPU"
    wall, cpu = ratio(section, above, below), ratio(section, above, below, "cpu")
    if wall is None or cpu is None:
        return Goal(case, goal)
    reached = wall <= limit and (cpu_limit is None or cpu <= cpu_limit)
    return Goal(case, goal, f"{wall:.2f} × wall, {cpu:.2f} × CPU", reached)


def _faster(case: str, section: t.Optional[Section], name: str, limit: float) -> Goal:
    goal = f"≥ {limit:g} × faster than the {BASELINE} playbook"
    found = ratio(section, f"{BASELINE}/{name}", f"{OURS}/{name}")
    return Goal(case, goal) if found is None else Goal(case, goal, f"{found:.1f} ×", found >= limit)


def cost_per_host(sections: Sections, cell: str, what: str) -> dict[tuple[int, int], float]:
    """Return seconds for each further host between one fleet size and the next: what a run costs with any inventory is left out."""
    sizes = {}
    for section in sections.values():
        if section.parameters.get("simulated") and cell in section.cells:
            sizes[int(section.parameters["hosts"])] = section.cells[cell].median(what)
    steps = sorted(sizes.items())
    return {(few, many): (more - less) / (many - few) for (few, less), (many, more) in zip(steps, steps[1:])}


def _flat(sections: Sections, name: str) -> Goal:
    """Compare what a further host costs between 200 and 1,000 with what it costs between 50 and 200."""
    what_runs = {"no-change": "no change", "renewal": "renewal of all", "first": "first run"}[name]
    case, goal = f"control plane, cost of a further host from 50 to 1,000, {what_runs}", "flat within 20 %"
    growth = []
    for what in ("wall", "cpu"):
        costs = cost_per_host(sections, f"{OURS}/{name}", what)
        if (50, 200) not in costs or (200, 1000) not in costs:
            return Goal(case, goal)
        growth.append(costs[200, 1000] / costs[50, 200] - 1)
    found = f"{growth[0]:+.0%} wall, {growth[1]:+.0%} CPU"
    return Goal(case, goal, found, max(growth) <= 0.2)


def _ca(section: t.Optional[Section]) -> Goal:
    case = "10,000 certificates in one CA call, ledger and fsync kept"
    goal = f"≤ 2 × the raw `cryptography` loop; ≤ {MEMORY_BOUND_MIB} MiB"
    found = ratio(section, "ours", "raw loop")
    if section is None or found is None:
        return Goal(case, goal)
    facts, peak = section.facts, section.cells["ours"].median("peak_mib")
    kept = facts.get("ledger_lines", 0) >= facts.get("requests", 1) <= facts.get("files", 0)
    return Goal(case, goal, f"{found:.2f} ×, {peak:.0f} MiB", found <= 2 and peak <= MEMORY_BOUND_MIB and kept)


def _gap_dockerd(section: t.Optional[Section]) -> Goal:
    case, goal = "API gap during renewal, live-restore on, `dockerd` listener", "one restart"
    if section is None or not section.facts:
        return Goal(case, goal)
    facts = section.facts
    found = f"restarts: {facts['restarts']}; no answer for {facts['longest_gap']:.1f} s, {facts['refused']} refused"
    return Goal(case, goal, found, facts["restarts"] == 1 and facts["container_lived_on"])


def _gap_systemd(section: t.Optional[Section]) -> Goal:
    case, goal = "API gap during renewal, live-restore on, `systemd` listener", "no refused connection"
    if section is None or not section.facts:
        return Goal(case, goal)
    facts = section.facts
    broken = sum(facts["broken"].values())
    found = f"{facts['refused']} refused, {broken} broken off; longest wait {facts['longest_wait']:.1f} s"
    return Goal(case, goal, found, facts["refused"] == 0 and facts["container_lived_on"])
