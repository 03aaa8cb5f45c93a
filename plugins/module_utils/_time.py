# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times and durations as users write and read them."""

from __future__ import annotations

import functools
import re
from datetime import datetime, timedelta, timezone
from fractions import Fraction

from ._errors import TlsError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(?P<count>\d{1,9})(?P<unit>[smhdw])")
_FRACTION = re.compile(r"(?P<over>\d{1,3})/(?P<under>\d{1,3})")


def utc_now() -> datetime:
    """Return the clock of this host, aware and in UTC. Only ``main`` functions call it."""
    return datetime.now(timezone.utc)


def isoformat(moment: datetime) -> str:
    """Return ``2026-11-22T13:00:00Z`` for an aware datetime (ISO 8601, UTC, whole seconds)."""
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds")[:19] + "Z"


def from_isoformat(text: str) -> datetime:
    """Return the moment that ``isoformat`` has written. Raises ValueError for any other text."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def parse_duration(text: str, option: str = "duration") -> timedelta:
    """Return the length of ``90s``, ``15m``, ``12h``, ``30d`` or ``52w``; always more than zero.

    Raises TlsError ``duration-invalid`` naming ``option`` for anything else.
    """
    seconds = _seconds(str(text).strip())
    if seconds <= 0 or seconds > 100 * 366 * 86400:
        raise TlsError(
            f"{option} is {str(text)!r}, which is not a usable length of time",
            hint="Write a whole number above zero and a unit: s, m, h, d or w, for example 365d or 12h; at most 100 years.",
            code="duration-invalid",
        )
    return timedelta(seconds=seconds)


@functools.lru_cache(maxsize=64)
def _seconds(text: str) -> int:
    """Return the seconds of a length of time, 0 for another text; thousands of requests have the same validity."""
    match = _DURATION.fullmatch(text)
    return int(match["count"]) * _SECONDS[match["unit"]] if match else 0


def parse_renew_before(text: str, lifetime: timedelta, option: str = "renew_before") -> timedelta:
    """Return how long before its end a certificate of ``lifetime`` is renewed.

    ``text`` is a duration (``30d``) or a fraction of the lifetime (``1/3``, above 0 and below 1).
    Raises TlsError ``duration-invalid`` naming ``option``.
    """
    return _share(text, lifetime, option, "1/3 (renew when a third of the lifetime is left)")


def parse_renew_jitter(text: str, lifetime: timedelta, option: str = "renew_jitter") -> timedelta:
    """Return over how long a time the renewals of a fleet are spread: as ``parse_renew_before``, and ``0`` for not at all."""
    if str(text).strip() == "0":
        return timedelta(0)
    return _share(text, lifetime, option, "1/20 (spread renewals over a twentieth of the lifetime), 0 for not at all,")


def _share(text: str, lifetime: timedelta, option: str, example: str) -> timedelta:
    match = _FRACTION.fullmatch(str(text).strip())
    if match is None:
        return parse_duration(text, option)
    if int(match["under"]) == 0 or not 0 < Fraction(int(match["over"]), int(match["under"])) < 1:
        raise TlsError(
            f"{option} is {text!r}, which is not a fraction between 0 and 1",
            hint=f"Write for example {example} or a length of time such as 30d.",
            code="duration-invalid",
        )
    return lifetime * int(match["over"]) / int(match["under"])
