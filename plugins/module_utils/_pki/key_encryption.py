# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted private keys that withstand guessing.

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
from . import keys
from .compat import Cipher, algorithms, modes, serialization

if t.TYPE_CHECKING:
    from .compat import PrivateKey

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
        keys.load_private_key(pem, passphrase, what="the key")
    except TlsError as error:
        if error.code == "passphrase-wrong":
            return False
        raise
    return True
