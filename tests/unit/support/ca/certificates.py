# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates for tests, made by the collection's own core, and a verifier: openssl."""

from __future__ import annotations

import base64
import functools
import pathlib
import subprocess
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat, keys, names, reader, signing

#: The clock of the tests.
NOW = datetime(2026, 11, 22, 13, 0, tzinfo=timezone.utc)
#: Validity that also holds for verifiers that use the real clock.
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
FAR_AHEAD = datetime(2045, 1, 1, tzinfo=timezone.utc)

SERVER_NAMES = ("docker1.example.org", "*.apps.example.org", "10.0.0.5", "fd00::5")


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: t.Any
    key: t.Any

    @property
    def pem(self) -> str:
        return reader.certificate_pem(self.certificate)

    @property
    def key_pem(self) -> bytes:
        return keys.encode_private_key(self.key)

    @property
    def view(self) -> reader.CertificateView:
        return reader.view_certificate(self.certificate)

    @property
    def fingerprint(self) -> str:
        return keys.public_key_fingerprint(self.key.public_key())

    def write(self, directory: pathlib.Path, name: str) -> pathlib.Path:
        """Write ``name``.pem and ``name``.key; return the path of the certificate."""
        (directory / f"{name}.key").write_bytes(self.key_pem)
        path = directory / f"{name}.pem"
        path.write_text(self.pem)
        return path


@functools.cache
def private_key(key_type: str = "ecdsa-p256", number: int = 0) -> t.Any:
    """Return one key for each type and number, so that RSA keys are made once."""
    return keys.generate_private_key(key_type)


def authority(
    purpose: str = "server",
    key_type: str = "ecdsa-p256",
    *,
    unit: str = "",
    begin: datetime = LONG_AGO,
    end: datetime = FAR_AHEAD,
    number: int = 0,
) -> Pair:
    """Return a self-signed authority named as the collection names them."""
    key = private_key(key_type, number)
    certificate = signing.self_sign_authority(
        key,
        common_name="Docker CA",
        organization="",
        unit=unit or f"{purpose}-g1",
        purpose=purpose,
        not_before=begin,
        not_after=end,
    )
    return Pair(certificate, key)


def intermediate(issuer: Pair, name: str, number: int) -> Pair:
    """Return an issuing CA below ``issuer``, as a company's PKI has it."""
    x509 = compat.x509
    key = private_key(number=number)
    subject = x509.Name([x509.NameAttribute(compat.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer.certificate.subject, subject, key.public_key(), number, LONG_AGO, FAR_AHEAD
    ).add_extension(x509.BasicConstraints(True, 0), critical=True)
    return Pair(builder.sign(issuer.key, compat.hashes.SHA256()), key)


def leaf(
    issuer: Pair,
    profile: str = "server",
    key_type: str = "ecdsa-p256",
    *,
    common_name: str = "docker1.example.org",
    subject_names: t.Iterable[str] | None = None,
    begin: datetime = LONG_AGO,
    end: datetime = FAR_AHEAD - timedelta(days=1),
    key: t.Any = None,
) -> Pair:
    """Return a certificate of ``profile`` below ``issuer``, with a key of its own."""
    if subject_names is None:
        subject_names = SERVER_NAMES if profile == "server" else (names.client_identity(common_name),)
    key = private_key(key_type, 1) if key is None else key
    certificate = signing.sign_leaf(
        signing.signer(issuer.certificate, issuer.key),
        public_key=key.public_key(),
        profile=profile,
        subject=names.SubjectNames(common_name, names.normalize_names(subject_names)),
        not_before=begin,
        not_after=end,
    )
    return Pair(certificate, key)


def foreign_authority(*, usage: bool = True, critical: bool = True, identifier: bool = True) -> Pair:
    """Return an authority as other tools make it, without what is False; strict clients refuse it then."""
    x509 = compat.x509
    key = private_key(number=9)
    name = x509.Name([x509.NameAttribute(compat.NameOID.COMMON_NAME, "docker1")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(LONG_AGO.replace(tzinfo=None))
        .not_valid_after(FAR_AHEAD.replace(tzinfo=None))
        .add_extension(x509.BasicConstraints(True, None), critical=critical)
    )
    if usage:
        signs = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(signs, critical=True)
    if identifier:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Pair(builder.sign(key, compat.hashes.SHA256()), key)


def named_authority(attributes: t.Sequence[tuple[str, str]], *, path_length: int | None = 0, number: int = 9) -> Pair:
    """Return an authority whose name has these attributes (OpenSSL's short names), in this order."""
    x509 = compat.x509
    oids = {
        "C": "2.5.4.6",
        "ST": "2.5.4.8",
        "L": "2.5.4.7",
        "O": "2.5.4.10",
        "OU": "2.5.4.11",
        "CN": "2.5.4.3",
        "SN": "2.5.4.4",
    }
    oids |= {"serialNumber": "2.5.4.5", "title": "2.5.4.12", "GN": "2.5.4.42", "pseudonym": "2.5.4.65"}
    oids |= {
        "DC": "0.9.2342.19200300.100.1.25",
        "UID": "0.9.2342.19200300.100.1.1",
        "emailAddress": "1.2.840.113549.1.9.1",
    }
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(oids[short]), value) for short, value in attributes])
    key = private_key(number=number)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(LONG_AGO.replace(tzinfo=None))
        .not_valid_after(FAR_AHEAD.replace(tzinfo=None))
        .add_extension(x509.BasicConstraints(True, path_length), critical=True)
    )
    return Pair(builder.sign(key, compat.hashes.SHA256()), key)


def of_an_unknown_version(pair: Pair) -> bytes:
    """Return the certificate's DER with version 67, as ``make fuzz`` found it: no ValueError comes of it, but x509.InvalidVersion."""
    der: bytes = pair.certificate.public_bytes(compat.serialization.Encoding.DER)
    return der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x42", 1)


def as_pem(der: bytes) -> str:
    """Wrap a certificate's DER as PEM."""
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


def openssl_verify(anchor: pathlib.Path, certificate: pathlib.Path, *options: str) -> bool:
    """Return whether ``openssl verify -x509_strict`` accepts the certificate below the anchor."""
    command = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-CAfile", str(anchor), *options, str(certificate)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
