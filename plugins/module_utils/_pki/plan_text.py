# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a certificate, as one line that reads like a plan.

For example: ``certificate expires 2026-12-01 -> 2027-11-22, SAN + 10.0.0.7 (expires-soon, names-changed)``.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta, timezone

from . import names, profiles, renewal
from .reader import CertificateView

#: Names that every server certificate may have, and that are not shown.
_LOCAL = ("localhost", "127.0.0.1", "::1")


def plan_text(
    wanted: renewal.Wanted, existing: renewal.Existing, reasons: t.Sequence[str], end: datetime | None = None
) -> str:
    """Return the line for a certificate that would be issued; ``end`` is when the new one will end, None where that is not known."""
    view = existing.certificate
    parts = _new(wanted, end) if view is None else _renewed(wanted, existing, view, end)
    return f"{', '.join(parts)} ({', '.join(reasons)})"


def _new(wanted: renewal.Wanted, end: datetime | None) -> list[str]:
    until = f" until {day(end)}" if end is not None else ""
    shown = _shown(wanted.subject.names)
    named = [f"SAN {' '.join(shown)}"] if shown else []
    return [f"new certificate{until}", f"CN {wanted.subject.common_name}", *named, f"issuer {_issuer(wanted)}"]


def _renewed(
    wanted: renewal.Wanted, existing: renewal.Existing, view: CertificateView, end: datetime | None
) -> list[str]:
    write = minute if end is not None and abs(end - view.not_after) < timedelta(days=2) else day
    parts = [f"certificate expires {write(view.not_after)} -> {write(end) if end is not None else 'a new one'}"]
    if not wanted.accepts_common_name(view.common_name):
        parts.append(f"CN {view.common_name} -> {wanted.subject.common_name}")
    expected = wanted.expected_names(existing.left_out)
    if wanted.accepts_names(view.names, existing.left_out):
        expected = frozenset(view.names)
    added = _shown(expected - set(view.names), local=True)
    removed = _shown(set(view.names) - expected, local=True)
    if added or removed:
        signs = [*(f"+ {name}" for name in added), *(f"- {name}" for name in removed)]
        parts.append(f"SAN {' '.join(signs)}")
    if not renewal.has_issuer(wanted, existing, view):
        before = authority_text(view.issuer)
        parts.append(f"issuer {before} -> {_issuer(wanted, before)}")
    key_type = existing.key_type or view.key_type
    if key_type != wanted.key_type:
        parts.append(f"key {key_type} -> {wanted.key_type}")
    if not renewal.has_profile(view, wanted.profile):
        usages = " ".join(sorted(view.extended_key_usages)) or "any"
        parts.append(f"usage {usages} -> {profiles.USAGE_OF_PROFILE[wanted.profile]}")
    return parts


def _shown(found: t.Iterable[str], *, local: bool = False) -> list[str]:
    """Return names for people: sorted, without a client's identity, and without the local ones that all servers have."""
    return sorted(name for name in found if not name.startswith(names.CLIENT_PREFIX) and (local or name not in _LOCAL))


def _issuer(wanted: renewal.Wanted, before: str = "") -> str:
    after = authority_text(wanted.authority.subject) if wanted.authority is not None else "a new authority"
    return f"another {after}" if after == before else after


def authority_text(subject: str) -> str:
    """Return what people call an authority: ``server-g1`` for one of ours, else its common name, else its whole subject."""
    own = re.search(r"OU=([^,+]+-g\d+)", subject) or re.search(r"CN=([^,+]+)", subject)
    return own.group(1) if own else subject


def day(moment: datetime) -> str:
    """Return the date of a time, in UTC."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """Return a time to the minute, for certificates that live for hours."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%MZ}"
