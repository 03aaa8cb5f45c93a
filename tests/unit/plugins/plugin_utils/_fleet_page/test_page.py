# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the status report: complete, harmless whatever hosts report, readable everywhere, and its timeline."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import pathlib
import re
from datetime import timedelta
from typing import Any

import jinja2
import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet.render import report_text
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._fleet_page import page
from support.hosts.fleet import bundle, client, host, mixed_report, report, stored, unwanted
from support.hosts.fleet import ca as ca_of

VOID = {"meta", "br", "rect", "line", "input"}
HERE = pathlib.Path(page.__file__).parent


def rendered(found: Any, *title: str) -> str:
    return page.render(report_text.to_document(found), *title)


def built(found: Any) -> Any:
    return page.build(report_text.to_document(found), found.now)


class Page(html.parser.HTMLParser):
    """Collects what a page has, and complains where an element is not closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_page_is_well_formed_and_shows_everything() -> None:
    found = Page(rendered(mixed_report(), "Fleet & more"))
    for shown in (
        "Fleet & more",
        "web2",
        "<script>alert(1)</script>",
        "portainer & <b>co</b>",
        "SERVED IS NOT STORED",
        "server-g0",
    ):
        assert any(shown in words for words in found.texts), shown


def test_page_has_one_script_and_nothing_from_elsewhere() -> None:
    source = rendered(mixed_report())
    found = Page(source)
    assert not any(tag in ("link", "img", "iframe", "object", "a") for tag, _name, _value in found.attributes)
    assert not any(
        name.startswith("on") or name in ("src", "href", "srcset", "action") for _tag, name, _value in found.attributes
    )
    assert not re.search(r"url\(|@import|https?:|innerHTML|eval", source)
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert ("meta", "content", policy) in found.attributes


def test_page_gives_advice_with_every_fault() -> None:
    made = report_text.to_document(mixed_report())
    faults = [one for item in _items(made) for one in item["findings"] if one["level"] != "ok"]
    assert len(faults) > 10 and all(one["advice"] for one in faults)
    assert rendered(mixed_report()).count('<p class="soft small">') >= len(faults)


def _items(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [made["ca"], *(one for kind in ("authorities", "hosts", "clients", "certificates") for one in made[kind])]


def test_rows_and_problems_say_their_level_to_the_filter() -> None:
    found = Page(rendered(mixed_report(3)))
    levels = [(tag, value) for tag, name, value in found.attributes if name == "data-level"]
    assert {value for _tag, value in levels} == {"ok", "unknown", "warning", "critical"}
    assert [tag for tag, _value in levels].count("tr") == 13 + 6 + 4


def test_name_that_the_report_lacks_is_an_error() -> None:
    made = report_text.to_document(report([host()]))
    del made["hosts"][0]["endpoint"]
    with pytest.raises(jinja2.UndefinedError, match="endpoint"):
        page.render(made)


def test_page_is_ready_for_phones_and_screen_readers() -> None:
    found = Page(rendered(mixed_report()))
    assert ("html", "lang", "en") in found.attributes
    assert ("meta", "content", "width=device-width, initial-scale=1") in found.attributes
    scopes = [value for tag, name, value in found.attributes if tag == "th" and name == "scope"]
    assert {"col", "row"} == set(scopes)
    assert (
        sum(1 for tag, name, value in found.attributes if tag == "svg" and (name, value) == ("aria-hidden", "true"))
        > 10
    )


def test_page_of_a_sound_fleet_says_so() -> None:
    found = Page(rendered(report([host()], [bundle()])))
    assert "Nothing needs attention." in found.texts


def test_page_of_nothing_has_no_timeline() -> None:
    empty = report(authorities={"host": "a", "path": "/b", "state": "not-asked"})
    assert "When certificates end" not in rendered(empty)


#: Every text of a report that a host, a client machine or a CA host may have written.
def hostile_report(text: str) -> Any:
    files = stored(None, state="not-readable", problem=text)
    found = ca_of(
        certificates=[unwanted(text, request=text), unwanted("b", source="adopted", requester=text, request="")]
    )
    hosts = [host(text, stored=files), host("web2", access_groups=[text])]
    return report(
        hosts, [bundle(text, client(), host=text, group=text, stored={**files, "path": text})], authorities=found
    )


@pytest.mark.parametrize(
    "hostile",
    ['"><script>alert(1)</script>', "</title><img src=x onerror=alert(1)>", "' onload=x '", "{{ 7 * 7 }}{% raw %}",
     "a\x00b", "x\u202egnp.exe", "</style>", "'\"&<>"],
)  # fmt: skip
def test_hostile_text_is_shown_and_does_nothing(hostile: str) -> None:
    calm, source = rendered(hostile_report("calm"), "calm"), rendered(hostile_report(hostile), hostile)
    found = Page(source)
    assert [(tag, name) for tag, name, _value in found.attributes] == [
        (tag, name) for tag, name, _value in Page(calm).attributes
    ]
    shown = "".join(letter if letter.isprintable() else "?" for letter in hostile)
    assert any(shown in words for words in found.texts)
    assert "\x00" not in source and "\u202e" not in source


def colours(scheme: str) -> dict[str, str]:
    light, dark = (HERE / "page.css").read_text().split("prefers-color-scheme: dark", 1)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", light if scheme == "light" else dark))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_style_has_enough_contrast(scheme: str) -> None:
    found = colours(scheme)
    pairs = [("text", "card"), ("text", "ground"), ("soft", "card"), ("soft", "ground")]
    pairs += [(level, f"{level}-ground") for level in ("ok", "unknown", "warning", "critical")]
    pairs += [(level, "critical-ground") for level in ("ok", "unknown", "warning")]
    for one, other in pairs:
        assert contrast(found[one], found[other]) >= 4.5, (one, other)
    for level in ("ok", "warning", "critical"):
        if level != "warning" or scheme == "dark":
            assert contrast(found[f"bar-{level}"], found["card"]) >= 2


# The timeline


def test_timeline_puts_what_ends_first_first_and_cuts_authorities() -> None:
    line = built(report([host()], [bundle("ci", client("ci", 30))]))
    assert line is not None
    assert [(row.name, row.cut) for row in line.bars] == [
        ("ci", False),
        ("web1", False),
        ("clients-g1", True),
        ("server-g1", True),
    ]
    assert all(0 <= row.start <= row.end <= page.WIDTH for row in line.bars)
    assert all(row.warns <= row.alarms <= page.WIDTH for row in line.bars)


def test_timeline_shows_both_certificates_where_served_is_not_stored() -> None:
    line = built(mixed_report())
    assert line is not None
    assert {"web2 (served)", "web2 (on disk)"} <= {row.name for row in line.bars}


def test_timeline_of_a_large_fleet_is_cut_and_says_how_much() -> None:
    line = built(mixed_report(100))
    assert line is not None
    assert (len(line.bars), line.hidden) == (page.MOST_ROWS, 100 + 18 - page.MOST_ROWS)
    assert "58 more end later." in rendered(mixed_report(100))


@pytest.mark.parametrize("hours", [0.01, 1, 8, 48, 24 * 20, 24 * 90, 24 * 365, 24 * 365 * 4])
def test_timeline_has_a_fair_number_of_ticks_whatever_the_span(hours: float) -> None:
    life = timedelta(hours=hours * 2)
    line = built(report([], [bundle("ci", client("ci", hours / 24, life=life))]))
    assert line is not None
    assert 3 <= len(line.ticks) <= 9
    assert 0 < line.now < page.WIDTH
    places = [tick.place for tick in line.ticks]
    assert places == sorted(places)
    assert all(abs(tick.place - line.now) > 75 for tick in line.labels())


def test_timeline_without_leaves_ends_with_the_authorities() -> None:
    line = built(report())
    assert line is not None
    assert not any(row.cut for row in line.bars)


def test_timeline_of_what_is_all_over_still_has_an_axis() -> None:
    line = built(report([], [bundle("ci", client("ci", -3))]))
    assert line is not None
    assert line.bars[0].level == "critical"


@pytest.mark.parametrize("days", [4, 40, 300, 1400])
def test_axis_says_the_year(days: int) -> None:
    life = timedelta(days=days * 2)
    line = built(report([], [bundle("ci", client("ci", days, life=life))]))
    assert line is not None
    assert all(re.search(r"\b20[0-9]{2}\b", tick.label) for tick in line.ticks) or days == 4
