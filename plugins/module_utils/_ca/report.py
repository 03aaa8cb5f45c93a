# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules report of a CA: plain values, never a key. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t
from datetime import datetime

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
