# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a certificate is issued again, and which reasons are given: tables."""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, reader, renewal

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)

AUTHORITY = reader.CertificateView(
    subject="CN=Docker CA,OU=server-g1",
    issuer="CN=Docker CA,OU=server-g1",
    common_name="Docker CA",
    names=(),
    serial="01",
    not_before=NOW - 10 * DAY,
    not_after=NOW + 1800 * DAY,
    key_type="ecdsa-p256",
    public_key_fingerprint="aa",
    fingerprint_sha256="bb",
    is_authority=True,
    extended_key_usages=("serverAuth",),
    key_usages=("keyCertSign", "cRLSign"),
    subject_key_identifier="5ca1ab1e",
    authority_key_identifier="5ca1ab1e",
    signature_algorithm="ecdsa-with-SHA256",
)
CERTIFICATE = dataclasses.replace(
    AUTHORITY,
    subject="CN=docker1.example.org",
    common_name="docker1.example.org",
    names=("docker1.example.org", "10.0.0.5"),
    serial="02",
    not_before=NOW - 100 * DAY,
    not_after=NOW + 265 * DAY,
    public_key_fingerprint="cc",
    fingerprint_sha256="dd",
    is_authority=False,
    key_usages=("digitalSignature",),
    subject_key_identifier="0ddba11",
)
WANTED = renewal.Wanted(
    profile="server",
    subject=names.SubjectNames("docker1.example.org", ("docker1.example.org", "10.0.0.5")),
    key_type="ecdsa-p256",
    authority=AUTHORITY,
)
EXISTING = renewal.Existing(certificate=CERTIFICATE, key_fingerprint="cc", key_type="ecdsa-p256")


def decided(
    wanted: dict[str, t.Any] | None = None,
    existing: dict[str, t.Any] | None = None,
    certificate: dict[str, t.Any] | None = None,
) -> renewal.Decision:
    """Decide with single things changed from a case in which all is well."""
    found = dataclasses.replace(EXISTING, certificate=dataclasses.replace(CERTIFICATE, **(certificate or {})))
    return renewal.decide(
        dataclasses.replace(WANTED, **(wanted or {})), dataclasses.replace(found, **(existing or {})), NOW
    )


def test_decide_all_as_wanted_does_nothing_and_plans_nothing() -> None:
    decision = decided()
    assert decision.action == "none"
    assert decision.reasons == ()
    assert decision.renew_at == renewal.renew_at(WANTED, CERTIFICATE)


SUBJECT = WANTED.subject
NOTHING: dict[str, t.Any] = {"certificate": None, "key_fingerprint": None, "key_type": None}


