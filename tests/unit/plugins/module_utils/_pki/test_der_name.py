# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in DER: against certificates' own subjects, as cryptography writes them, and against rubbish."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import der_name
from support.ca.certificates import authority, leaf
from support.hosts.fleet import clients_authority, subject_der


def test_text_and_unit_of_our_authorities() -> None:
    der = subject_der(clients_authority())
    assert der_name.name_text(der) == clients_authority().view.subject == "CN=Docker CA,OU=clients-g1"
    assert der_name.unit(der) == "clients-g1"


def test_text_escapes_what_separates_parts() -> None:
    made = leaf(authority("client"), "client", common_name='a,b+"c"').certificate.subject
    assert der_name.name_text(made.public_bytes()) == made.rfc4514_string() == 'CN=a\\,b\\+\\"c\\"'


def test_text_of_a_long_foreign_name_with_several_encodings() -> None:
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Größe " + "x" * 50),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@example.org"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Root", x509.name._ASN1Type.BMPString),
    ]
    assert (
        der_name.name_text(x509.Name(attributes).public_bytes())
        == f"CN=Root,1.2.840.113549.1.9.1=a@example.org,O=Größe {'x' * 50},C=DE"
    )


def test_text_of_a_name_with_two_attributes_in_one_set_has_both() -> None:
    pair = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "b")]
    )
    assert sorted(der_name.name_text(x509.Name([pair]).public_bytes()).split("+")) == ["CN=a", "O=b"]


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x05\x31", b"\x31\x00", b"\x30\x02\x31\x80", b"\x30\x00\x30\x00", b"\x30\x84"]
)
def test_text_of_what_cannot_be_read_is_hex(der: bytes) -> None:
    assert der_name.name_text(der) == der.hex()
    assert der_name.unit(der) == ""


def test_text_of_something_long_that_cannot_be_read_is_short() -> None:
    assert der_name.name_text(b"\x31" * 60_000) == "31" * 40


@given(st.binary(max_size=80))
def test_text_never_raises(der: bytes) -> None:
    assert isinstance(der_name.name_text(der), str)
