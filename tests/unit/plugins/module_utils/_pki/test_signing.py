# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests, authorities and leaves: what is in them, and what is refused."""

from __future__ import annotations

import base64
import typing as t
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat, keys, names, reader, signing
from support.ca import certificates as made

SUBJECT = names.SubjectNames("docker1.example.org", names.normalize_names(made.SERVER_NAMES))
KEY = made.private_key()


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])
def test_request_each_key_type_is_read_back(key_type: str) -> None:
    key = made.private_key(key_type)
    request = signing.load_request(signing.build_request(key, SUBJECT))
    assert keys.public_key_fingerprint(request.public_key()) == keys.public_key_fingerprint(key.public_key())
    assert reader.name_text(request.subject) == "CN=docker1.example.org"
    alternative = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(alternative) == names.general_names(SUBJECT.names)


def test_request_without_names_has_no_extensions() -> None:
    request = signing.load_request(signing.build_request(KEY, names.SubjectNames("portainer", ())).decode())
    assert len(request.extensions) == 0


def _request_of(key: t.Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def _forged() -> bytes:
    """Return a request whose signature was made by another key than the one it names."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateSigningRequestBuilder(name)
    one, other = (
        builder.sign(made.private_key("ecdsa-p256", number), hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        for number in (0, 1)
    )
    public = [made.private_key("ecdsa-p256", number).public_key() for number in (0, 1)]
    spki = [
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo) for key in public
    ]
    forged = one.replace(spki[0], spki[1])
    assert forged != one
    assert forged != other
    return x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM)


def _of_an_unknown_version() -> bytes:
    """Return what ``make fuzz`` found: cryptography raises an error of its own for it, which is not ValueError."""
    der = (
        x509.load_pem_x509_csr(GOOD)
        .public_bytes(serialization.Encoding.DER)
        .replace(b"\x02\x01\x00", b"\x02\x01\x05", 1)
    )
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE REQUEST-----\n"


GOOD = signing.build_request(KEY, SUBJECT)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "holds 0 certificate requests", id="empty"),
        pytest.param("ü", "holds 0 certificate requests", id="text"),
        pytest.param(GOOD + GOOD, "holds 2 certificate requests", id="two"),
        pytest.param(made.authority().pem, "holds 0 certificate requests", id="certificate"),
        pytest.param(GOOD.replace(b"\n", b"\nAAAA", 1), "cannot be read", id="damaged"),
        pytest.param(_of_an_unknown_version(), "cannot be read", id="unknown-version"),
        pytest.param(GOOD + b"#" * signing.MAXIMUM_REQUEST_BYTES, "bytes; at most 65536", id="too-big"),
        pytest.param(_forged(), "is not signed by its own key", id="forged"),
        pytest.param(_request_of(ec.generate_private_key(ec.SECP521R1())), "type ecdsa-secp521r1", id="p521"),
        pytest.param(_request_of(rsa.generate_private_key(65537, 1024)), "type rsa-1024", id="rsa-1024"),
    ],
)
def test_load_request_bad_request_is_refused(data: bytes | str, says: str) -> None:
    with pytest.raises(TlsError) as caught:
        signing.load_request(data, "the request of docker1")
    assert caught.value.code == "request-invalid"
    assert caught.value.message.startswith("the request of docker1 ")
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("organization", "unit", "subject"),
    [
        ("", "server-g1", "CN=Docker CA,OU=server-g1"),
        ("Example, Inc", "server-g1", r"CN=Docker CA,OU=server-g1,O=Example\, Inc"),
        ("", "", "CN=Docker CA"),
    ],
)
def test_self_sign_authority_subject_has_the_given_parts(organization: str, unit: str, subject: str) -> None:
    certificate = signing.self_sign_authority(
        KEY,
        common_name="Docker CA",
        organization=organization,
        unit=unit,
        purpose="server",
        not_before=made.NOW,
        not_after=made.NOW + timedelta(days=1825),
    )
    assert reader.name_text(certificate.subject) == subject
    assert compat.not_before(certificate) == made.NOW
    assert compat.not_after(certificate) == made.NOW + timedelta(days=1825)


@pytest.mark.parametrize("option", ["common_name", "organization", "unit"])
def test_self_sign_authority_too_long_text_names_the_option(option: str) -> None:
    texts = {"common_name": "Docker CA", "organization": "", "unit": "", option: "x" * 65}
    with pytest.raises(TlsError) as caught:
        signing.self_sign_authority(KEY, **texts, purpose="server", not_before=made.NOW, not_after=made.FAR_AHEAD)
    assert caught.value.code == "common-name-invalid"
    assert option in caught.value.message


@pytest.mark.parametrize(
    ("key_type", "algorithm"),
    [
        ("ecdsa-p256", "ecdsa-with-SHA256"),
        ("ecdsa-p384", "ecdsa-with-SHA384"),
        ("ed25519", "ed25519"),
        ("rsa-2048", "sha256WithRSAEncryption"),
    ],
)
def test_signature_algorithm_follows_the_signing_key(key_type: str, algorithm: str) -> None:
    authority = made.authority("server", key_type)
    assert authority.view.signature_algorithm == algorithm
    assert made.leaf(authority).view.signature_algorithm == algorithm


def test_sign_leaf_times_are_whole_seconds_and_serials_random() -> None:
    authority = made.authority()
    begin, end = made.NOW.replace(microsecond=999_999), made.NOW.replace(microsecond=1) + timedelta(days=1)
    views = [made.leaf(authority, begin=begin, end=end).view for _time in range(3)]
    assert {view.not_before for view in views} == {made.NOW}
    assert {view.not_after for view in views} == {made.NOW + timedelta(days=1)}
    assert len({view.serial for view in views}) == 3
    assert all(len(view.serial) >= 32 for view in views)


def _sign(authority: made.Pair, **changes: t.Any) -> x509.Certificate:
    wanted: dict[str, t.Any] = {
        "public_key": made.private_key("ecdsa-p256", 1).public_key(),
        "profile": "server",
        "subject": SUBJECT,
        "not_before": made.NOW,
        "not_after": made.NOW + timedelta(days=365),
    }
    return signing.sign_leaf(signing.signer(authority.certificate, authority.key), **{**wanted, **changes})


def test_sign_leaf_given_serial_is_used() -> None:
    assert _sign(made.authority(), serial=0xABC).serial_number == 0xABC


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"not_after": made.FAR_AHEAD + timedelta(seconds=1)}, "validity-too-long", id="beyond-authority"),
        pytest.param({"not_after": made.NOW}, "validity-invalid", id="no-time"),
        pytest.param({"not_after": made.NOW - timedelta(days=1)}, "validity-invalid", id="ends-before-begin"),
        pytest.param({"profile": "both"}, "profile-unknown", id="profile"),
        pytest.param({"subject": names.SubjectNames("a", ())}, "name-invalid", id="no-names"),
        pytest.param({"subject": names.SubjectNames("", ("a",))}, "common-name-invalid", id="no-common-name"),
        pytest.param({"subject": names.SubjectNames("a" * 65, ("a",))}, "common-name-invalid", id="common-name-65"),
    ],
)
def test_sign_leaf_bad_wish_is_refused(changes: dict[str, t.Any], code: str) -> None:
    with pytest.raises(TlsError) as caught:
        _sign(made.authority(), **changes)
    assert caught.value.code == code


def test_sign_leaf_end_of_authority_is_the_longest() -> None:
    authority = made.authority()
    assert compat.not_after(_sign(authority, not_after=made.FAR_AHEAD)) == made.FAR_AHEAD


def test_sign_leaf_other_authority_key_is_refused() -> None:
    authority = made.Pair(made.authority().certificate, made.private_key("ecdsa-p256", 7))
    with pytest.raises(TlsError) as caught:
        _sign(authority)
    assert caught.value.code == "authority-key-mismatch"