@pytest.mark.parametrize(
    ("wanted", "existing", "certificate", "reasons"),
    [
        pytest.param({}, NOTHING, {}, ["certificate-missing", "key-missing"], id="nothing-there"),
        pytest.param({}, {"certificate": None}, {}, ["certificate-missing"], id="certificate-missing"),
        pytest.param(
            {},
            {"certificate": None, "problems": ("certificate-unreadable",)},
            {},
            ["certificate-unreadable"],
            id="certificate-unreadable",
        ),
        pytest.param({}, {"key_fingerprint": None, "key_type": None}, {}, ["key-missing"], id="key-missing"),
        pytest.param(
            {},
            {"key_fingerprint": None, "key_type": None, "problems": ("key-unreadable",)},
            {},
            ["key-unreadable"],
            id="key-unreadable",
        ),
        pytest.param({}, {"key_fingerprint": "ee"}, {}, ["key-mismatch"], id="key-mismatch"),
        pytest.param(
            {},
            {"key_fingerprint": "ee", "key_type": "rsa-2048"},
            {},
            ["key-mismatch", "key-type-changed"],
            id="other-key",
        ),
        pytest.param({"key_type": "ecdsa-p384"}, {}, {}, ["key-type-changed"], id="key-type-changed"),
        pytest.param(
            {"key_type": "rsa-2048"},
            {"key_fingerprint": None, "key_type": None},
            {},
            ["key-missing", "key-type-changed"],
            id="key-type-of-certificate-counts-without-key",
        ),
        pytest.param({"profile": "client"}, {}, {}, ["profile-changed"], id="server-to-client"),
        pytest.param({}, {}, {"extended_key_usages": ()}, ["profile-changed"], id="no-usage"),
        pytest.param(
            {}, {}, {"extended_key_usages": ("serverAuth", "clientAuth")}, ["profile-changed"], id="both-usages"
        ),
        pytest.param(
            {}, {}, {"extended_key_usages": ("serverAuth", "anyExtendedKeyUsage")}, ["profile-changed"], id="any-usage"
        ),
        pytest.param({}, {}, {"extended_key_usages": ("serverAuth", "1.2.3")}, [], id="foreign-usage-is-no-harm"),
        pytest.param({}, {}, {"is_authority": True}, ["profile-changed"], id="certificate-is-an-authority"),
        pytest.param({"authority": None}, {}, {}, ["authority-changed"], id="authority-to-come"),
        pytest.param({}, {}, {"issuer": "CN=Other"}, ["authority-changed"], id="other-issuer"),
        pytest.param(
            {}, {}, {"authority_key_identifier": "00"}, ["authority-changed"], id="same-issuer-name-other-key"
        ),
        pytest.param({}, {}, {"authority_key_identifier": ""}, [], id="no-identifier-in-the-certificate"),
        pytest.param(
            {"authority": dataclasses.replace(AUTHORITY, subject_key_identifier="")},
            {},
            {},
            [],
            id="none-in-the-authority",
        ),
        pytest.param(
            {"authority": dataclasses.replace(AUTHORITY, fingerprint_sha256="ff", not_after=NOW + 5000 * DAY)},
            {},
            {},
            [],
            id="renewed-authority-is-the-same",
        ),
        pytest.param({}, {"problems": ("authority-changed",)}, {}, ["authority-changed"], id="bad-signature"),
        pytest.param({}, {}, {"common_name": "other"}, ["common-name-changed"], id="common-name-changed"),
        pytest.param({}, {}, {"common_name": ""}, [], id="issuer-left-the-common-name-out"),
        pytest.param({}, {}, {"names": ("docker1.example.org",)}, ["names-changed"], id="name-added"),
        pytest.param({}, {}, {"names": (*SUBJECT.names, "x.example.org")}, ["names-changed"], id="name-removed"),
        pytest.param({}, {}, {"names": ()}, ["names-changed"], id="certificate-without-names"),
        pytest.param({}, {}, {"names": SUBJECT.names[::-1]}, [], id="other-order-is-the-same"),
        pytest.param({"force": True}, {}, {}, ["forced"], id="forced"),
        pytest.param(
            {"force": True, "key_type": "ed25519"},
            {"key_fingerprint": "ee"},
            {"issuer": "CN=Other", "names": (), "common_name": "x", "not_after": NOW - DAY},
            [
                "forced",
                "key-mismatch",
                "key-type-changed",
                "authority-changed",
                "common-name-changed",
                "names-changed",
                "expired",
            ],
            id="all-reasons-in-their-order",
        ),
    ],
)
def test_decide_one_thing_off_gives_its_reason(
    wanted: dict[str, t.Any], existing: dict[str, t.Any], certificate: dict[str, t.Any], reasons: list[str]
) -> None:
    decision = decided(wanted, existing, certificate)
    assert list(decision.reasons) == reasons
    assert decision.action == ("issue" if reasons else "none")
    assert set(decision.reasons) <= set(renewal.REASONS)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("renew_before", "begin", "end", "reasons"),
    [
        pytest.param("1/3", -200 * DAY, 100 * DAY + SECOND, [], id="third-one-second-before"),
        pytest.param("1/3", -200 * DAY, 100 * DAY, ["expires-soon"], id="third-on-the-second"),
        pytest.param("1/3", -243 * DAY, 122 * DAY, [], id="third-of-a-year-and-a-bit"),
        pytest.param("1/3", -244 * DAY, 121 * DAY, ["expires-soon"], id="third-of-a-year-less-a-bit"),
        pytest.param("1/2", -50 * DAY, 50 * DAY, ["expires-soon"], id="half"),
        pytest.param("2/3", -50 * DAY, 99 * DAY, ["expires-soon"], id="two-thirds"),
        pytest.param("30d", -335 * DAY, 30 * DAY + SECOND, [], id="30d-one-second-before"),
        pytest.param("30d", -335 * DAY, 30 * DAY, ["expires-soon"], id="30d-on-the-second"),
        pytest.param("4w", -335 * DAY, 29 * DAY, [], id="weeks"),
        pytest.param("12h", -DAY, timedelta(hours=11), ["expires-soon"], id="hours"),
        pytest.param("30d", -1 * DAY, 6 * DAY, ["expires-soon"], id="longer-than-the-lifetime"),
        pytest.param("1/3", -365 * DAY, 0 * DAY, ["expires-soon"], id="last-second"),
        pytest.param("1/3", -365 * DAY, -SECOND, ["expired"], id="first-second-after"),
        pytest.param("1/3", 0 * DAY, 365 * DAY, [], id="first-second"),
        pytest.param("1/3", SECOND, 365 * DAY, ["not-yet-valid"], id="second-before-the-first"),
    ],
)
def test_decide_time_gives_its_reason(renew_before: str, begin: timedelta, end: timedelta, reasons: list[str]) -> None:
    decision = decided({"renew_before": renew_before}, {}, {"not_before": NOW + begin, "not_after": NOW + end})
    assert list(decision.reasons) == reasons


