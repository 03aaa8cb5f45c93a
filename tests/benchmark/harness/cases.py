# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cases of a fleet, for each contender: first run, no change, renewal of all, one new host."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .bench import HERE, Bench, OutOfTime, Section
from .fleets import Fleet, renewal_variables
from .measure import CommandFailed, Sample

CASES = ("first", "no-change", "renewal", "new-host")


def measure_fleet(bench: Bench, fleet: Fleet, contenders: t.Sequence[str]) -> Section:
    """Measure every wanted case on a fleet; a contender that fails is noted, and the next one continues.

    The contenders take turns within each repetition: a shared machine is never the same ten minutes later.
    """
    parameters = {"hosts": fleet.size, "key_type": bench.key_type, "simulated": fleet.simulated}
    section = Section(fleet.title, parameters)
    able = list(contenders)
    try:
        for repetition in range(bench.repetitions):
            for contender in list(able):
                # As new where a first run is measured, and where the other contender has used the hosts since.
                again = repetition == 0 or "first" in bench.cases or len(able) > 1
                try:
                    _measure_contender(bench, fleet, contender, section, again=again, floor=contender == contenders[0])
                except CommandFailed as error:
                    section.problems.append(f"{contender}: {error}")
                    able.remove(contender)
    except OutOfTime:
        section.problems.append("the time limit was reached")
    finally:
        fleet.remove()
    return section


def _measure_contender(
    bench: Bench, fleet: Fleet, contender: str, section: Section, *, again: bool, floor: bool
) -> None:
    """Measure one repetition."""
    variables = fleet.variables(bench, contender)

    def run(playbook: Path, cell: str, used: dict[str, t.Any]) -> Sample:
        label = f"{fleet.name} {cell}"
        return bench.playbook(label, playbook, used, inventory=fleet.inventory, environment=fleet.environment)

    def play(case: str, more: t.Optional[dict[str, t.Any]] = None, *, count: bool = True) -> None:
        fleet.before_run()
        cell = f"{contender}/{case}"
        sample = run(
            fleet.playbook(contender), cell if count else cell + " (not counted)", {**variables, **(more or {})}
        )
        if count:
            section.add(cell, sample)

    if again:
        fleet.reset()
        play("first", count="first" in bench.cases)
    if "no-change" in bench.cases:
        # The floor, measured right before the cases that are compared with it.
        if floor:
            section.add("ping", run(HERE / "floor" / "ping.yml", "ping", {}))
        play("no-change")
    if "renewal" in bench.cases:
        play("renewal", renewal_variables(contender))
    if "new-host" in bench.cases and fleet.size > 1:
        fleet.replace_one()
        play("new-host")
