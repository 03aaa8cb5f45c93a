# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When which certificate ends, as places on an axis. PRIVATE: may change without notice.

Pure arithmetic: places are thousandths of the axis' width. The axis ends with the last certificate of a server or a
client; authorities live so much longer that theirs are cut off there (and say so).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from ..._pki.reader import CertificateView
from .. import lifetimes
from ..model import Report
from ..render import json_file

WIDTH = 1000
MOST_ROWS = 60
_MOST_TICKS = 14
# Room that a label needs on a wide page, in thousandths; on a phone it is twice as much.
_LABEL = 75
_SHORTEST = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tick:
    """A mark on the axis. ``minor`` ones have no label where there is little room."""

    place: int
    label: str
    minor: bool


@dataclass(frozen=True)
class Bar:
    """The life of one certificate: from ``warns`` on it is a warning, from ``alarms`` on critical.

    ``level`` is about its dates alone. ``cut``: it goes on behind the end of the axis.
    """

    name: str
    kind: str
    level: str
    left: str
    ends: str
    start: int
    end: int
    warns: int
    alarms: int
    cut: bool


@dataclass(frozen=True)
class Timeline:
    """The axis, the bars (what ends first comes first) and how many had no room."""

    ticks: tuple[Tick, ...]
    now: int
    bars: tuple[Bar, ...]
    hidden: int

    def labels(self) -> list[Tick]:
        """Return the ticks that have room for a label beside the one of now and inside the axis."""
        return [
            replace(tick, minor=tick.minor or abs(tick.place - self.now) < 2 * _LABEL)
            for tick in self.ticks
            if abs(tick.place - self.now) > _LABEL and _LABEL // 2 < tick.place < WIDTH - _LABEL // 2
        ]


@dataclass(frozen=True)
class _Life:
    name: str
    kind: str
    view: CertificateView
    fades: bool = False  # an older authority, which is meant to end


def build(report: Report) -> Timeline | None:
    """Return the timeline of a report, None where there is no certificate to show."""
    lives = sorted(_lives(report), key=lambda life: (life.view.not_after, life.name))
    if not lives:
        return None
    leaves = [life.view.not_after for life in lives if life.kind != "authority"]
    last = max(leaves or [lives[-1].view.not_after])
    ahead = max(last - report.now, _SHORTEST) * 26 / 25
    start, end = report.now - ahead / 8, report.now + ahead
    axis = _Axis(start, end)
    shown = lives[:MOST_ROWS]
    return Timeline(
        ticks=tuple(_ticks(axis)),
        now=axis.place(report.now),
        bars=tuple(_bar(life, axis, report) for life in shown),
        hidden=len(lives) - len(shown),
    )


@dataclass(frozen=True)
class _Axis:
    start: datetime
    end: datetime

    def place(self, moment: datetime) -> int:
        """Return where ``moment`` is, kept inside the axis."""
        share = (moment - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 1.0) * WIDTH)


def _lives(report: Report) -> t.Iterator[_Life]:
    for authority in report.authorities:
        yield _Life(authority.anchor.id, "authority", authority.anchor.certificate.view, not authority.anchor.current)
    for host in report.hosts:
        stored, served = host.facts.stored.certificate, host.facts.served.certificate
        both = stored is not None and served is not None and not json_file.served_is_stored(host)
        if served is not None:
            yield _Life(f"{host.facts.name} (served)" if both else host.facts.name, "server", served.view)
        if stored is not None and (served is None or both):
            yield _Life(f"{host.facts.name} (on disk)", "server", stored.view)
    for client in report.clients:
        if client.facts.stored.certificate is not None:
            yield _Life(json_file.bundle_name(client), "client", client.facts.stored.certificate.view)


def _bar(life: _Life, axis: _Axis, report: Report) -> Bar:
    view = life.view
    lifetime = view.not_after - view.not_before
    thresholds = lifetimes.Thresholds(report.warning, report.critical)
    finding = lifetimes.validity_finding(view, thresholds, report.now, "", "")
    alarms = view.not_after - lifetimes.limit(report.critical, lifetime)
    return Bar(
        name=life.name,
        kind=life.kind,
        level="ok" if finding is None or life.fades else finding.level,
        left=lifetimes.left_text(view, report.now),
        ends=lifetimes.end_text(view),
        start=axis.place(view.not_before),
        end=axis.place(view.not_after),
        warns=axis.place(min(alarms, view.not_after - lifetimes.limit(report.warning, lifetime))),
        alarms=axis.place(alarms),
        cut=view.not_after > axis.end,
    )


def _ticks(axis: _Axis) -> t.Iterator[Tick]:
    moments, form = _marks(axis)
    for number, moment in enumerate(moments):
        yield Tick(axis.place(moment), moment.strftime(form), minor=number % 2 == 1)


def _marks(axis: _Axis) -> tuple[list[datetime], str]:
    """Return round moments on the axis, as close together as there is room for, and how to write them."""
    for step, form in (
        (timedelta(minutes=10), "%H:%M"),
        (timedelta(hours=1), "%H:%M"),
        (timedelta(hours=6), "%d %b %H:%M"),
        (_DAY, "%d %b"),
        (7 * _DAY, "%d %b"),
    ):
        if (axis.end - axis.start) / step <= _MOST_TICKS:
            return list(_every(axis, step)), form
    for months, form in ((1, "%b %y"), (3, "%b %y"), (12, "%Y"), (60, "%Y")):
        if (axis.end - axis.start) / (months * timedelta(days=30.4)) <= _MOST_TICKS:
            return list(_every_months(axis, months)), form
    return [], ""


def _every(axis: _Axis, step: timedelta) -> t.Iterator[datetime]:
    epoch = datetime(1970, 1, 5, tzinfo=timezone.utc)  # a Monday, for steps of a week
    moment = epoch + ((axis.start - epoch) // step + 1) * step
    while moment < axis.end:
        yield moment
        moment += step


def _every_months(axis: _Axis, months: int) -> t.Iterator[datetime]:
    count = axis.start.year * 12 + axis.start.month - 1
    count += months - count % months
    while True:
        moment = datetime(count // 12, count % 12 + 1, 1, tzinfo=timezone.utc)
        if moment >= axis.end:
            return
        if moment > axis.start:
            yield moment
        count += months
