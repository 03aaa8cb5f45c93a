# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of authorities and certificates at the CA, one line each that reads like a plan."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._pki import plan_text
from .._pki.names import CLIENT_PREFIX
from .._time import isoformat

if t.TYPE_CHECKING:
    from . import create, revocation, sign_batch


def authorities(outcome: create.Outcome, now: datetime) -> list[str]:
    """Return one line for each new authority, and one for other changes of the CA directory."""
    lines = [
        f"new authority {spec.id}, CN {spec.common_name}, {spec.key_type}, until {plan_text.day(now + spec.validity)} "
        "(authority-missing)"
        for spec in outcome.missing
    ]
    others = [reason for reason in outcome.reasons if reason != "authority-missing"]
    return [*lines, f"CA directory put in order ({', '.join(others)})"] if others else lines


def revocations(found: t.Iterable[revocation.Revocation]) -> list[str]:
    """Return one line for each authority that a revoked client has a valid certificate of."""
    return [
        f"authority {one.authority}: {one.issuing or 'a new generation'} signs, {', '.join(one.generations)} has to leave "
        f"(client-revoked: {', '.join(one.clients)})"
        for one in found
    ]


def listed(found: revocation.Outcome) -> list[str]:
    """Return one line for each certificate that is revoked by the list of its authority alone."""
    leaving = {each for one in found.revocations for each in one.generations}
    return [
        f"revocation list of {one.authority}: certificate {one.serial} (client-revoked: {one.client})"
        for one in found.listed
        if one.authority not in leaving
    ]


def certificates(result: sign_batch.BatchResult) -> list[str]:
    """Return one line for each certificate that is (would be) issued: names, issuer, end, fingerprint."""
    return [_certificate_line(name, one) for name, one in result.signed.items()]


def _certificate_line(name: str, one: sign_batch.Signed) -> str:
    wanted = one.approved
    authority = wanted.authority.id if wanted.authority else wanted.request.authority
    shown = [each for each in wanted.subject.names if not each.startswith(CLIENT_PREFIX)]
    named = f", SAN {' '.join(shown)}" if shown else ""
    text = f"{name}: CN {wanted.subject.common_name}{named}, issuer {authority}, until {isoformat(wanted.not_after)}"
    return f"{text}, sha256 {one.view.fingerprint_sha256}" if one.view else text
