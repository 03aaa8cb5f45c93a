# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules report of a CA: plain values and diffs, never a key. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._errors import TlsError
from .._time import isoformat
from .._x509.inspect import CertificateView
from . import batch, bootstrap, directory, ledger, store


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
        "adopted": False,
        "certificate_content": "",
        "trusted_content": "",
        "certificate": None,
    }


def ledger_end(place: directory.CaDirectory) -> dict[str, t.Any]:
    """Return where the ledger ends; {} where it cannot be read or is tampered with, which is for others to say."""
    try:
        found = ledger.scan(place)
    except TlsError:
        return {}
    return {"seq": found.head.seq, "digest": found.head.digest, "time": found.time, "restored": found.restored}


def authorities_diff(outcome: bootstrap.Outcome, now: datetime) -> dict[str, t.Any]:
    """Return before and after of the authorities: subjects, key types, dates, fingerprints."""
    made = {spec.name: spec for spec in outcome.missing}
    before, after = {}, {}
    for name, generations in outcome.stored.items():
        line = _line(generations[-1].view)
        after[name] = line
        if name not in made:
            before[name] = line
    for name, spec in made.items():
        after.setdefault(name, f"CN={spec.common_name}, {spec.key_type}, until {isoformat(now + spec.validity)}")
    return {"before": before, "after": after}


def _line(view: CertificateView) -> str:
    dates = f"from {isoformat(view.not_before)} until {isoformat(view.not_after)}"
    return f"{view.subject}, {view.key_type}, {dates}, sha256 {view.fingerprint_sha256}"


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


def rejected(result: batch.BatchResult) -> dict[str, dict[str, str]]:
    """Return why requests of a batch were refused, by request id, in words that stand alone."""
    return {
        name: {"msg": f"no certificate is signed for {name}: {error.message}", "hint": error.hint, "code": error.code}
        for name, error in result.refused.items()
    }


def certificates_diff(result: batch.BatchResult) -> dict[str, t.Any]:
    """Return what is (would be) issued: names, dates, issuer, fingerprints."""
    after = {}
    for name, one in result.signed.items():
        wanted = one.approved
        authority = wanted.authority.id if wanted.authority else wanted.request.authority
        dates = f"from {isoformat(wanted.not_before)} until {isoformat(wanted.not_after)}"
        text = f"CN={wanted.subject.common_name}, {', '.join(wanted.subject.names)}, by {authority}, {dates}"
        after[name] = f"{text}, sha256 {one.view.fingerprint_sha256}" if one.view else text
    return {"before": {}, "after": after}
