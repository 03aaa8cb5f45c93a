# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys: made, read, and encrypted with a passphrase.

``cryptography`` writes PKCS#8 with 2,048 rounds of PBKDF2 and offers no other number (measured, 38 to 50); this writes
600,000 (the floor for PBKDF2-HMAC-SHA256 in OWASP's Password Storage Cheat Sheet). openssl 1.1.1 and 3, every
``cryptography`` and Go tools with PBES2 open the result; scrypt would shut some of them out (measured).

The DER structure, written by hand because nothing on a host writes it (RFC 5958 §3, RFC 8018 appendix A)::

    EncryptedPrivateKeyInfo  SEQUENCE
      encryptionAlgorithm    SEQUENCE { PBES2, SEQUENCE
        keyDerivationFunc      SEQUENCE { PBKDF2, SEQUENCE
          { salt, iterationCount, keyLength, SEQUENCE { hmacWithSHA256, NULL } } }
        encryptionScheme       SEQUENCE { aes256-CBC-PAD, iv } }
      encryptedData          OCTET STRING
"""

from __future__ import annotations

import base64
import hashlib
import os
import textwrap
import typing as t

from .._errors import TlsError
from . import pem
from .compat import (
    Cipher,
    UnsupportedAlgorithm,
    algorithms,
    ec,
    ed25519,
    load_pem_private_key,
    modes,
    rsa,
    serialization,
)

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


#: PBKDF2-HMAC-SHA256 rounds of the keys written here.
ROUNDS = 600_000

_KEY_BYTES = 32
_BLOCK_BYTES = 16
_SALT_BYTES = 16
_LABEL = "ENCRYPTED PRIVATE KEY"

_PBES2 = bytes.fromhex("06092a864886f70d01050d")  # 1.2.840.113549.1.5.13
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")  # 1.2.840.113549.1.5.12
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d02090500")  # 1.2.840.113549.2.9, NULL
_AES256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42


def _der(tag: int, *parts: bytes) -> bytes:
    """Return one DER element (X.690 §8.1.3): tag, length, and the parts one after the other."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, *parts)


def _octets(content: bytes) -> bytes:
    return _der(0x04, content)


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encrypt_private_key(key: PrivateKey, passphrase: bytes, rounds: int = ROUNDS) -> bytes:
    """Return ``key`` as PKCS#8 PEM (``ENCRYPTED PRIVATE KEY``): PBES2, PBKDF2-HMAC-SHA256, AES-256-CBC.

    ``passphrase`` is the UTF-8 of the user's text; ``rounds`` is lowered only by tests. One call takes about 0.2 s.
    """
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    salt, iv = os.urandom(_SALT_BYTES), os.urandom(_BLOCK_BYTES)
    secret = hashlib.pbkdf2_hmac("sha256", passphrase, salt, rounds, _KEY_BYTES)
    fill = _BLOCK_BYTES - len(plain) % _BLOCK_BYTES
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
    encrypted = encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()
    derivation = _sequence(
        _PBKDF2, _sequence(_octets(salt), _integer(rounds), _integer(_KEY_BYTES), _sequence(_HMAC_SHA256))
    )
    scheme = _sequence(_AES256_CBC, _octets(iv))
    document = _sequence(_sequence(_PBES2, _sequence(derivation, scheme)), _octets(encrypted))
    body = "\n".join(textwrap.wrap(base64.b64encode(document).decode("ascii"), 64))
    return f"-----BEGIN {_LABEL}-----\n{body}\n-----END {_LABEL}-----\n".encode("ascii")


def passphrase_opens(pem: bytes, passphrase: bytes) -> bool:
    """Return whether ``passphrase`` opens the encrypted key ``pem``.

    Raises TlsError ``key-unreadable`` or ``key-not-encrypted`` where there is nothing to open.
    """
    try:
        load_private_key(pem, passphrase, what="the key")
    except TlsError as error:
        if error.code == "passphrase-wrong":
            return False
        raise
    return True
