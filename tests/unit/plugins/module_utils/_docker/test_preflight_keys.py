# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that an engine does not know. The table of verdicts is what the real dockerd of each release said."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import daemon_json, unit_reader
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_reader import check_keys

PATH = "/etc/docker/daemon.json"
ENGINES = ("20.10.24+dfsg1", "26.1.5+dfsg1", "28.5.2")
# What dockerd 20.10.24, 26.1.5 and 28.5.2 answered to each file: the names that they refuse.
ANSWERS: list[tuple[str, tuple[str, str, str]]] = [
    ('{"tlsverfy": true}', ("tlsverfy", "tlsverfy", "tlsverfy")),
    ('{"bip6": "fd00::1/64"}', ("bip6", "bip6", "")),
    ('{"log-format": "json"}', ("log-format", "", "")),
    ('{"graph": "/x"}', ("", "graph", "graph")),
    ('{"oom-score-adjust": 1}', ("", "oom-score-adjust", "oom-score-adjust")),
    ('{"proxies": {"http-proxy": "http://a"}}', ("http-proxy", "", "")),
    ('{"zzz": {"debug": true}}', ("", "", "")),
    ('{"zzz": {"yyy": true}}', ("yyy", "yyy", "yyy")),
    ('{"zzz": {}}', ("", "", "")),
    ('{"default-network-opts": {"bridge": {"mtu": "1400"}}}', ("", "", "")),
    ('{"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 10, "Soft": 10}}}', ("", "", "")),
    ('{"builder": {"gc": {"enabled": true}}}', ("", "", "")),
    ('{"features": {"buildkit": true}}', ("", "", "")),
    ('{"log-opts": {"max-size": "1m"}}', ("", "", "")),
    ('{"runtimes": {"x": {"path": "/bin/true"}}}', ("", "", "")),
    ('{"labels": ["a=b"], "label": ["a=b"]}', ("", "", "")),
    ('{"cluster-store-opts": {"a": "b"}}', ("", "cluster-store-opts", "cluster-store-opts")),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("text", "answers"), ANSWERS, ids=[text for text, _answers in ANSWERS])
def test_check_keys_each_engine_says_what_its_dockerd_says(engine: str, text: str, answers: t.Any) -> None:
    found = check_keys(json.loads(text), PATH, engine, in_use=False)
    named = [name for name in (answers[ENGINES.index(engine)],) if name]
    assert [item.severity for item in found] == ["error" for _name in named]
    assert all(repr(name) in item.message for name, item in zip(named, found))


def test_check_keys_finding_names_key_engine_and_nearest_key() -> None:
    (found,) = check_keys({"tlsverfy": True}, PATH, "20.10.24+dfsg1", in_use=False)
    assert "'tlsverfy'" in found.message
    assert "20.10.24+dfsg1" in found.message
    assert PATH in found.message
    assert "'tlsverify'" in found.hint


def test_check_keys_name_unlike_any_other_has_a_hint() -> None:
    (found,) = check_keys({"qqqqqq": True}, PATH, "28.5.2", in_use=False)
    assert found.hint == "Remove it."


@pytest.mark.parametrize("engine", ["29.0.1", "30.1", "24.0.7", "28.0.4", "19.03.15", "dev", "", None])
def test_check_keys_engine_not_measured_condemns_nothing_made_up(engine: str | None) -> None:
    assert check_keys({"tlsverfy": True}, PATH, engine, in_use=False) == []


@pytest.mark.parametrize(
    ("name", "release", "verdict"),
    [
        ("http-proxy", (20, 10), False),
        ("http-proxy", (24, 0), None),
        ("http-proxy", (26, 1), True),
        ("http-proxy", (27, 3), True),
        ("graph", (20, 10), True),
        ("graph", (23, 0), None),
        ("graph", (27, 0), False),
        ("bip6", (25, 0), False),
        ("bip6", (27, 5), None),
        ("hosts", (24, 0), True),
        ("hosts", (29, 0), None),
    ],
)
def test_knows_release_between_measured_ones_is_decided_where_both_sides_agree(
    name: str, release: tuple[int, int], verdict: bool | None
) -> None:
    assert unit_reader.knows(name, release) is verdict


@pytest.mark.parametrize("release", unit_reader.MEASURED)
def test_known_every_release_has_our_own_keys(release: tuple[int, int]) -> None:
    assert set(daemon_json.MANAGED_KEYS) <= set(unit_reader.known(release))


def test_tables_no_name_is_in_two() -> None:
    assert not unit_reader.ALWAYS & {*unit_reader.APPEARED, *unit_reader.DISAPPEARED}
    assert not {*unit_reader.APPEARED} & {*unit_reader.DISAPPEARED}


def test_check_keys_daemon_that_runs_with_the_file_is_not_condemned() -> None:
    (found,) = check_keys({"vendor-key": 1}, PATH, "20.10.24", in_use=True)
    assert found.severity == "warning"
