# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of every type are made, written, read back; an unusable key is an error with a message."""

from __future__ import annotations

import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys
from support.ca import certificates as made

PLAIN = made.private_key()
PASSPHRASE = b"correct horse battery"


@pytest.mark.parametrize("key_type", [name for name in keys.KEY_TYPES if name not in ("rsa-3072", "rsa-4096")])
def test_private_key_of_each_type_survives_a_round_trip(key_type: str) -> None:
    key = made.private_key(key_type)
    data = keys.encode_private_key(key)
    assert data.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    again = keys.load_private_key(data, what="the key")
    assert keys.encode_private_key(again) == data
    assert keys.key_type_of(again.public_key()) == key_type


def test_generate_private_key_takes_the_rsa_size_from_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(keys.rsa, "generate_private_key", lambda exponent, size: asked.append((exponent, size)))
    for key_type in ("rsa-3072", "rsa-4096"):
        keys.generate_private_key(key_type)
    assert asked == [(65537, 3072), (65537, 4096)]


@pytest.mark.parametrize("key_type", ["", "rsa", "rsa-1024", "ecdsa-p521", "ECDSA-P256", "ed448"])
def test_generate_private_key_unknown_type_names_option_and_choices(key_type: str) -> None:
    with pytest.raises(TlsError) as caught:
        keys.generate_private_key(key_type)
    assert caught.value.code == "key-type-unknown"
    assert "key_type" in caught.value.message
    assert "ecdsa-p256" in caught.value.hint


@pytest.mark.parametrize(
    "form",
    [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8],
    ids=["traditional", "pkcs8"],
)
@pytest.mark.parametrize("key_type", ["ecdsa-p256", "rsa-2048"])
def test_load_private_key_reads_every_pem_form(key_type: str, form: serialization.PrivateFormat) -> None:
    key = made.private_key(key_type)
    data = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    assert keys.encode_private_key(keys.load_private_key(data, what="k")) == keys.encode_private_key(key)


def test_load_private_key_openssl_ecparam_file_is_read() -> None:
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"EC PARAMETERS" in data
    assert keys.key_type_of(keys.load_private_key(data, what="k").public_key()) == "ecdsa-p256"


def _pem(key: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


DAMAGED = keys.encode_private_key(PLAIN).replace(b"\n", b"\nAAAA", 1)


@pytest.mark.parametrize(
    ("data", "passphrase", "code"),
    [
        pytest.param(b"", None, "key-unreadable", id="empty"),
        pytest.param(b"\x00\xff" * 40, None, "key-unreadable", id="binary"),
        pytest.param(made.authority().pem.encode(), None, "key-unreadable", id="certificate"),
        pytest.param(DAMAGED, None, "key-unreadable", id="damaged"),
        pytest.param(_pem(dsa.generate_private_key(1024)), None, "key-unreadable", id="dsa"),
        pytest.param(_pem(x25519.X25519PrivateKey.generate()), None, "key-unreadable", id="x25519"),
        pytest.param(_pem(PLAIN), PASSPHRASE, "key-not-encrypted", id="plain-with-passphrase"),
        pytest.param(keys.encrypt_private_key(PLAIN, PASSPHRASE, 10), None, "passphrase-missing", id="missing"),
        pytest.param(keys.encrypt_private_key(PLAIN, PASSPHRASE, 10), b"x", "passphrase-wrong", id="wrong"),
        pytest.param(keys.encrypt_private_key(PLAIN, PASSPHRASE, 10), b"", "passphrase-wrong", id="empty-phrase"),
    ],
)
def test_load_private_key_bad_input_names_the_file(data: bytes, passphrase: bytes | None, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        keys.load_private_key(data, passphrase, what="/etc/docker/key.pem")
    assert caught.value.code == code
    assert "/etc/docker/key.pem" in caught.value.message
    assert "correct horse" not in caught.value.message


@pytest.mark.parametrize("cipher", ["-des3", "-aes128"])
def test_load_private_key_legacy_encrypted_pem_opens(cipher: str) -> None:
    command = ["openssl", "ec", cipher, "-passout", "pass:correct horse battery"]
    data = subprocess.run(command, input=_pem(PLAIN), capture_output=True, check=True).stdout
    assert b"DEK-Info" in data
    assert _pem(keys.load_private_key(data, PASSPHRASE, what="k")) == _pem(PLAIN)
    with pytest.raises(TlsError, match="does not open"):
        keys.load_private_key(data, b"wrong", what="k")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param(ec.generate_private_key(ec.SECP521R1()), "ecdsa-secp521r1", id="p521"),
        pytest.param(rsa.generate_private_key(65537, 1024), "rsa-1024", id="rsa-1024"),
    ],
)
def test_key_type_of_foreign_key_is_a_word_of_the_same_form(key: object, expected: str) -> None:
    assert keys.key_type_of(key.public_key()) == expected  # type: ignore[attr-defined]


def test_key_type_of_unsupported_kind_is_no_known_type() -> None:
    assert keys.key_type_of(dsa.generate_private_key(1024).public_key()) not in keys.KEY_TYPES
    assert keys.key_type_of(type("_PublicKey", (), {})()) == "unknown"


def test_public_key_fingerprint_equals_openssl() -> None:
    public = subprocess.run(
        ["openssl", "pkey", "-pubout", "-outform", "DER"], input=_pem(PLAIN), capture_output=True, check=True
    ).stdout
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=public, capture_output=True, check=True).stdout
    assert keys.public_key_fingerprint(PLAIN.public_key()) == digest.split()[0].decode()
