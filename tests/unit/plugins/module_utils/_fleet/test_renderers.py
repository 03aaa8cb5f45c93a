# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in its four forms; what a host says is harmless in each of them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import model
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet.render import prometheus, report_text
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._fleet_page import page
from support.hosts.fleet import NOW, bundle, client, host, ledger, mixed_report, report, served, server, stored

WORDS = tuple(report_text.WORDS.values())


# The table


def test_table_lines_about_things_begin_with_their_level() -> None:
    for line in report_text.render(mixed_report()):
        if line and not line.startswith(("Docker", "Authorities", "Clients", " ")):
            assert line.startswith((*WORDS, "CRITICAL:"))


def test_table_columns_stand_below_each_other() -> None:
    lines = report_text.render(mixed_report())
    start = next(number for number, line in enumerate(lines) if "ON THE WIRE" in line)
    head = lines[start]
    rows = [line for line in lines[start + 1 :] if line.startswith(WORDS)][:10]
    for column in ("ENDPOINT", "ON DISK", "ON THE WIRE", "ADMITS", "VERDICT", "NAMES"):
        place = head.index(column)
        assert all(row[place - 2 : place] == "  " and row[place] != " " for row in rows), column


def test_table_shouts_served_not_stored_and_explains_it() -> None:
    lines = report_text.render(mixed_report())
    row = next(number for number, line in enumerate(lines) if line.startswith("WARNING   web2"))
    assert "  SERVED-NOT-STORED  " in lines[row]
    assert "SERVED IS NOT STORED: renewed" in lines[row + 1]
    assert "-> Restart dockerd there" in lines[row + 2]


ON_DISK = " ".join(server().view.names)
OTHER = server(80, address="10.0.0.6")
NAMES: dict[str, tuple[Any, Any, list[str]]] = {
    # what the wire shows, what the disk has, what is reported
    "both": (server(), server(), [ON_DISK]),
    "disk-only": (None, server(), [ON_DISK]),
    "wire-only": (OTHER, None, ["web.example.org 10.0.0.5 10.0.0.6"]),
    "different": (OTHER, server(), ["web.example.org 10.0.0.5 10.0.0.6", f"on disk: {ON_DISK}"]),
    "nothing": (None, None, []),
}


@pytest.mark.parametrize(("wire", "disk", "expected"), NAMES.values(), ids=NAMES)
def test_names_of_a_certificate_are_in_the_table_the_page_and_the_document(
    wire: Any, disk: Any, expected: list[str]
) -> None:
    shown = served(wire) if wire is not None else model.Served(model.UNREACHABLE)
    found = report([host("web1", stored=stored(disk))], wire={"web1": shown})
    (row,) = [line for line in report_text.render(found) if "  web1  " in line]
    assert row.endswith(f"  {'; '.join(expected) or '-'}")
    for each in expected:
        assert f">{each}</span>" in page.render(report_text.to_document(found))
    entry = report_text.to_document(found)["hosts"][0]
    for place, pair in (("served", wire), ("stored", disk)):
        certificate = entry[place]["certificate"]
        assert (certificate and certificate["names"]) == (pair and list(pair.view.names))


def test_table_shows_no_control_character() -> None:
    assert all(line.isprintable() for line in report_text.render(mixed_report()))


def test_table_of_problems_leaves_the_rest_out_and_says_how_many() -> None:
    lines = report_text.render(mixed_report(), problems_only=True)
    assert not any("docker1.example.org" in line for line in lines)
    assert "ok        4 not shown" in lines


def test_table_shows_what_is_wrong_with_the_ledger_in_a_line_of_its_own() -> None:
    lines = report_text.render(report(ledger_found=ledger(state="tampered", problem="line 7 was changed", line=7)))
    row = lines.index("CRITICAL  CA  ledger-tampered")
    assert "^ ledger-tampered: line 7 was changed" in lines[row + 1]


def test_table_gives_repeated_advice_once() -> None:
    lines = report_text.render(mixed_report())
    row = next(number for number, line in enumerate(lines) if line.startswith("CRITICAL  web7"))
    assert [line.strip()[:2] for line in lines[row + 1 : row + 4]] == ["^ ", "^ ", "->"]


def test_table_of_nothing_says_none() -> None:
    assert report_text.render(report()).count("          none") == 2


def test_table_ends_with_the_summary() -> None:
    judged = mixed_report()
    assert report_text.render(judged)[-1] == report_text.summary(judged)
    assert report_text.summary(judged).startswith("CRITICAL: 6 critical, 3 warning, 1 unknown, 10 ok; ")


