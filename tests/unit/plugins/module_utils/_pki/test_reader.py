# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of ours and of others, seen as plain values."""

from __future__ import annotations

import ipaddress
import json
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from support.ca import certificates as made

AUTHORITY = made.authority()


def test_view_certificate_server_shows_every_field() -> None:
    leaf = made.leaf(AUTHORITY)
    view = leaf.view
    shown = view.to_dict()
    assert json.loads(json.dumps(shown)) == shown
    assert shown == {
        "subject": "CN=docker1.example.org",
        "issuer": "CN=Docker CA,OU=server-g1",
        "common_name": "docker1.example.org",
        "names": ["*.apps.example.org", "docker1.example.org", "10.0.0.5", "fd00::5"],
        "serial": view.serial,
        "not_before": "2020-01-01T00:00:00Z",
        "not_after": "2044-12-31T00:00:00Z",
        "key_type": "ecdsa-p256",
        "public_key_fingerprint": leaf.fingerprint,
        "fingerprint_sha256": leaf.certificate.fingerprint(hashes.SHA256()).hex(),
        "is_authority": False,
        "extended_key_usages": ["serverAuth"],
        "key_usages": ["digitalSignature"],
        "subject_key_identifier": view.subject_key_identifier,
        "authority_key_identifier": AUTHORITY.view.subject_key_identifier,
        "signature_algorithm": "ecdsa-with-SHA256",
    }
    assert int(view.serial, 16) == leaf.certificate.serial_number
    assert len(view.subject_key_identifier) == 40


def test_view_certificate_authority_is_one() -> None:
    view = AUTHORITY.view
    assert view.is_authority
    assert view.subject == view.issuer
    assert view.names == ()
    assert view.key_usages == ("keyCertSign", "cRLSign")


def _foreign(
    extensions: t.Sequence[x509.ExtensionType] = (),
    subject: t.Sequence[x509.RelativeDistinguishedName] = (),
    serial: int = 0x0A,
) -> x509.Certificate:
    name = x509.Name(list(subject))
    builder = x509.CertificateBuilder(name, name, AUTHORITY.key.public_key(), serial, made.LONG_AGO, made.FAR_AHEAD)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(AUTHORITY.key, hashes.SHA256())


def test_view_certificate_bare_foreign_certificate_has_empty_fields() -> None:
    view = reader.view_certificate(_foreign())
    assert (view.subject, view.common_name, view.names, view.serial) == ("", "", (), "0a")
    assert (view.extended_key_usages, view.key_usages, view.is_authority) == ((), (), False)
    assert (view.subject_key_identifier, view.authority_key_identifier) == ("", "")


def test_view_certificate_every_kind_of_name_has_a_text() -> None:
    common_name = x509.NameAttribute(NameOID.COMMON_NAME, "a,b")
    alternative = x509.SubjectAlternativeName(
        [
            x509.DNSName("Docker1.Example.org"),
            x509.IPAddress(ipaddress.ip_address("fd00:0:0::5")),
            x509.UniformResourceIdentifier("spiffe://example.org/x"),
            x509.RFC822Name("ops@example.org"),
            x509.DirectoryName(x509.Name([common_name])),
            x509.RegisteredID(ObjectIdentifier("1.2.3")),
        ]
    )
    view = reader.view_certificate(_foreign([alternative]))
    assert view.names == (
        "docker1.example.org",
        "fd00::5",
        "spiffe://example.org/x",
        "email:ops@example.org",
        r"dirname:CN=a\,b",
        "registeredid",
    )


def test_view_certificate_unknown_usages_are_dotted() -> None:
    usages = x509.ExtendedKeyUsage([ObjectIdentifier("1.2.3.4"), ObjectIdentifier("1.3.6.1.5.5.7.3.2")])
    usage = x509.KeyUsage(True, False, False, False, True, False, False, True, False)
    view = reader.view_certificate(_foreign([usages, usage]))
    assert view.extended_key_usages == ("1.2.3.4", "clientAuth")
    assert view.key_usages == ("digitalSignature", "keyAgreement")


def test_view_certificate_subject_is_rfc_4514_text() -> None:
    parts = [
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")]),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Ex+ample, "Inc"')]),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b")]),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "first")]),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "#last ")]),
    ]
    view = reader.view_certificate(_foreign(subject=parts))
    assert view.subject == r"CN=\#last\ ,CN=first,1.2.840.113549.1.9.1=a@b,O=Ex\+ample\, \"Inc\",C=DE"
    assert view.common_name == "#last "


def test_view_certificate_broken_extension_names_the_file() -> None:
    raw = x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.19"), b"\x30\x03\x01\x01")
    with pytest.raises(TlsError) as caught:
        reader.view_certificate(_foreign([raw]), "/etc/docker/certs/ca.pem")
    assert caught.value.code == "certificate-unreadable"
    assert "/etc/docker/certs/ca.pem" in caught.value.message


def test_load_certificates_chain_file_gives_all_and_the_leaf_first() -> None:
    leaf = made.leaf(AUTHORITY)
    text = f"some text\n{leaf.pem}\n# the authority\n{AUTHORITY.pem}"
    assert reader.load_certificates(text, "f") == [leaf.certificate, AUTHORITY.certificate]
    assert reader.load_certificate(text.encode(), "f") == leaf.certificate


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "holds no certificate", id="empty"),
        pytest.param(b"\xff\x00", "holds no certificate", id="binary"),
        pytest.param(AUTHORITY.key_pem, "holds no certificate", id="key"),
        pytest.param(AUTHORITY.pem[:-30], "holds no certificate", id="cut-off"),
        pytest.param(AUTHORITY.pem + AUTHORITY.pem.replace("\n", "\nAAAA", 1), "certificate 2 in", id="second-damaged"),
        pytest.param(made.as_pem(made.of_an_unknown_version(AUTHORITY)), "certificate 1 in", id="unknown-version"),
    ],
)
def test_load_certificates_bad_text_names_the_file(text: str | bytes, says: str) -> None:
    with pytest.raises(TlsError) as caught:
        reader.load_certificates(text, "/etc/docker/certs/ca.pem")
    assert caught.value.code == "certificate-unreadable"
    assert says in caught.value.message
    assert "/etc/docker/certs/ca.pem" in caught.value.message
