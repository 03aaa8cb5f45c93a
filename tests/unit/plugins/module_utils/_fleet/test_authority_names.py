# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of authorities in DER: against certificates' own subjects, and against rubbish."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import authority_names, trust
from support.hosts.fleet import clients_authority, subject_der


def test_text_and_unit_of_our_authorities() -> None:
    der = subject_der(clients_authority())
    assert authority_names.text(der) == clients_authority().view.subject == "CN=Docker CA,OU=clients-g1"
    assert authority_names.unit(der) == "clients-g1"


def test_text_of_a_long_foreign_name_with_several_encodings() -> None:
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Größe " + "x" * 50),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@example.org"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Root", x509.name._ASN1Type.BMPString),
    ]
    assert (
        authority_names.text(x509.Name(attributes).public_bytes()) == f"CN=Root,?=a@example.org,O=Größe {'x' * 50},C=DE"
    )


def test_text_of_a_name_with_two_attributes_in_one_set_has_both() -> None:
    pair = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "b")]
    )
    assert sorted(authority_names.text(x509.Name([pair]).public_bytes()).split(",")) == ["CN=a", "O=b"]


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x05\x31", b"\x31\x00", b"\x30\x02\x31\x80", b"\x30\x00\x30\x00", b"\x30\x84"]
)
def test_text_of_what_is_no_name_says_so_or_is_empty(der: bytes) -> None:
    assert authority_names.text(der) in ("a name that cannot be read", "")
    assert authority_names.unit(der) == ""


@given(st.binary(max_size=80))
def test_text_never_raises(der: bytes) -> None:
    assert isinstance(authority_names.text(der), str)


@pytest.mark.parametrize(
    ("names", "address", "expected"),
    [
        (("web.example.org",), "web.example.org", True),
        (("web.example.org",), "WEB.example.org.", True),
        (("*.example.org",), "web.example.org", True),
        (("*.example.org",), "a.web.example.org", False),
        (("*.example.org",), "example.org", False),
        (("*.",), "web", False),
        (("10.0.0.5",), "10.0.0.5", True),
        (("10.0.0.5",), "10.0.0.50", False),
        (("fd00::5",), "FD00:0::5", True),
        (("*.0.0.5",), "10.0.0.5", False),
        ((), "web", False),
    ],
)
def test_covers_follows_the_rules_of_clients(names: tuple[str, ...], address: str, expected: bool) -> None:
    assert trust.covers(names, address) is expected
