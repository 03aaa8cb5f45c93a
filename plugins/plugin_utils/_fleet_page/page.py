# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status report as a page, and its timeline.

Pure arithmetic: places are thousandths of the axis' width. The axis ends with the last certificate of a server or a
client; authorities live so much longer that their bars are cut off there (with a mark).

Made from the report as M(portcullis.docker_tls.fleet_status) returns it, on the controller, where Jinja2 is. Every value of the report is escaped by
the template engine (autoescape), and a name that the report does not have is an error (StrictUndefined) rather than an empty cell.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import pathlib
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...module_utils import _time
from ...module_utils._fleet import certificate_checks
from ...module_utils._fleet.render import report_text
from ...module_utils._text_table import clean

Document = t.Mapping[str, t.Any]

WIDTH = 1000
MOST_ROWS = 60
_MOST_TICKS = 8
# Room that a label needs on a wide page, in thousandths; on a phone it is twice as much.
_LABEL = 75
_SHORTEST = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Dates:
    """The life of a certificate."""

    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, certificate: Document) -> Dates:
        """Return the dates of a certificate of the report."""
        return cls(_time.from_isoformat(certificate["not_before"]), _time.from_isoformat(certificate["not_after"]))


@dataclass(frozen=True)
class Tick:
    """A mark on the axis. ``minor`` ones have no label where there is little room."""

    place: int
    label: str
    minor: bool


@dataclass(frozen=True)
class Bar:
    """The life of one certificate: from ``warns`` on it is a warning, from ``alarms`` on critical.

    ``level`` is about its dates alone. ``cut``: it continues beyond the end of the axis.
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

    def stretches(self) -> list[tuple[int, int, str]]:
        """Return (start, width, kind) of each part to draw; an end has a mark even where it has no width."""
        parts = (
            (self.start, self.warns, "life"),
            (max(self.warns, self.start), self.alarms, "due"),
            (self.alarms, self.end, "late"),
        )
        return [
            (start, max(end - start, 2), kind)
            for start, end, kind in parts
            if end > start or (kind == "late" and not self.cut)
        ]


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
    dates: Dates
    fades: bool = False  # an older authority, which is meant to end


def build(report: Document, now: datetime) -> Timeline | None:
    """Return the timeline of a report, None without a certificate."""
    lives = sorted(_lives(report), key=lambda life: (life.dates.not_after, life.name))
    if not lives:
        return None
    leaves = [life.dates.not_after for life in lives if life.kind != "authority"]
    last = max(leaves or [lives[-1].dates.not_after])
    ahead = max(last - now, _SHORTEST) * 26 / 25
    axis = _Axis(now - ahead / 8, now + ahead)
    shown = lives[:MOST_ROWS]
    thresholds = certificate_checks.Thresholds(
        tuple(report["thresholds"]["warning"]), tuple(report["thresholds"]["critical"])
    )
    return Timeline(
        ticks=tuple(_ticks(axis)),
        now=axis.place(now),
        bars=tuple(_bar(life, axis, thresholds, now) for life in shown),
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


def _lives(report: Document) -> t.Iterator[_Life]:
    for authority in report["authorities"]:
        yield _Life(authority["id"], "authority", Dates.of(authority["certificate"]), not authority["current"])
    for host in report["hosts"]:
        stored, served = host["stored"]["certificate"], host["served"]["certificate"]
        both = host["served_is_stored"] is False
        if served is not None:
            yield _Life(f"{host['name']} (served)" if both else host["name"], "server", Dates.of(served))
        if stored is not None and (served is None or both):
            yield _Life(f"{host['name']} (on disk)", "server", Dates.of(stored))
    for client in report["clients"]:
        if client["certificate"] is not None:
            name = client["id"] if client["host"] == "localhost" else f"{client['host']}: {client['id']}"
            yield _Life(name, "client", Dates.of(client["certificate"]))


def _bar(life: _Life, axis: _Axis, thresholds: certificate_checks.Thresholds, now: datetime) -> Bar:
    dates = life.dates
    lifetime = dates.not_after - dates.not_before
    finding = certificate_checks.validity_finding(dates, thresholds, now, "", "")
    alarms = dates.not_after - certificate_checks.limit(thresholds.critical, lifetime)
    return Bar(
        name=life.name,
        kind=life.kind,
        level="ok" if finding is None or life.fades else finding.level,
        left=certificate_checks.left_text(dates, now),
        ends=certificate_checks.end_text(dates),
        start=axis.place(dates.not_before),
        end=axis.place(dates.not_after),
        warns=axis.place(min(alarms, dates.not_after - certificate_checks.limit(thresholds.warning, lifetime))),
        alarms=axis.place(alarms),
        cut=dates.not_after > axis.end,
    )


def _ticks(axis: _Axis) -> t.Iterator[Tick]:
    moments, form = _marks(axis)
    for number, moment in enumerate(moments):
        yield Tick(axis.place(moment), moment.strftime(form), minor=number % 2 == 1)


def _marks(axis: _Axis) -> tuple[list[datetime], str]:
    """Return round moments on the axis, as close together as there is room for, and how to write them: from a day on with the year."""
    hour = timedelta(hours=1)
    for step, form in (
        *((size * hour, "%H:%M") for size in (1 / 6, 0.5, 1, 2)),
        *((size * hour, "%d %b %H:%M") for size in (6, 12)),
        *((size * _DAY, "%Y-%m-%d") for size in (1, 2, 7, 14)),
    ):
        if (axis.end - axis.start) / step <= _MOST_TICKS:
            return list(_every(axis, step)), form
    for months, form in (
        (1, "%b %Y"),
        (2, "%b %Y"),
        (3, "%b %Y"),
        (6, "%b %Y"),
        (12, "%Y"),
        (24, "%Y"),
        (60, "%Y"),
        (120, "%Y"),
    ):
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


Report = t.Mapping[str, t.Any]

TITLE = "Docker TLS status"
_HERE = pathlib.Path(__file__).parent
#: A sign for each level, for anyone who does not see the colours.
_SIGNS = {"ok": "✓", "unknown": "?", "warning": "▲", "critical": "✕"}


def render(report: Report, title: str = TITLE) -> str:
    """Return the page. In: the module's RV(report), and the heading."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    now = _time.from_isoformat(report["generated"])
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            title=title,
            now=now,
            problems=_problems(report),
            line=build(report, now),
            style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (files of ours)
            script=Markup(script),  # noqa: S704
            policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        )
    )


