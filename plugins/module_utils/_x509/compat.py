# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that imports ``cryptography`` and knows its versions (3.3.2 to 50). PRIVATE: may change any time.

Everything else here takes its names from this file. Where the library is missing they are None, so that the files
can still be imported (ansible-test does that); ``_module.run_module`` tells the user before any of them is used.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
except ImportError:
    x509 = hashes = serialization = ec = ed25519 = padding = rsa = None  # type: ignore[assignment]
    Cipher = algorithms = modes = pkcs12 = None  # type: ignore[assignment,misc]
    ExtendedKeyUsageOID = ExtensionOID = NameOID = None  # type: ignore[assignment,misc]
    InvalidSignature = UnsupportedAlgorithm = Exception  # type: ignore[assignment,misc]

#: What ``cryptography`` raises for bytes that are no certificate or request; the last two are no ValueError.
UNREADABLE: tuple[type[BaseException], ...] = (ValueError, TypeError, UnsupportedAlgorithm)
if x509 is not None:
    UNREADABLE += (x509.DuplicateExtension, x509.InvalidVersion)

if t.TYPE_CHECKING:
    PrivateKey = t.Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]

__all__ = [
    "UNREADABLE",
    "Cipher",
    "ExtendedKeyUsageOID",
    "ExtensionOID",
    "InvalidSignature",
    "NameOID",
    "UnsupportedAlgorithm",
    "algorithms",
    "ec",
    "ed25519",
    "hashes",
    "load_pem_private_key",
    "modes",
    "not_after",
    "not_before",
    "padding",
    "pkcs12",
    "pkcs12_encryption",
    "rsa",
    "serialization",
    "signature_is_by",
    "x509",
]


def not_before(certificate: x509.Certificate) -> datetime:
    """Return the start of validity, aware and in UTC (``not_valid_before_utc`` exists from 42 on)."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=timezone.utc)


def not_after(certificate: x509.Certificate) -> datetime:
    """Return the end of validity, aware and in UTC (``not_valid_after_utc`` exists from 42 on)."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=timezone.utc)


def load_pem_private_key(data: bytes, passphrase: bytes | None) -> t.Any:
    """Load a private key, without the slow RSA consistency check where the library can leave it out (39 and later).

    The check costs 0.1 to 0.5 s for RSA-4096 and protects against keys of an attacker; these files are the host's own.
    Raises what ``cryptography`` raises.
    """
    try:
        return serialization.load_pem_private_key(data, passphrase, unsafe_skip_rsa_key_validation=True)
    except TypeError as error:
        if "unsafe_skip_rsa_key_validation" not in str(error):
            raise
    return serialization.load_pem_private_key(data, passphrase)


def pkcs12_encryption(passphrase: bytes, rounds: int) -> t.Any:
    """Return how a PKCS#12 file is encrypted: AES-256 and SHA-256 throughout; None before cryptography 38 (3DES and SHA-1)."""
    builder = getattr(serialization.PrivateFormat, "PKCS12", None)
    if builder is None:
        return None
    return (
        builder.encryption_builder()
        .kdf_rounds(rounds)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(passphrase)
    )


def signature_is_by(certificate: x509.Certificate, public_key: t.Any) -> bool:
    """Return whether ``public_key`` made the signature on ``certificate``.

    By hand, because ``verify_directly_issued_by`` exists only from 40 on. RSA-PSS is known only where the library
    tells its parameters (41 and later); False elsewhere.
    """
    try:
        hash_algorithm = certificate.signature_hash_algorithm
        if isinstance(public_key, rsa.RSAPublicKey) and hash_algorithm is not None:
            scheme = getattr(certificate, "signature_algorithm_parameters", None)
            if not isinstance(scheme, padding.PSS):
                scheme = padding.PKCS1v15()
            public_key.verify(certificate.signature, certificate.tbs_certificate_bytes, scheme, hash_algorithm)
        elif isinstance(public_key, ec.EllipticCurvePublicKey) and hash_algorithm is not None:
            public_key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hash_algorithm))
        elif isinstance(public_key, ed25519.Ed25519PublicKey) and hash_algorithm is None:
            public_key.verify(certificate.signature, certificate.tbs_certificate_bytes)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
