# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extensions of each kind of certificate (RFC 5280 §4.2.1).

| field | authority | server | client |
|---|---|---|---|
| basicConstraints, critical | CA, pathlen 0 | no CA | no CA |
| keyUsage, critical | keyCertSign, cRLSign | digitalSignature (+ keyEncipherment for RSA) | digitalSignature |
| extendedKeyUsage | serverAuth xor clientAuth (its purpose) | serverAuth | clientAuth |
| subjectKeyIdentifier, authorityKeyIdentifier | both | both | both |
| subjectAltName | - | DNS names, IP addresses | its common name as a directory name |

Server and client are never one certificate: with one CA and both usages every host's own key is root on every other
host (measured, dockerd 20.10.24). The usage on the authority repeats that: Go and OpenSSL refuse a leaf of the other
kind below it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .compat import ExtendedKeyUsageOID, ExtensionOID, rsa, x509

#: Extended key usage of each leaf profile.
USAGE_OF_PROFILE: dict[str, str] = {"server": "serverAuth", "client": "clientAuth"}

_KEY_USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
    "key_cert_sign crl_sign encipher_only decipher_only"
).split()


@dataclass(frozen=True)
class Extension:
    """One extension and whether a reader that does not know it must refuse the certificate."""

    value: x509.ExtensionType
    critical: bool


def check_profile(profile: str) -> None:
    """Raise TlsError ``profile-unknown`` unless ``profile`` is ``server`` or ``client``."""
    if profile not in USAGE_OF_PROFILE:
        raise TlsError(f"{profile!r} is not a profile", hint="Use server or client.", code="profile-unknown")


def authority(purpose: str, public_key: t.Any) -> list[Extension]:
    """Return the extensions of a self-signed authority for ``server``, ``client`` or ``both``."""
    usages = {
        "server": [ExtendedKeyUsageOID.SERVER_AUTH],
        "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
        "both": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    }
    if purpose not in usages:
        raise TlsError(
            f"{purpose!r} is not a purpose of an authority", hint="Use server or client.", code="purpose-unknown"
        )
    key_identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return [
        Extension(x509.BasicConstraints(ca=True, path_length=0), critical=True),
        Extension(_key_usage("key_cert_sign", "crl_sign"), critical=True),
        Extension(x509.ExtendedKeyUsage(usages[purpose]), critical=False),
        Extension(key_identifier, critical=False),
        Extension(x509.AuthorityKeyIdentifier(key_identifier.digest, None, None), critical=False),
    ]


def leaf_shared(
    profile: str, *, enciphers_keys: bool, authority_key_identifier: x509.AuthorityKeyIdentifier
) -> list[Extension]:
    """Return those extensions of a ``server`` or ``client`` certificate that others below the same authority have too."""
    check_profile(profile)
    usages = ["digital_signature", *(["key_encipherment"] if enciphers_keys else [])]
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if profile == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
    return [
        Extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        Extension(_key_usage(*usages), critical=True),
        Extension(x509.ExtendedKeyUsage([purpose]), critical=False),
        Extension(authority_key_identifier, critical=False),
    ]


def leaf_own(public_key: t.Any, names: list[x509.GeneralName]) -> list[Extension]:
    """Return the extensions that no other certificate has."""
    return [
        Extension(x509.SubjectAlternativeName(names), critical=False),
        Extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False),
    ]


def enciphers_keys(profile: str, public_key: t.Any) -> bool:
    """Return whether a certificate is also for RSA key exchange (TLS 1.2 and earlier)."""
    return profile == "server" and isinstance(public_key, rsa.RSAPublicKey)


def _key_usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in names for name in _KEY_USAGES})


def authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the identifier of the authority's key: its own SKI, which an adopted CA may have made in its own way."""
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(t.cast(t.Any, certificate.public_key()))
    return x509.AuthorityKeyIdentifier(t.cast(x509.SubjectKeyIdentifier, found).digest, None, None)