@pytest.mark.parametrize("renew_before", ["", "1/0", "3/2", "0/3", "soon", "-1d", "0d"])
def test_decide_unusable_renew_before_is_an_error(renew_before: str) -> None:
    with pytest.raises(TlsError) as caught:
        decided({"renew_before": renew_before})
    assert caught.value.code == "duration-invalid"


LIFETIME = CERTIFICATE.not_after - CERTIFICATE.not_before


def due(name: str, renew_before: str = "1/3", jitter: str = "1/20", lifetime: timedelta = LIFETIME) -> timedelta:
    """Return how long after its begin a certificate is due."""
    wanted = dataclasses.replace(WANTED, renew_before=renew_before, jitter=jitter, jitter_name=name)
    certificate = dataclasses.replace(CERTIFICATE, not_before=NOW, not_after=NOW + lifetime)
    return renewal.renew_at(wanted, certificate) - NOW


def test_renew_at_without_jitter_is_the_same_for_all() -> None:
    assert {due(f"web{number}/server", jitter="0") for number in range(100)} == {LIFETIME * 2 / 3}


def test_renew_at_of_a_thousand_names_is_spread_over_the_window_and_never_later() -> None:
    latest = LIFETIME * 2 / 3
    window = LIFETIME / 20
    found = [due(f"web{number}.example.org/server") for number in range(1000)]
    assert all(latest - window < each <= latest for each in found)
    days = window / DAY
    by_day = [sum(1 for each in found if int((latest - each) / DAY) == day) for day in range(int(days))]
    # 18.25 days, so 55 a day are expected; every day has some and no day has twice its share.
    assert min(by_day) > 25 and max(by_day) < 110


def test_renew_at_is_the_same_in_every_run() -> None:
    assert due("web1/server") == due("web1/server") != due("web2/server")
    assert renewal.place("web1/server") == pytest.approx(
        0.62853020791
    )  # a pinned value: another algorithm would move every host's renewal


@given(
    name=st.text(max_size=30),
    renew_before=st.sampled_from(["1/3", "2/3", "1/100", "30d", "12h", "99/100"]),
    jitter=st.sampled_from(["0", "1/20", "1/2", "99/100", "14d", "1h", "3000d"]),
    hours=st.integers(1, 20000),
)
def test_renew_at_new_certificate_is_never_due_at_once_because_of_jitter(
    name: str, renew_before: str, jitter: str, hours: int
) -> None:
    lifetime = timedelta(hours=hours)
    without = due(name, renew_before, "0", lifetime)
    found = due(name, renew_before, jitter, lifetime)
    assert found <= without
    if without > timedelta(0):
        assert found >= without / 2 > timedelta(0)


def test_decide_is_due_on_the_second_that_renew_at_says() -> None:
    wanted = dataclasses.replace(WANTED, jitter="1/20", jitter_name="web1/server")
    moment = renewal.renew_at(wanted, CERTIFICATE)
    assert renewal.decide(wanted, EXISTING, moment - SECOND).reasons == ()
    assert renewal.decide(wanted, EXISTING, moment).reasons == ("expires-soon",)


def test_decide_that_a_certificate_which_ends_with_its_authority_is_not_renewed_before() -> None:
    """Below an adopted CA that ends soon, a new one could not live longer, and every run would restart dockerd."""
    ends = dataclasses.replace(WANTED, authority=dataclasses.replace(AUTHORITY, not_after=CERTIFICATE.not_after))
    assert renewal.decide(ends, EXISTING, CERTIFICATE.not_after - SECOND).reasons == ()
    assert renewal.decide(ends, EXISTING, CERTIFICATE.not_after + SECOND).reasons == ("expired",)
