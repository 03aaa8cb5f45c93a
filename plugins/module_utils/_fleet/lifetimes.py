# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The remaining life of a certificate, its thresholds, and its text."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._time import parse_renew_before
from .model import Finding

# The lifetime with which thresholds are tried when only their spelling is checked.
_ANY_LIFETIME = timedelta(days=36500)


class Dates(t.Protocol):
    """Something with a beginning and an end."""

    @property
    def not_before(self) -> datetime:
        """When it begins."""

    @property
    def not_after(self) -> datetime:
        """When it ends."""


@dataclass(frozen=True)
class Thresholds:
    """When a certificate has too little life left: any of the fractions (``1/4``) or lengths of time (``30d``).

    Which certificates ``critical`` holds for, ``warning`` need not: the worse one counts.
    """

    warning: tuple[str, ...]
    critical: tuple[str, ...]


def check_thresholds(warning: t.Sequence[str], critical: t.Sequence[str]) -> Thresholds:
    """Return the thresholds. Raises TlsError ``duration-invalid`` naming the option."""
    for option, texts in (("warning", warning), ("critical", critical)):
        for text in texts:
            parse_renew_before(text, _ANY_LIFETIME, option)
    return Thresholds(tuple(warning), tuple(critical))


def limit(texts: t.Iterable[str], lifetime: timedelta) -> timedelta:
    """Return the largest of the thresholds for a certificate of ``lifetime``.

    A length of time that is the whole life or more is useless for such a certificate and is left out: with ``30d``
    alone a client certificate of eight hours would be a warning all its life.
    """
    lengths = [parse_renew_before(text, lifetime) for text in texts]
    return max((length for length in lengths if length < lifetime), default=timedelta(0))


def validity_finding(view: Dates, thresholds: Thresholds, now: datetime, what: str, advice: str) -> Finding | None:
    """Return the finding about the dates of a certificate, None if they are fine.

    ``what`` names the certificate, ``advice`` how to get another.
    """
    left = view.not_after - now
    if left <= timedelta(0):
        return Finding("expired", "critical", f"{what} expired {ago(-left)} ago, on {end_text(view)}", advice)
    if now < view.not_before:
        text = f"{what} begins only in {ago(view.not_before - now)}"
        return Finding("not-yet-valid", "critical", text, "Compare the clocks of the controller and the CA host.")
    lifetime = view.not_after - view.not_before
    for level, texts in (("critical", thresholds.critical), ("warning", thresholds.warning)):
        if left <= limit(texts, lifetime):
            return Finding("expires-soon", level, f"{what} ends in {ago(left)}, on {end_text(view)}", advice)
    return None


def days_left(view: Dates, now: datetime) -> float:
    """Return the days until a certificate ends, negative after its end; to a hundredth, rounded down."""
    return ((view.not_after - now) // timedelta(seconds=864)) / 100


def ago(length: timedelta) -> str:
    """Return a length of time in one suitable unit: ``364 days``, ``47 hours``, ``12 minutes``."""
    seconds = int(length.total_seconds())
    for unit, size, least in (("day", 86400, 2), ("hour", 3600, 2), ("minute", 60, 1)):
        if seconds >= size * least:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def left_text(view: Dates, now: datetime) -> str:
    """Return ``364 days`` or ``-3 days`` for the time until the end of a certificate."""
    left = view.not_after - now
    return ago(left) if left >= timedelta(0) else f"-{ago(-left)}"


def end_text(view: Dates) -> str:
    """Return the day on which a certificate ends, with the time of day (UTC) where it lives less than three days."""
    short = view.not_after - view.not_before < timedelta(days=3)
    return view.not_after.strftime("%Y-%m-%d %H:%M" if short else "%Y-%m-%d")


def plural(count: int, noun: str) -> str:
    """Return ``1 day``, ``2 days``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
