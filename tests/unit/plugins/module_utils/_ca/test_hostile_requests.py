# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a compromised host puts into its request: a certificate for its own inventory names, or none."""

from __future__ import annotations

import contextlib
import ipaddress
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from support.ca.ca_directory import client_request, ensure, request, sign
from support.ca.certificates import private_key

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

OWN_NAMES = ("web1.example.org", "localhost", "127.0.0.1", "::1")
KEY = private_key()

NAMES = st.one_of(
    st.sampled_from(["*", "web2.example.org", "*.example.org", "", "\x00", "localhost"]).map(x509.DNSName),
    st.from_regex(r"[a-z*]{1,10}(\.[a-z]{1,8}){0,3}", fullmatch=True).map(x509.DNSName),
    st.sampled_from(["urn:docker-tls:client:alice", "spiffe://x"]).map(x509.UniformResourceIdentifier),
    st.ip_addresses().map(lambda address: x509.IPAddress(ipaddress.ip_address(str(address)))),
)
EXTENSIONS = st.lists(
    st.one_of(
        st.lists(NAMES, min_size=1, max_size=4).map(x509.SubjectAlternativeName),
        st.just(x509.BasicConstraints(ca=True, path_length=3)),
        st.just(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
        st.binary(max_size=30).map(lambda value: x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), value)),
    ),
    max_size=4,
    unique_by=lambda extension: extension.oid.dotted_string,
)
SUBJECTS = st.lists(
    st.tuples(
        st.sampled_from([NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME]),
        st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20),
    ),
    max_size=3,
)
FEW = hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)


def hostile(subject: list[tuple[x509.ObjectIdentifier, str]], extensions: list[x509.ExtensionType]) -> str:
    """Return a request that is signed by its own key and asks for all that."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(oid, text) for oid, text in subject])
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("ca") / "ca"
    ensure(path)
    return path


@FEW
@hypothesis.given(subject=SUBJECTS, extensions=EXTENSIONS)
def test_sign_any_request_of_a_host_gives_its_own_names_or_nothing(
    ca: pathlib.Path, subject: list[tuple[x509.ObjectIdentifier, str]], extensions: list[x509.ExtensionType]
) -> None:
    content = hostile(subject, extensions)
    with contextlib.suppress(TlsError):
        (signed,) = sign(ca, request("web1", request_content=content)).signed.values()
        view = reader.view_certificate(reader.load_certificate(signed.certificate_content, "what was signed"))
        assert sorted(view.names) == sorted(OWN_NAMES)
        assert view.subject == "CN=web1.example.org"
        assert view.extended_key_usages == ("serverAuth",)
        assert not view.is_authority


@FEW
@hypothesis.given(subject=SUBJECTS, extensions=EXTENSIONS)
def test_sign_any_request_of_a_client_gives_its_own_identity_or_nothing(
    ca: pathlib.Path, subject: list[tuple[x509.ObjectIdentifier, str]], extensions: list[x509.ExtensionType]
) -> None:
    content = hostile(subject, extensions)
    with contextlib.suppress(TlsError):
        (signed,) = sign(ca, client_request("bob", request_content=content)).signed.values()
        view = reader.view_certificate(reader.load_certificate(signed.certificate_content, "what was signed"))
        assert (view.common_name, view.extended_key_usages, view.is_authority) == ("bob", ("clientAuth",), False)
        assert all("bob" in name for name in view.names)
