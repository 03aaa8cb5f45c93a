# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The profiles: defined once, verified by openssl, cryptography's verifier and pkilint."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing
from support.ca import certificates as made

KEY_TYPES = ("ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048")
OF_PROFILE = {"server": Usage.SERVER_AUTH, "client": Usage.CLIENT_AUTH}


def _extension(certificate: x509.Certificate, kind: t.Any, critical: bool) -> t.Any:
    extension = certificate.extensions.get_extension_for_class(kind)
    assert extension.critical is critical
    return extension.value


def _set_usages(usage: x509.KeyUsage) -> set[str]:
    bits = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return {name for name in (*bits, "key_cert_sign", "crl_sign") if getattr(usage, name)}


def assert_identifiers(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    own = _extension(certificate, x509.SubjectKeyIdentifier, critical=False)
    assert own == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    above = _extension(certificate, x509.AuthorityKeyIdentifier, critical=False)
    assert above.key_identifier == _extension(issuer, x509.SubjectKeyIdentifier, critical=False).digest
    assert above.authority_cert_serial_number is None


def assert_is_authority(pair: made.Pair, usages: list[x509.ObjectIdentifier]) -> None:
    certificate = pair.certificate
    assert certificate.version == x509.Version.v3
    assert certificate.issuer == certificate.subject
    assert _extension(certificate, x509.BasicConstraints, critical=True) == x509.BasicConstraints(True, 0)
    assert _set_usages(_extension(certificate, x509.KeyUsage, critical=True)) == {"key_cert_sign", "crl_sign"}
    assert list(_extension(certificate, x509.ExtendedKeyUsage, critical=False)) == usages
    assert_identifiers(certificate, certificate)
    assert len(certificate.extensions) == 5


def assert_is_leaf(pair: made.Pair, issuer: made.Pair, profile: str, *, encipherment: bool) -> None:
    certificate = pair.certificate
    usages = {"digital_signature", "key_encipherment"} if encipherment else {"digital_signature"}
    assert _extension(certificate, x509.BasicConstraints, critical=True) == x509.BasicConstraints(False, None)
    assert _set_usages(_extension(certificate, x509.KeyUsage, critical=True)) == usages
    assert list(_extension(certificate, x509.ExtendedKeyUsage, critical=False)) == [OF_PROFILE[profile]]
    assert len(_extension(certificate, x509.SubjectAlternativeName, critical=False)) > 0
    assert_identifiers(certificate, issuer.certificate)
    assert len(certificate.extensions) == 6


@pytest.mark.parametrize("key_type", KEY_TYPES)
@pytest.mark.parametrize("profile", ["server", "client"])
def test_profiles_each_key_type_states_what_it_is(profile: str, key_type: str) -> None:
    authority = made.authority(profile, key_type)
    assert_is_authority(authority, [OF_PROFILE[profile]])
    certificate = made.leaf(authority, profile, key_type)
    assert_is_leaf(certificate, authority, profile, encipherment=key_type.startswith("rsa") and profile == "server")


def test_authority_for_both_has_both_usages() -> None:
    assert_is_authority(made.authority("both"), [Usage.SERVER_AUTH, Usage.CLIENT_AUTH])


def test_authority_unknown_purpose_is_refused() -> None:
    with pytest.raises(TlsError) as caught:
        names.authority("mail", made.private_key().public_key())
    assert caught.value.code == "purpose-unknown"


def test_leaf_unknown_profile_is_refused() -> None:
    with pytest.raises(TlsError) as caught:
        made.leaf(made.authority(), "peer", subject_names=["a.example.org"])
    assert caught.value.code == "profile-unknown"


def _foreign_authority(identifier: bytes | None) -> made.Pair:
    """Return an authority of another tool: with a key identifier of its own making, or without one."""
    key = made.private_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Old CA")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, made.LONG_AGO, made.FAR_AHEAD)
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    if identifier is not None:
        builder = builder.add_extension(x509.SubjectKeyIdentifier(identifier), critical=False)
    return made.Pair(builder.sign(key, signing.hashes.SHA256()), key)


def test_leaf_below_adopted_authority_repeats_its_key_identifier() -> None:
    certificate = made.leaf(_foreign_authority(b"own-way")).certificate
    assert _extension(certificate, x509.AuthorityKeyIdentifier, critical=False).key_identifier == b"own-way"


def test_leaf_below_authority_without_identifier_computes_it() -> None:
    certificate = made.leaf(_foreign_authority(None)).certificate
    expected = x509.SubjectKeyIdentifier.from_public_key(made.private_key().public_key()).digest
    assert _extension(certificate, x509.AuthorityKeyIdentifier, critical=False).key_identifier == expected


class TestOpenssl:
    """``openssl verify -x509_strict`` accepts each certificate for its purpose only."""

    @pytest.mark.parametrize("key_type", KEY_TYPES)
    def test_server_is_a_server_for_its_names_only(self, tmp_path: pathlib.Path, key_type: str) -> None:
        authority = made.authority("server", key_type)
        anchor = authority.write(tmp_path, "ca")
        path = made.leaf(authority, "server", key_type).write(tmp_path, "leaf")
        assert made.openssl_verify(anchor, anchor)
        assert made.openssl_verify(anchor, path, "-purpose", "sslserver")
        assert not made.openssl_verify(anchor, path, "-purpose", "sslclient")
        for name, good in (("docker1.example.org", True), ("x.apps.example.org", True), ("other.example.org", False)):
            assert made.openssl_verify(anchor, path, "-purpose", "sslserver", "-verify_hostname", name) is good
        for address, good in (("10.0.0.5", True), ("fd00::5", True), ("10.0.0.6", False)):
            assert made.openssl_verify(anchor, path, "-purpose", "sslserver", "-verify_ip", address) is good

    @pytest.mark.parametrize("key_type", KEY_TYPES)
    def test_client_is_a_client_only(self, tmp_path: pathlib.Path, key_type: str) -> None:
        authority = made.authority("client", key_type)
        anchor = authority.write(tmp_path, "ca")
        path = made.leaf(authority, "client", key_type, common_name="portainer").write(tmp_path, "leaf")
        assert made.openssl_verify(anchor, path, "-purpose", "sslclient")
        assert not made.openssl_verify(anchor, path, "-purpose", "sslserver")

    def test_client_below_server_authority_is_refused_by_the_authority_too(self, tmp_path: pathlib.Path) -> None:
        authority = made.authority("server")
        anchor = authority.write(tmp_path, "ca")
        path = made.leaf(authority, "client", common_name="portainer").write(tmp_path, "leaf")
        assert not made.openssl_verify(anchor, path, "-purpose", "sslclient")

    @pytest.mark.parametrize("name", ["web_1.example.org", "web_1", "localhost"])
    def test_names_out_of_the_ordinary_match(self, tmp_path: pathlib.Path, name: str) -> None:
        authority = made.authority()
        anchor = authority.write(tmp_path, "ca")
        path = made.leaf(authority, subject_names=[name]).write(tmp_path, "leaf")
        assert made.openssl_verify(anchor, path, "-purpose", "sslserver", "-verify_hostname", name)

    def test_wildcard_over_top_level_name_matches_nothing(self, tmp_path: pathlib.Path) -> None:
        """Why ``*.lan`` is refused as a name."""
        authority = made.authority()
        anchor = authority.write(tmp_path, "ca")
        key = made.private_key("ecdsa-p256", 1)
        certificate = signing.sign_leaf(
            signing.signer(authority.certificate, authority.key),
            public_key=key.public_key(),
            profile="server",
            subject=names.SubjectNames("docker1", ("*.lan",)),
            not_before=made.LONG_AGO,
            not_after=made.FAR_AHEAD,
        )
        path = made.Pair(certificate, key).write(tmp_path, "leaf")
        assert not made.openssl_verify(anchor, path, "-verify_hostname", "docker1.lan")


class TestCryptographyVerifier:
    """``cryptography.x509.verification`` (45 and later for clients) agrees."""

    @staticmethod
    def _builder(authority: made.Pair) -> t.Any:
        verification = pytest.importorskip("cryptography.x509.verification")
        store = verification.Store([authority.certificate])
        return verification, verification.PolicyBuilder().store(store).time(made.NOW)

    @pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
    def test_server_is_accepted_as_server_only(self, key_type: str) -> None:
        authority = made.authority("server", key_type)
        verification, builder = self._builder(authority)
        certificate = made.leaf(authority, "server", key_type).certificate
        verifier = builder.build_server_verifier(x509.DNSName("docker1.example.org"))
        assert verifier.verify(certificate, []) == [certificate, authority.certificate]
        with pytest.raises(verification.VerificationError):
            builder.build_client_verifier().verify(certificate, [])

    @pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
    def test_client_is_accepted_as_client_only(self, key_type: str) -> None:
        authority = made.authority("client", key_type)
        verification, builder = self._builder(authority)
        certificate = made.leaf(authority, "client", key_type, common_name="ops alice").certificate
        verified = builder.build_client_verifier().verify(certificate, [])
        assert verified.subjects == [x509.DirectoryName(certificate.subject)]
        with pytest.raises(verification.VerificationError):
            builder.build_server_verifier(x509.DNSName("docker1.example.org")).verify(certificate, [])


class TestPkilint:
    """pkilint's PKIX lint has nothing to say at severity WARNING."""

    @staticmethod
    def _findings(path: pathlib.Path) -> int:
        lint = pytest.importorskip("pkilint.bin.lint_pkix_cert")
        return int(lint.main(["lint", "-s", "WARNING", str(path)]))

    @pytest.mark.parametrize("key_type", KEY_TYPES)
    @pytest.mark.parametrize("profile", ["server", "client"])
    def test_profiles_are_clean(self, tmp_path: pathlib.Path, profile: str, key_type: str) -> None:
        authority = made.authority(profile, key_type)
        assert self._findings(authority.write(tmp_path, "ca")) == 0
        subject_names = (
            ["docker1.example.org", "web_1.example.org", "10.0.0.5", "fd00::5"] if profile == "server" else None
        )
        path = made.leaf(authority, profile, key_type, subject_names=subject_names).write(tmp_path, "leaf")
        assert self._findings(path) == 0

    @pytest.mark.parametrize("name", ["localhost", "docker1", "*.apps.example.org"])
    def test_names_that_are_no_public_dns_names_are_found(self, tmp_path: pathlib.Path, name: str) -> None:
        """Known and wanted: users have such names, every TLS library matches them; pkilint calls them an ERROR."""
        path = made.leaf(made.authority(), subject_names=[name]).write(tmp_path, "leaf")
        assert self._findings(path) > 0