def test_summary_of_a_sound_fleet_is_short() -> None:
    assert report_text.summary(report([host()], [bundle()])) == "OK: 4 ok"


# The document


def test_document_has_the_promised_keys_and_survives_json() -> None:
    found = report_text.to_document(mixed_report())
    assert json.loads(report_text.to_json(found)) == found
    assert list(found) == [
        "schema", "generated", "level", "exit_code", "summary", "counts", "thresholds", "ca", "authorities", "hosts", "clients", "certificates",
    ]  # fmt: skip
    one = next(entry for entry in found["hosts"] if entry["name"] == "web2")
    assert (one["verdict"], one["level"], one["served_is_stored"]) == ("served-not-stored", "warning", False)
    assert one["served"]["certificate"]["days_left"] == 80.0
    assert one["access"] == {"wanted": ["clients"], "admits": ["clients-g1"], "rights": {}}
    assert one["findings"][0]["code"] == "served-not-stored"


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ({}, ["clients-g1"]),
        ({"clients": "full"}, ["clients-g1"]),
        ({"clients": "read-only"}, ["clients-g1 (read-only)"]),
        ({"clients": "full", "company": "ci + rules"}, ["clients-g1", "company: ci + rules"]),
    ],
    ids=str,
)
def test_rights_of_a_group_are_beside_the_authority_that_the_host_admits(
    rights: dict[str, str], expected: list[str]
) -> None:
    one = report([host(stored=stored(server(), rights=rights))])
    assert report_text.to_document(one)["hosts"][0]["access"]["rights"] == rights
    (row,) = (line for line in report_text.render(one) if "  web1  " in line)
    assert f"  {' '.join(expected)}  " in row
    assert f">{', '.join(expected)}<" in page.render(report_text.to_document(one)).replace("\n", "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, 0), ({"stored": stored(None)}, 1), ({"stored": stored(server(-1))}, 2)],
)
def test_document_has_the_exit_code_of_monitoring_plugins(changes: dict[str, Any], expected: int) -> None:
    assert report_text.to_document(report([host(**changes)]))["exit_code"] == expected


# Metrics


def test_metrics_are_what_prometheus_reads() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    families = {
        family.name: family for family in parser.text_string_to_metric_families(prometheus.render(mixed_report()))
    }
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    ends = families["docker_tls_certificate_not_after_timestamp_seconds"]
    wire = next(s for s in ends.samples if s.labels["host"] == "web2" and s.labels["where"] == "wire")
    assert wire.labels == {"kind": "server", "host": "web2", "name": "web2", "where": "wire"}
    assert wire.value == (NOW + timedelta(days=80)).timestamp()
    status = {(s.labels["kind"], s.labels["name"]): s.value for s in families["docker_tls_status"].samples}
    assert (status["server", "web2"], status["server", "web3"], status["client", "zoe"], status["ca", "ca"]) == (
        1,
        2,
        3,
        0,
    )
    assert status["server", "<script>alert(1)</script>"] == 0
    same = {s.labels["host"]: s.value for s in families["docker_tls_served_is_stored"].samples}
    assert (same["web2"], same["edge-4"], "web6" in same) == (0, 1, False)
    codes = {(s.labels["name"], s.labels["code"]) for s in families["docker_tls_problem"].samples}
    assert ("web7", "admits-unwanted") in codes
    assert families["docker_tls_ledger_intact"].samples[0].value == 1


def test_metrics_have_each_series_once_and_no_timestamps() -> None:
    lines = [line for line in prometheus.render(mixed_report(5)).splitlines() if not line.startswith("#")]
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))
    assert all(re.fullmatch(r'[a-z_]+(\{([a-z_]+="([^"\\\n]|\\.)*",?)+\})? -?\d+', line) for line in lines)


def test_metrics_labels_are_escaped() -> None:
    rendered = prometheus.render(report([host('a"b\\c\nd')]))
    assert 'host="a\\"b\\\\c\\nd"' in rendered


def test_metrics_labels_stay_the_same_over_a_renewal() -> None:
    def series(judged: Any) -> set[str]:
        return {line.rpartition(" ")[0] for line in prometheus.render(judged).splitlines()}

    def at(left_days: int, hours: int) -> Any:
        one = server(left_days)
        now = NOW + timedelta(hours=hours)
        clients = [bundle("alice", client("alice", left_days))]
        return report([host(stored=stored(one))], clients, wire={"web1": served(one)}, now=now)

    before, after = at(200, 0), at(364, 1)
    assert series(before) == series(after)