@functools.cache
def _environment() -> Environment:
    made = Environment(
        autoescape=True,
        finalize=_printable,
        keep_trailing_newline=True,
        loader=FileSystemLoader(str(_HERE)),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters.update(left=_left, ends=_ends, sentence=_sentence, faults=_faults, place=_place)
    made.globals.update(SIGNS=_SIGNS, WIDTH=WIDTH, label=label, admitted=report_text.admitted)
    return made


def _printable(value: t.Any) -> t.Any:
    """Return a text with ? for what no page should hold (control and direction marks)."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def label(kind: str, item: Report) -> str:
    """Return the name by which people know an item of the report; ``kind`` is the report's key for its list."""
    if kind == "hosts":
        return str(item["name"])
    if kind == "clients":
        return str(item["id"]) if item["host"] == "localhost" else f"{item['host']}: {item['id']}"
    if kind == "certificates":
        return f"{item['client']} by {item['generation']}"
    return str(item["id"]) if kind == "authorities" else "CA"


def _problems(report: Report) -> list[tuple[str, Report]]:
    """Return (name, item) of each item with a problem, critical ones first."""
    items = [("CA", report["ca"])]
    for kind in ("authorities", "hosts", "clients", "certificates"):
        items += [(label(kind, item), item) for item in report[kind]]
    return sorted((pair for pair in items if pair[1]["level"] != "ok"), key=lambda pair: pair[1]["level"] != "critical")


def _faults(findings: t.Sequence[Report]) -> list[Report]:
    """Return the findings that are to be shown: those that are not fault are left out."""
    return [one for one in findings if one["level"] != "ok"]


def _left(certificate: Report, now: datetime) -> str:
    return certificate_checks.left_text(Dates.of(certificate), now)


def _ends(certificate: Report) -> str:
    return certificate_checks.end_text(Dates.of(certificate))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _place(place: int) -> str:
    return f"{place / WIDTH:.1%}"
