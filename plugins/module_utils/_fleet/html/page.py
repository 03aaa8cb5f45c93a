# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML page that needs nothing else: no script, no other file. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t

from ..._pki.reader import CertificateView
from .. import assess_host, lifetimes
from ..model import NOT_ASKED, AuthorityStatus, Certificate, CertificateStatus, ClientStatus, HostStatus, Judged, Report
from ..render import json_file
from . import style, timeline
from .markup import Markup, join, raw, tag

# A sign for each level, for whoever does not see the colours.
_SIGNS = {"ok": "✓", "unknown": "?", "warning": "▲", "critical": "✕"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(report: Report, title: str = "Docker TLS status") -> str:
    """Return the page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="robots", content="noindex"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{report.level}: {title}"),
        tag("style", raw(style.CSS)),
    )
    parts = [
        _header(report, title),
        _problems(report),
        _timeline(report),
        _hosts(report),
        _clients(report),
        _certificates(report),
        _authorities(report),
        _footer(report),
    ]
    page = tag("html", head, tag("body", tag("main", *parts)), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _header(report: Report, title: str) -> Markup:
    made = tag("p", f"as of {report.now:%Y-%m-%d %H:%M} UTC", class_="soft")
    counts = [
        tag("li", _badge_text(level, f"{count} {level}"), class_=level)
        for level, count in report.counts.items()
        if count
    ]
    overall = tag("strong", _badge_text(report.level, report.level.capitalize()))
    banner = tag("div", overall, tag("ul", *counts, aria_label="How many"), class_=f"overall {report.level}")
    return tag("header", tag("div", tag("h1", title), made), banner)


def _badge_text(level: str, words: str) -> Markup:
    return join([tag("span", _SIGNS[level], aria_hidden="true"), f" {words}"])


def _badge(item: Judged) -> Markup:
    return tag("span", _badge_text(item.level, item.verdict), class_=f"badge {item.level}")


def _section(title: str, *children: str) -> Markup:
    return tag("section", tag("h2", title), *children)


def _problems(report: Report) -> Markup:
    items = sorted((item for item in report.items if item.level != "ok"), key=lambda item: item.level != "critical")
    if not items:
        return tag("section", tag("p", "Nothing needs attention."))
    return _section("What needs attention", tag("ul", *(_problem(item) for item in items), class_="problems"))


def _problem(item: Judged) -> Markup:
    findings = [
        tag("li", tag("p", _sentence(finding.message)), tag("p", advice, class_="soft small") if advice else "")
        for finding, advice in json_file.explained(item, notes=False)
    ]
    return tag("li", tag("b", json_file.label(item)), " ", _badge(item), tag("ul", *findings), class_=item.level)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _timeline(report: Report) -> Markup:
    line = timeline.build(report)
    if line is None:
        return Markup("")
    hidden = f" {line.hidden} more end later." if line.hidden else ""
    note = f"What ends first comes first. A bar is a certificate's life; its end has the colours of warning and critical.{hidden}"
    rows = [_axis(line), *(_bar(life, line) for life in line.bars)]
    return _section("When certificates end", tag("p", note, class_="soft small"), tag("ul", *rows, class_="timeline"))


def _axis(line: timeline.Timeline) -> Markup:
    labels = [
        tag("span", tick.label, class_="minor" if tick.minor else None, style=_at(tick.place)) for tick in line.labels()
    ]
    today = tag("span", "now", class_="today", style=_at(line.now))
    return tag("li", tag("div", today, *labels), class_="axis", aria_hidden="true")


def _at(place: int) -> str:
    return f"left:{place / timeline.WIDTH:.1%}"


def _upright(place: int, kind: str) -> Markup:
    return tag("line", x1=str(place), x2=str(place), y1="0", y2="24", class_=kind)


def _box(start: int, end: int, kind: str) -> Markup:
    return tag("rect", x=str(start), y="6", width=str(max(end - start, 2)), height="12", class_=kind)


def _bar(life: timeline.Bar, line: timeline.Timeline) -> Markup:
    stretches = (
        (life.start, life.warns, "life"),
        (max(life.warns, life.start), life.alarms, "due"),
        (life.alarms, life.end, "late"),
    )
    drawing = tag(
        "svg",
        *(_upright(tick.place, "grid") for tick in line.ticks),
        *(_box(start, end, kind) for start, end, kind in stretches if end > start or (kind == "late" and not life.cut)),
        _upright(line.now, "now"),
        viewBox=f"0 0 {timeline.WIDTH} 24",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )
    name = tag("span", tag("b", life.name), " ", tag("span", life.kind, class_="soft small"), class_="name")
    left = (
        tag("span", _badge_text(life.level, life.left), class_=f"badge {life.level}")
        if life.level != "ok"
        else life.left
    )
    end = tag(
        "span",
        tag("span", f"{life.ends}{' →' if life.cut else ''}"),
        tag("span", left, class_="small left"),
        class_="end",
    )
    return tag("li", name, drawing, end)


def _table(caption: str, columns: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> Markup:
    """Return a table whose first column names the row. The roles keep it a table where the style makes it a list."""
    head = tag("tr", *(tag("th", column, scope="col", role="columnheader") for column in columns), role="row")
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row", role="rowheader"),
            *(
                tag("td", tag("div", cell), data_label=column, role="cell")
                for column, cell in zip(columns[1:], row[1:])
            ),
            role="row",
        )
        for row in rows
    ]
    if not body:
        return tag("p", "None.", class_="soft")
    return tag(
        "table",
        tag("thead", head, role="rowgroup"),
        tag("tbody", *body, role="rowgroup"),
        role="table",
        aria_label=caption,
    )


def _hosts(report: Report) -> Markup:
    columns = ("Host", "Verdict", "On the wire", "On disk", "Admits", "Names")
    return _section("Docker hosts", _table("Docker hosts", columns, [_host(one, report) for one in report.hosts]))


def _host(one: HostStatus, report: Report) -> list[str]:
    facts = one.facts
    same = json_file.served_is_stored(one)
    stored = "the same" if same else _found(facts.stored.certificate, facts.stored.state, report)
    served = _found(facts.served.certificate, json_file.wire_state(one), report)
    admits = "" if one.admits is None else ", ".join(one.admits) or "nobody named"
    name = join([facts.name, tag("span", assess_host.endpoint(facts), class_="mono under")])
    names = [tag("span", each, class_="mono wrap names") for each in json_file.names_of(one)]
    return [name, _badge(one), served, stored, admits or "-", join(names) if names else "-"]


def _found(found: Certificate | None, state: str, report: Report) -> str:
    if found is None:
        return "-" if state == "not-asked" else state
    return _certificate(found.view, report)


def _certificate(view: CertificateView, report: Report) -> Markup:
    print_ = tag("span", view.fingerprint_sha256[:8], class_="mono", title=f"SHA-256 {view.fingerprint_sha256}")
    under = tag("span", f"until {lifetimes.end_text(view)} ", print_, class_="soft small under")
    return join([lifetimes.left_text(view, report.now), under])


def _clients(report: Report) -> Markup:
    columns = ("Client", "Verdict", "Access group", "Certificate", "Where")
    return _section("Clients", _table("Clients", columns, [_client(one, report) for one in report.clients]))


def _client(one: ClientStatus, report: Report) -> list[str]:
    facts = one.facts
    where = tag("span", f"{facts.host}:{facts.stored.path or facts.id}", class_="mono wrap")
    return [facts.client, _badge(one), facts.group, _found(facts.stored.certificate, facts.stored.state, report), where]


def _certificates(report: Report) -> Markup:
    if not report.certificates:
        return Markup("")
    columns = ("Client", "Verdict", "Authority", "Until", "Opens", "Request")
    rows = [_unwanted(one) for one in report.certificates]
    title = "Client certificates that should not be used"
    return _section(title, _table(title, columns, rows))


def _unwanted(one: CertificateStatus) -> list[str]:
    facts = one.facts
    opened = ", ".join(one.opens) or "no host"
    return [
        facts.client,
        _badge(one),
        facts.generation,
        f"{facts.not_after:%Y-%m-%d}",
        opened,
        facts.request or facts.requester,
    ]


def _authorities(report: Report) -> Markup:
    columns = ("Authority", "Verdict", "Signs", "Certificate", "Key type")
    ca, ledger = report.ca.authorities, report.ca.ledger
    lines = f" with {lifetimes.plural(ledger.lines, 'line')}" if ledger.lines else ""
    place = f"In {ca.path} on {ca.host}. Ledger: {ledger.state}{lines}."
    note = tag("p", "Not looked at." if ca.state == NOT_ASKED else place, class_="soft small")
    return _section(
        "Authorities", _table("Authorities", columns, [_authority(one, report) for one in report.authorities]), note
    )


def _authority(one: AuthorityStatus, report: Report) -> list[str]:
    view = one.anchor.certificate.view
    signs = "servers" if one.anchor.purpose == "server" else "clients"
    role = signs if one.anchor.current else f"no more ({signs}), still trusted"
    return [one.anchor.id, _badge(one), role, _certificate(view, report), view.key_type]


def _footer(report: Report) -> Markup:
    warning, critical = " or ".join(report.warning), " or ".join(report.critical)
    text = f"Warning from {warning or 'never'} of life left, critical from {critical or 'never'}. Made by portcullis.docker_tls."
    return tag("footer", tag("p", text, class_="soft small"), style="margin-top:1rem")
