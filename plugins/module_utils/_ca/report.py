# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules report of a CA: plain values and diffs, never a key. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._time import isoformat
from .._x509 import wording
from .._x509.names import CLIENT_PREFIX
from . import batch, bootstrap, store


def authorities(outcome: bootstrap.Outcome, now: datetime) -> dict[str, dict[str, t.Any]]:
    """Return all authorities by name; those that a prediction would make have empty contents."""
    result = store.describe(outcome.stored, now)
    for spec in outcome.missing:
        result.setdefault(spec.name, _predicted_authority(spec))
    return result


def _predicted_authority(spec: bootstrap.AuthoritySpec) -> dict[str, t.Any]:
    return {
        "id": store.identifier(spec.name, 1),
        "name": spec.name,
        "purpose": store.purpose_of(spec.name),
        "generation": 1,
        "certificate_content": "",
        "trusted_content": "",
        "certificate": None,
    }


def authorities_plan(outcome: bootstrap.Outcome, now: datetime) -> list[str]:
    """Return one line for each authority that is made, and one for what else is done to the CA directory."""
    lines = [
        f"new authority {store.identifier(spec.name, 1)}, CN {spec.common_name}, {spec.key_type}, until {wording.day(now + spec.validity)} "
        "(authority-missing)"
        for spec in outcome.missing
    ]
    others = [reason for reason in outcome.reasons if reason != "authority-missing"]
    return [*lines, f"CA directory put in order ({', '.join(others)})"] if others else lines


def certificates(result: batch.BatchResult) -> dict[str, dict[str, t.Any]]:
    """Return the certificates of a batch by request id."""
    return {
        name: {
            "certificate_content": one.certificate_content,
            "authority_content": one.approved.authority.certificate_content if one.approved.authority else "",
            "certificate": one.view.to_dict() if one.view else None,
        }
        for name, one in result.signed.items()
    }


def certificates_plan(result: batch.BatchResult) -> list[str]:
    """Return one line for each certificate that is (would be) issued: names, issuer, end, fingerprint."""
    return [_certificate_line(name, one) for name, one in result.signed.items()]


def _certificate_line(name: str, one: batch.Signed) -> str:
    wanted = one.approved
    authority = wanted.authority.id if wanted.authority else wanted.request.authority
    shown = [each for each in wanted.subject.names if not each.startswith(CLIENT_PREFIX)]
    named = f", SAN {' '.join(shown)}" if shown else ""
    text = f"{name}: CN {wanted.subject.common_name}{named}, issuer {authority}, until {isoformat(wanted.not_after)}"
    return f"{text}, sha256 {one.view.fingerprint_sha256}" if one.view else text
