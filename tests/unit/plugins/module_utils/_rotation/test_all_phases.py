# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All authorities in one run: which phase is due, who waits, and what a second run makes of an interrupted one."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._rotation import phases

NOW = datetime(2026, 11, 22, 13, tzinfo=timezone.utc)
AGES = {"g1": 900, "g2": 30, "g3": 2}


def authority(name: str, stages: dict[str, str], at: tuple[int, ...], **more: t.Any) -> phases.Situation:
    """Return an authority of which the host `a` and the bundle `x` have the generations ``at``."""
    ids = frozenset(f"{name}-g{number}" for number in at)
    newest = frozenset([f"{name}-g{max(at)}"])
    host = phases.Place("a", "a", issuers=newest, trusts=ids, still_trusts=ids)
    bundle = phases.Place("localhost: x", "localhost", "x", issuers=newest, trusts=ids, still_trusts=ids)
    ages: dict[str, int] = {**AGES, **more.pop("ages", {})}
    return phases.Situation(
        name,
        tuple(
            phases.Generation(f"{name}-{number}", stage, NOW - timedelta(days=ages[number]))
            for number, stage in stages.items()
        ),
        (host,),
        (bundle,),
        now=NOW,
        again_after=more.pop("again_after", timedelta(days=1)),
        **more,
    )


BEGIN, WAITING = {"g1": "issuing"}, {"g1": "issuing", "g2": "accepted"}
BOTH, END = {"g1": "retiring", "g2": "issuing"}, {"g2": "issuing"}

# situations; the phase that is due, what the CA does in it, who has something to do
TABLE: dict[str, tuple[list[phases.Situation], str, list[str], bool]] = {
    "begin": (
        [authority("server", BEGIN, (1,)), authority("ops", BEGIN, (1,))],
        *("trust", ["server accepted", "ops accepted"], True),
    ),
    "killed-between-the-two": (
        [authority("server", WAITING, (1,), ages={"g2": 0}), authority("ops", BEGIN, (1,))],
        *("trust", ["ops accepted"], False),
    ),
    "one-is-further": (
        [authority("server", BOTH, (1, 2)), authority("ops", WAITING, (1,))],
        *("trust", [], False),
    ),
    "both-trusted": (
        [authority("server", WAITING, (1, 2)), authority("ops", WAITING, (1, 2))],
        *("reissue", ["server issuing", "ops issuing"], False),
    ),
    "one-is-complete-the-other-goes-on": (
        [authority("server", END, (2,)), authority("ops", BOTH, (1, 2))],
        *("retire", ["ops retired"], False),
    ),
    "both-complete-and-young": (
        [authority("server", END, (2,), ages={"g2": 0}), authority("ops", END, (2,), ages={"g2": 0})],
        *("done", [], True),
    ),
    "both-complete-and-old": (
        [authority("server", END, (2,)), authority("ops", END, (2,))],
        *("trust", ["server accepted", "ops accepted"], True),
    ),
    "one-was-rotated-years-ago": (
        [authority("server", END, (2,), ages={"g2": 700}), authority("ops", WAITING, (1,))],
        *("trust", ["server accepted"], False),
    ),
    "new-group-beside-a-rotation": (
        [authority("server", BOTH, (1, 2)), authority("ops", BEGIN, (1,), ages={"g1": 0})],
        *("trust", ["ops accepted"], False),
    ),
}


@pytest.mark.parametrize(("situations", "phase", "changes", "idle"), TABLE.values(), ids=TABLE)
def test_all_stand_in_the_earliest_phase_of_any(
    situations: list[phases.Situation], phase: str, changes: list[str], idle: bool
) -> None:
    plan = phases.all_to_dict(phases.decide_all(situations))
    assert (plan["authority"], plan["phase"], plan["idle"]) == ("all", phase, idle)
    assert [f"{one['name']} {one['state']}" for one in plan["changes"]] == changes
    assert bool(plan["change"]) == bool(changes)


def test_hosts_are_restarted_once_a_phase_for_all_of_them() -> None:
    plans = phases.decide_all([authority("server", BEGIN, (1,)), authority("ops", BEGIN, (1,))])
    plan = phases.all_to_dict(plans)
    assert (plan["hosts"], plan["bundle_hosts"], plan["target"]) == (["a"], ["localhost"], "server-g2, ops-g2")


def test_what_is_in_the_way_of_one_is_in_the_way_of_all_and_its_risk_is_told() -> None:
    lost = phases.Place("b", "b", problem="unreachable")
    blocked = authority("ops", WAITING, (1, 2))
    blocked = phases.Situation(
        **{**vars(blocked), "hosts": (*blocked.hosts, lost)},
    )
    plan = phases.all_to_dict(phases.decide_all([authority("server", WAITING, (1, 2)), blocked]))
    assert plan["blockers"] == ["b: whether it admits ops-g2 is not known (unreachable)"]
    assert "Hosts that do not admit ops-g2" in plan["risk"] and "server" not in plan["risk"]


def test_text_says_who_waits_and_that_nothing_was_changed_once() -> None:
    situations = [authority("server", BOTH, (1, 2)), authority("ops", WAITING, (1,))]
    plans = phases.decide_all(situations)
    text = "\n".join(phases.render_all(situations, plans, executing=False))
    assert "waits until the others have done the phase trust" in text
    assert text.index("authority server") < text.index("waits until") < text.index("authority ops")
    assert text.count("Nothing has been changed") == 1
    assert "copies of bundles outside of this inventory" in text
    assert "Nothing has been changed" not in "\n".join(phases.render_all(situations, plans, executing=True))
