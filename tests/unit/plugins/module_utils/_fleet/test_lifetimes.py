# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remaining life: thresholds, words, and the finding that follows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import certificate_checks
from support.hosts.fleet import NOW, THRESHOLDS, server

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("texts", "lifetime", "expected"),
    [
        (("1/4",), 365 * DAY, 91.25 * DAY),
        (("30d",), 365 * DAY, 30 * DAY),
        (("1/4", "100d"), 365 * DAY, 100 * DAY),
        (("1/4", "30d"), 8 * DAY, 2 * DAY),
        (("30d",), 30 * DAY, timedelta(0)),
        ((), 365 * DAY, timedelta(0)),
    ],
    ids=["fraction", "length", "larger-counts", "longer-than-life-ignored", "whole-life-ignored", "never"],
)
def test_limit_is_the_largest_threshold_below_the_lifetime(
    texts: tuple[str, ...], lifetime: timedelta, expected: timedelta
) -> None:
    assert certificate_checks.limit(texts, lifetime) == expected


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "30", "-3d", "soon", ""])
def test_check_thresholds_of_nonsense_name_the_option(text: str) -> None:
    with pytest.raises(TlsError, match="critical") as caught:
        certificate_checks.check_thresholds(["1/4"], ["1/10", text])
    assert caught.value.code == "duration-invalid"


@pytest.mark.parametrize(
    ("left_days", "expected"),
    [
        (364, None),
        (91.3, None),
        (91.25, ("expires-soon", "warning")),
        (36.6, ("expires-soon", "warning")),
        (36.5, ("expires-soon", "critical")),
        (0.001, ("expires-soon", "critical")),
        (0, ("expired", "critical")),
        (-400, ("expired", "critical")),
        (366, ("not-yet-valid", "critical")),
    ],
)
def test_validity_finding_follows_the_thresholds(left_days: float, expected: tuple[str, str] | None) -> None:
    finding = certificate_checks.validity_finding(server(left_days).view, THRESHOLDS, NOW, "it", "")
    assert (finding and (finding.code, finding.level)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172799, "47 hours"),
        (172800, "2 days"),
        (364.9 * 86400, "364 days"),
    ],
)
def test_ago_says_it_in_one_unit(seconds: float, expected: str) -> None:
    assert certificate_checks.ago(timedelta(seconds=seconds)) == expected


def test_days_left_are_rounded_down_also_below_zero() -> None:
    assert certificate_checks.days_left(server(1.999).view, NOW) == 1.99
    assert certificate_checks.days_left(server(-0.001).view, NOW) == -0.01


def test_end_text_has_the_time_of_day_only_for_short_lives() -> None:
    assert certificate_checks.end_text(server(1, life=timedelta(hours=8)).view) == "2026-11-23 13:00"
    assert certificate_checks.end_text(server(1).view) == "2026-11-23"
