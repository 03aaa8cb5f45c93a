# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subject of a request: an issuer that copies it must not be given more than the one common name."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import answer
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing, verify
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.compat import (
    NameOID,
    hashes,
    serialization,
    x509,
)
from support.ca import certificates as made

RULES = policy.make_rules(reserved={}, shared=[], backdate="5m")
KINDS: t.Mapping[str, t.Any] = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}


def subject(*attributes: tuple[str, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(KINDS[kind], value) for kind, value in attributes])


def order(profile: str, request_content: str) -> answer.Order:
    is_server = profile == "server"
    asked = policy.SigningRequest(
        id="web1/server" if is_server else "localhost/alice",
        authority="server" if is_server else "ops",
        profile=profile,
        requester="web1" if is_server else "localhost",
        request_content=request_content,
        common_name="web1.example.test" if is_server else "alice",
        names=("web1.example.test",) if is_server else (),
        validity="90d",
    )
    return answer.approve([asked], {}, RULES, made.NOW).orders[0]


@pytest.mark.parametrize(
    "attributes",
    [
        [("CN", "root-admin"), ("CN", "alice")],
        [("O", "system:masters"), ("CN", "alice")],
        [("CN", "mallory")],
        [],
    ],
)
def test_request_with_another_subject_is_not_given_to_an_issuer(attributes: list[tuple[str, str]]) -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(*attributes))
    request = builder.sign(made.private_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    asked = order("client", request.decode())
    with pytest.raises(TlsError) as caught:
        answer.check_request_names(replace(asked, request_names=asked.names), "the issuer files")
    assert caught.value.code == "request-names-differ"
    assert "instead of CN=alice" in caught.value.message


@pytest.mark.parametrize(("profile", "name"), [("server", "web1.example.test"), ("client", "alice")])
def test_request_as_the_roles_make_it_is_given_to_an_issuer(profile: str, name: str) -> None:
    alternative = (name,) if profile == "server" else (names.client_identity(name),)
    request = signing.build_request(made.private_key(), names.SubjectNames(name, alternative)).decode()
    assert answer.check_request_names(order(profile, request), "the issuer files") is None


def test_certificate_with_two_common_names_is_refused() -> None:
    ca = made.authority("client", unit="ops-g1")
    key = made.private_key(number=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(("CN", "root-admin"), ("CN", "alice")))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(made.LONG_AGO)
        .not_valid_after(made.FAR_AHEAD)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2")]), critical=False)
    )
    with pytest.raises(TlsError, match="more than one common name"):
        verify.check_issued(
            builder.sign(ca.key, hashes.SHA256()),
            public_key_fingerprint=made.keys.public_key_fingerprint(key.public_key()),
            names=(),
            profile="client",
            authority=ca.certificate,
            now=made.NOW,
            minimum_life=made.timedelta(0),
            common_name="alice",
        )
