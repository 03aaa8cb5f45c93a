# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a certificate, in one line: the whole text, for people read it."""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import timedelta

import pytest
from test_renewal import AUTHORITY, CERTIFICATE, DAY, EXISTING, NOW, SUBJECT, WANTED

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, renewal


def line(
    wanted: dict[str, t.Any], certificate: dict[str, t.Any] | None, *reasons: str, days: float | None = 365
) -> str:
    """Return the line for a certificate that ends in 265 days and single things changed."""
    view = dataclasses.replace(CERTIFICATE, **certificate) if certificate is not None else None
    existing = dataclasses.replace(EXISTING, certificate=view, key_type=None)
    end = NOW + days * DAY if days is not None else None
    return renewal.plan_text(dataclasses.replace(WANTED, **wanted), existing, reasons, end)


def subject(*more: str, name: str = "docker1.example.org") -> names.SubjectNames:
    return names.SubjectNames(name, (*SUBJECT.names, *more))


NEXT = dataclasses.replace(AUTHORITY, subject="CN=Docker CA,OU=server-g2", subject_key_identifier="02")
OTHER = dataclasses.replace(AUTHORITY, subject_key_identifier="02")


@pytest.mark.parametrize(
    ("wanted", "certificate", "expected"),
    [
        pytest.param({}, {}, "certificate expires 2027-08-14 -> 2027-11-22 (why)", id="renewal"),
        pytest.param(
            {"subject": subject("10.0.0.7", "localhost")},
            {"names": (*SUBJECT.names, "old.example.org")},
            "certificate expires 2027-08-14 -> 2027-11-22, SAN + 10.0.0.7 + localhost - old.example.org (why)",
            id="names",
        ),
        pytest.param(
            {"subject": subject(name="web")},
            {},
            "certificate expires 2027-08-14 -> 2027-11-22, CN docker1.example.org -> web (why)",
            id="common-name",
        ),
        pytest.param(
            {"authority": NEXT},
            {},
            "certificate expires 2027-08-14 -> 2027-11-22, issuer server-g1 -> server-g2 (why)",
            id="next-generation",
        ),
        pytest.param(
            {"authority": OTHER},
            {},
            "certificate expires 2027-08-14 -> 2027-11-22, issuer server-g1 -> another server-g1 (why)",
            id="other-authority-of-the-same-name",
        ),
        pytest.param(
            {},
            {"issuer": "CN=My CA,O=Acme"},
            "certificate expires 2027-08-14 -> 2027-11-22, issuer My CA -> server-g1 (why)",
            id="foreign-authority",
        ),
        pytest.param(
            {"key_type": "ed25519"},
            {},
            "certificate expires 2027-08-14 -> 2027-11-22, key ecdsa-p256 -> ed25519 (why)",
            id="key-type",
        ),
        pytest.param(
            {},
            {"extended_key_usages": ("serverAuth", "clientAuth")},
            "certificate expires 2027-08-14 -> 2027-11-22, usage clientAuth serverAuth -> serverAuth (why)",
            id="usage",
        ),
        pytest.param(
            {},
            {"extended_key_usages": ()},
            "certificate expires 2027-08-14 -> 2027-11-22, usage any -> serverAuth (why)",
            id="no-usage",
        ),
        pytest.param(
            {"subject": subject("localhost", "127.0.0.1", "::1")},
            None,
            "new certificate until 2027-11-22, CN docker1.example.org, SAN 10.0.0.5 docker1.example.org, issuer server-g1 (why)",
            id="new",
        ),
        pytest.param(
            {"subject": names.SubjectNames("alice", ("dirname:CN=alice",)), "profile": "client", "authority": None},
            None,
            "new certificate until 2027-11-22, CN alice, issuer a new authority (why)",
            id="new-client",
        ),
    ],
)
def test_plan_text_is_one_short_line(
    wanted: dict[str, t.Any], certificate: dict[str, t.Any] | None, expected: str
) -> None:
    assert line(wanted, certificate, "why") == expected


def test_plan_text_of_hours_says_the_time() -> None:
    text = line({}, {"not_after": NOW + timedelta(hours=1)}, "expires-soon", days=0.5)
    assert text == "certificate expires 2026-11-22T14:00Z -> 2026-11-23T01:00Z (expires-soon)"


def test_plan_text_without_a_known_end_says_so() -> None:
    assert line({}, {}, "forced", days=None) == "certificate expires 2027-08-14 -> a new one (forced)"
    assert line({}, None, "certificate-missing", days=None).startswith("new certificate, CN docker1")


def test_plan_text_joins_all_reasons() -> None:
    assert line({}, {}, "key-mismatch", "expired").endswith(" (key-mismatch, expired)")


@pytest.mark.parametrize(
    ("subject_text", "expected"),
    [
        ("CN=Docker CA,OU=server-g1", "server-g1"),
        ("CN=My CA,O=Acme", "My CA"),
        ("O=Acme", "O=Acme"),
    ],
)
def test_authority_text_is_what_people_call_it(subject_text: str, expected: str) -> None:
    assert renewal.authority_text(subject_text) == expected


def test_decide_reasons_are_the_ones_that_are_shown() -> None:
    decision = renewal.decide(dataclasses.replace(WANTED, force=True), EXISTING, NOW)
    assert renewal.plan_text(WANTED, EXISTING, decision.reasons).endswith("(forced)")
