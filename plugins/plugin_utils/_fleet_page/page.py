# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status report as one HTML page that needs no other file and no network.

Made from the report as M(portcullis.docker_tls.fleet_status) returns it, on the controller, where Jinja2 is. Every value of the report is escaped by
the template engine (autoescape), and a name that the report does not have is an error (StrictUndefined) rather than an empty cell.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import pathlib
import typing as t
from datetime import datetime

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...module_utils import _time
from ...module_utils._fleet import lifetimes
from ...module_utils._fleet.render import json_file
from ...module_utils._text_table import clean
from . import timeline

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
            line=timeline.build(report, now),
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
    made.globals.update(SIGNS=_SIGNS, WIDTH=timeline.WIDTH, label=label, admitted=json_file.admitted)
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
    return lifetimes.left_text(timeline.Dates.of(certificate), now)


def _ends(certificate: Report) -> str:
    return lifetimes.end_text(timeline.Dates.of(certificate))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _place(place: int) -> str:
    return f"{place / timeline.WIDTH:.1%}"
