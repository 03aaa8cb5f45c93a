# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an issuer gave back: every fault is found and named, and what is good passes."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, reader, signing, verify
from support.ca import certificates as made

AUTHORITY = made.authority(unit="server-g1")
OTHER = made.authority(unit="server-g2", number=5)
SAME_NAME = made.authority(unit="server-g1", number=6)
LEAF = made.leaf(AUTHORITY)
DAY = timedelta(days=1)


def check(pair: made.Pair = LEAF, **changes: t.Any) -> None:
    wanted: dict[str, t.Any] = {
        "public_key_fingerprint": pair.fingerprint,
        "names": names.normalize_names(made.SERVER_NAMES),
        "profile": "server",
        "authority": AUTHORITY.certificate,
        "now": made.NOW,
        "minimum_life": DAY,
    }
    verify.check_issued(pair.certificate, **{**wanted, **changes})


def test_check_issued_good_certificate_passes() -> None:
    check()


def test_check_issued_optional_names_may_be_there_or_not() -> None:
    check(names=["docker1.example.org"], optional_names=names.normalize_names(made.SERVER_NAMES))
    check(optional_names=["other.example.org"])


def test_check_issued_several_anchors_one_is_enough() -> None:
    check(authority=[OTHER.certificate, AUTHORITY.certificate])


@pytest.mark.parametrize(
    ("pair", "changes", "says"),
    [
        pytest.param(LEAF, {"public_key_fingerprint": "00"}, "another key than the request's", id="key"),
        pytest.param(LEAF, {"names": ["a.example.org", "10.0.0.5"]}, "lacks the names a.example.org", id="names"),
        pytest.param(
            LEAF, {"names": ["docker1.example.org"]}, "also has the names *.apps.example.org, 10.0.0.5", id="more"
        ),
        pytest.param(LEAF, {"common_name": "web1"}, "common name is 'docker1.example.org' instead of 'web1'", id="cn"),
        pytest.param(AUTHORITY, {"names": []}, "certificate of a CA, which could sign others", id="authority"),
        pytest.param(LEAF, {"profile": "client"}, "not a pure client certificate: it has serverAuth", id="profile"),
        pytest.param(LEAF, {"authority": OTHER.certificate}, "does not lead to CN=Docker CA,OU=server-g2", id="issuer"),
        pytest.param(LEAF, {"authority": SAME_NAME.certificate}, "does not lead to", id="issuer-same-name"),
        pytest.param(LEAF, {"authority": []}, "does not lead to any authority", id="no-anchor"),
        pytest.param(LEAF, {"authority": LEAF.certificate}, "does not lead to", id="itself-as-anchor"),
        pytest.param(made.leaf(AUTHORITY, end=made.NOW - DAY), {}, "it ends already 2026-11-21", id="expired"),
        pytest.param(made.leaf(AUTHORITY, end=made.NOW + DAY / 2), {}, "it ends already", id="too-short"),
        pytest.param(made.leaf(AUTHORITY, begin=made.NOW + DAY), {}, "valid only from 2026-11-23", id="future"),
    ],
)
def test_check_issued_fault_is_named(pair: made.Pair, changes: dict[str, t.Any], says: str) -> None:
    with pytest.raises(TlsError) as caught:
        check(pair, **changes)
    assert caught.value.code == "issued-certificate-wrong"
    assert says in caught.value.message
    assert pair.view.common_name in caught.value.message


def test_check_issued_all_faults_stand_in_one_message() -> None:
    with pytest.raises(TlsError) as caught:
        check(public_key_fingerprint="00", names=["x"], profile="client", authority=[], now=made.FAR_AHEAD + DAY)
    assert caught.value.message.count(";") == 5


def _signed(subject: str, issuer: made.Pair, *, authority: bool, number: int) -> made.Pair:
    """Return a certificate of another tool, below ``issuer``."""
    key = made.private_key("ecdsa-p256", number)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder(
        issuer.certificate.subject, name, key.public_key(), number + 1, made.LONG_AGO, made.FAR_AHEAD
    ).add_extension(x509.BasicConstraints(authority, None), critical=True)
    return made.Pair(builder.sign(issuer.key, hashes.SHA256()), key)


def test_leads_to_intermediates_in_any_order() -> None:
    upper = _signed("upper", AUTHORITY, authority=True, number=11)
    lower = _signed("lower", upper, authority=True, number=12)
    leaf = made.leaf(lower)
    anchors = [AUTHORITY.certificate]
    chain = [upper.certificate, lower.certificate]
    assert verify.leads_to(leaf.certificate, chain, anchors)
    assert verify.leads_to(leaf.certificate, chain[::-1], anchors)
    assert not verify.leads_to(leaf.certificate, chain[:1], anchors)
    assert not verify.leads_to(leaf.certificate, chain, [OTHER.certificate])


def test_leads_to_leaf_is_no_issuer() -> None:
    pretender = _signed("pretender", AUTHORITY, authority=False, number=13)
    leaf = made.leaf(pretender)
    assert not verify.leads_to(leaf.certificate, [pretender.certificate], [AUTHORITY.certificate])


def test_leads_to_endless_chain_ends() -> None:
    pair = AUTHORITY
    chain = []
    for number in range(20, 27):
        pair = _signed(f"link {number}", pair, authority=True, number=number)
        chain.append(pair.certificate)
    assert not verify.leads_to(made.leaf(pair).certificate, chain, [AUTHORITY.certificate])


def test_key_matches_tells_right_from_wrong() -> None:
    assert verify.key_matches(LEAF.certificate, LEAF.key.public_key())
    assert not verify.key_matches(LEAF.certificate, AUTHORITY.key.public_key())


def test_check_issued_certificate_with_both_usages_is_refused() -> None:
    """One authority and both usages: the host's own key would be root on every other host (measured)."""
    key = made.private_key("ecdsa-p256", 1)
    usages = [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH, x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder(
            AUTHORITY.certificate.subject,
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "docker1.example.org")]),
            key.public_key(),
            7,
            made.LONG_AGO,
            made.FAR_AHEAD,
        )
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(AUTHORITY.key, signing.hashes.SHA256())
    )
    with pytest.raises(TlsError, match="it has serverAuth, clientAuth"):
        check(made.Pair(certificate, key), names=[])


def test_issued_by_unreadable_issuer_is_an_error() -> None:
    raw = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), b"\x30\x03\x01\x01")
    name = LEAF.certificate.issuer
    broken = (
        x509.CertificateBuilder(name, name, AUTHORITY.key.public_key(), 7, made.LONG_AGO, made.FAR_AHEAD)
        .add_extension(raw, critical=False)
        .sign(AUTHORITY.key, hashes.SHA256())
    )
    assert reader.name_text(broken.subject) == reader.name_text(name)
    with pytest.raises(TlsError, match="the issuer cannot be read"):
        verify.issued_by(LEAF.certificate, broken)
