# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a report is written to."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet.render import prometheus


def test_write_makes_the_file_with_its_mode_and_a_second_time_nothing(tmp_path: pathlib.Path) -> None:
    output = prometheus.Output(str(tmp_path / "status.json"), "größer\n")
    changed, diffs = prometheus.write([output], 0o640, check_mode=False)
    assert (changed, diffs[0]["before"], diffs[0]["after"]) == (True, "", "größer\n")
    assert (tmp_path / "status.json").read_text(encoding="utf-8") == "größer\n"
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o640
    assert prometheus.write([output], 0o640, check_mode=False) == (False, [])


def test_write_in_check_mode_only_tells(tmp_path: pathlib.Path) -> None:
    (tmp_path / "page.html").write_text("old")
    changed, diffs = prometheus.write(
        [prometheus.Output(str(tmp_path / "page.html"), "new", shown=False)], 0o644, check_mode=True
    )
    assert (changed, diffs) == (True, [{"prepared": f"{tmp_path}/page.html: 3 characters\n"}])
    assert (tmp_path / "page.html").read_text() == "old"


def test_write_into_a_directory_that_is_not_there_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TlsError, match="there is no directory") as caught:
        prometheus.write([prometheus.Output(str(tmp_path / "a/b"), "x")], 0o644, check_mode=True)
    assert caught.value.code == "directory-missing"


@pytest.mark.parametrize("text", ["", "0999", "rw", "0o1777", "0001", "-644"])
def test_parse_mode_of_nonsense_is_refused(text: str) -> None:
    with pytest.raises(TlsError, match="file_mode"):
        prometheus.parse_mode(text)


@pytest.mark.parametrize(("text", "expected"), [("0644", 0o644), ("600", 0o600), ("0o640", 0o640)])
def test_parse_mode_reads_octal(text: str, expected: int) -> None:
    assert prometheus.parse_mode(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tcp://web1:2376", ("web1", 2376)),
        ("tcp://[fd00::5]:2377", ("fd00::5", 2377)),
        ("10.0.0.5:2376", ("10.0.0.5", 2376)),
    ],
)
def test_endpoint_is_an_address_and_a_port(url: str, expected: tuple[str, int]) -> None:
    assert collect.endpoint(url) == expected


@pytest.mark.parametrize(
    "url", ["", "tcp://web1", "tcp://:2376", "tcp://web1:x", "tcp://[fd00::5:2376", "tcp://web1:99999"]
)
def test_endpoint_of_nonsense_is_refused(url: str) -> None:
    with pytest.raises(TlsError) as caught:
        collect.endpoint(url)
    assert caught.value.code == "endpoint-invalid"


def test_ledger_with_a_strange_time_is_refused() -> None:
    with pytest.raises(TlsError, match="not a time of a ledger"):
        collect.ledger({"state": "intact", "begins": "yesterday"})
