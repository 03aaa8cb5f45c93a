# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private and public keys."""

from __future__ import annotations

import hashlib
import typing as t

from .._errors import TlsError
from . import pem
from .compat import UnsupportedAlgorithm, ec, ed25519, load_pem_private_key, rsa, serialization

if t.TYPE_CHECKING:
    from .compat import PrivateKey

#: Every type works for dockerd, the docker CLI, curl and Python (measured, dockerd 20.10 to 28.5).
KEY_TYPES: tuple[str, ...] = ("ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096")

_RSA_EXPONENT = 65537
_NOT_A_KEY = "Name a PEM file with an RSA, EC or Ed25519 private key (PKCS#8, PKCS#1 or SEC1)."


def check_key_type(key_type: str, option: str = "key_type") -> None:
    """Raise TlsError ``key-type-unknown`` naming ``option`` unless ``key_type`` is one of ``KEY_TYPES``."""
    if key_type not in KEY_TYPES:
        raise TlsError(
            f"{option} is {key_type!r}, which is not a known key type",
            hint=f"Use one of {', '.join(KEY_TYPES)}.",
            code="key-type-unknown",
        )


def generate_private_key(key_type: str) -> PrivateKey:
    """Return a new private key of one of ``KEY_TYPES``. Raises TlsError ``key-type-unknown``."""
    check_key_type(key_type)
    if key_type == "ecdsa-p256":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type == "ecdsa-p384":
        return ec.generate_private_key(ec.SECP384R1())
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(_RSA_EXPONENT, int(key_type.split("-")[1]))


def encode_private_key(key: PrivateKey) -> bytes:
    """Return ``key`` as unencrypted PKCS#8 PEM (RFC 5958); dockerd reads no encrypted keys (measured)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_key(data: str | bytes, passphrase: bytes | None = None, *, what: str) -> PrivateKey:
    """Return the private key in the PEM ``data`` (PKCS#8, PKCS#1 or SEC1).

    ``what`` names the file or option in messages. Raises TlsError ``key-unreadable`` (not a key, or of no usable kind),
    ``passphrase-missing`` (encrypted, and none was given), ``passphrase-wrong``, or ``key-not-encrypted`` (a
    passphrase was given for a key that has none).
    """
    found = pem.blocks(data, *pem.PRIVATE_KEY)
    if not found:
        raise TlsError(f"{what} holds no private key in PEM form", hint=_NOT_A_KEY, code="key-unreadable")
    encrypted = b"ENCRYPTED" in found[0]
    if encrypted and passphrase is None:
        raise TlsError(
            f"{what} is encrypted and no passphrase was given",
            hint="Give the passphrase, or a key without encryption where no passphrase can be given.",
            code="passphrase-missing",
        )
    if passphrase is not None and not encrypted:
        raise TlsError(
            f"{what} is not encrypted, but a passphrase was given for it",
            hint="Leave the passphrase out, or check that this is the intended key.",
            code="key-not-encrypted",
        )
    try:
        key = load_pem_private_key(found[0], passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise TlsError(
                f"{what} does not open with the passphrase that was given",
                hint="Check the passphrase; if it is right, the file is damaged and its backup is needed.",
                code="passphrase-wrong",
            ) from error
        raise TlsError(
            f"{what} is not a private key that can be read", hint=_NOT_A_KEY, code="key-unreadable"
        ) from error
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise TlsError(
            f"{what} is neither an RSA, nor an EC, nor an Ed25519 key", hint=_NOT_A_KEY, code="key-unreadable"
        )
    return key


def key_type_of(public_key: t.Any) -> str:
    """Return the key type as in ``KEY_TYPES``, or a word of that form (``rsa-1024``, ``ecdsa-secp521r1``)."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"rsa-{public_key.key_size}"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        names = {"secp256r1": "p256", "secp384r1": "p384"}
        return f"ecdsa-{names.get(public_key.curve.name, public_key.curve.name)}"
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return "ed25519"
    return type(public_key).__name__.lstrip("_").replace("PublicKey", "").lower() or "unknown"


def public_key_fingerprint(public_key: t.Any) -> str:
    """Return the SHA-256 of the SubjectPublicKeyInfo (DER) as lower-case hex; equal for a key and its certificate."""
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
