# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations, fractions and times: tables."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import (
    from_isoformat,
    isoformat,
    parse_duration,
    parse_renew_before,
    parse_renew_jitter,
    utc_now,
)

YEAR = timedelta(days=365)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1s", timedelta(seconds=1)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("365d", YEAR),
        ("52w", timedelta(weeks=52)),
        (" 30d ", timedelta(days=30)),
        ("36600d", timedelta(days=36600)),
        ("007d", timedelta(days=7)),
    ],
)
def test_parse_duration_good_text_gives_its_length(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0d",
        "-1d",
        "1",
        "d",
        "1y",
        "1 d",
        "1.5d",
        "1d1h",
        "1D",
        "1/3",
        "36601d",
        "9999999999d",
        "None",
    ],
)
def test_parse_duration_bad_text_names_option_and_form(text: str) -> None:
    with pytest.raises(TlsError) as caught:
        parse_duration(text, "validity")
    assert caught.value.code == "duration-invalid"
    assert caught.value.message.startswith(f"validity is {text!r}")
    assert "365d" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/3", YEAR / 3),
        ("1/2", YEAR / 2),
        ("2/3", YEAR * 2 / 3),
        ("999/1000", None),
        (" 1/3 ", YEAR / 3),
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
    ],
)
def test_parse_renew_before_fraction_or_length(text: str, expected: timedelta | None) -> None:
    if expected is None:
        with pytest.raises(TlsError):
            parse_renew_before(text, YEAR)
    else:
        assert parse_renew_before(text, YEAR) == expected


@pytest.mark.parametrize("text", ["0/3", "3/3", "4/3", "1/0", "0/0", "1/", "/3", "1/3d", "-1/3", "0d", ""])
def test_parse_renew_before_bad_text_names_option(text: str) -> None:
    with pytest.raises(TlsError) as caught:
        parse_renew_before(text, YEAR, "docker_server_cert_renew_before")
    assert caught.value.code == "duration-invalid"
    assert "docker_server_cert_renew_before" in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", timedelta(0)), (" 0 ", timedelta(0)), ("1/20", YEAR / 20), ("14d", timedelta(days=14))],
)
def test_parse_renew_jitter_zero_fraction_or_length(text: str, expected: timedelta) -> None:
    assert parse_renew_jitter(text, YEAR) == expected


@pytest.mark.parametrize("text", ["0d", "0/1", "1/1", "-1", "none", ""])
def test_parse_renew_jitter_bad_text_names_option(text: str) -> None:
    with pytest.raises(TlsError) as caught:
        parse_renew_jitter(text, YEAR, "docker_server_cert_renew_jitter")
    assert "docker_server_cert_renew_jitter" in caught.value.message


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 11, 22, 13, tzinfo=timezone.utc), "2026-11-22T13:00:00Z"),
        (datetime(2026, 11, 22, 13, 0, 0, 999_999, tzinfo=timezone.utc), "2026-11-22T13:00:00Z"),
        (datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=2))), "2026-11-22T11:00:00Z"),
    ],
)
def test_isoformat_is_utc_and_whole_seconds(moment: datetime, expected: str) -> None:
    assert isoformat(moment) == expected


def test_utc_now_is_aware() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_from_isoformat_reads_what_isoformat_writes_and_nothing_else() -> None:
    text = "2026-11-22T13:00:00Z"
    assert isoformat(from_isoformat(text)) == text
    with pytest.raises(ValueError, match="does not match format"):
        from_isoformat("2026-11-22 13:00")
