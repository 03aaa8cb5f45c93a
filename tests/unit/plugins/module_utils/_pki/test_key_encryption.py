# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted keys open with openssl and cryptography, with the rounds that are promised."""

from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys
from support.ca import certificates as made

PASSPHRASE = "größer als zwölf Zeichen"


def _openssl(data: bytes, *arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])
def test_encrypted_key_opens_with_openssl_and_cryptography(key_type: str) -> None:
    key = made.private_key(key_type)
    data = keys.encrypt_private_key(key, PASSPHRASE.encode(), rounds=1000)
    plain = keys.encode_private_key(key)
    assert _openssl(data, "pkcs8", "-passin", f"pass:{PASSPHRASE}") == plain
    assert _openssl(data, "pkey", "-passin", f"pass:{PASSPHRASE}") == plain
    assert keys.encode_private_key(keys.load_private_key(data, PASSPHRASE.encode(), what="k")) == plain


def test_encrypted_key_states_its_algorithms_and_600000_rounds() -> None:
    data = keys.encrypt_private_key(made.private_key(), b"x" * 12)
    text = _openssl(data, "asn1parse").decode()
    for word in ("PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc"):
        assert re.search(rf"OBJECT +:{word}\b", text), text
    integers = [int(number, 16) for number in re.findall(r"INTEGER +:([0-9A-F]+)", text)]
    assert integers == [600_000, 32]
    assert _openssl(data, "pkey", "-passin", "pass:" + "x" * 12).startswith(b"-----BEGIN PRIVATE KEY")


def test_encrypted_key_differs_each_time() -> None:
    made_twice = {keys.encrypt_private_key(made.private_key(), b"x" * 12, 1) for _time in range(2)}
    assert len(made_twice) == 2


@pytest.mark.parametrize("rounds", [1, 127, 128, 255, 256, 65_535, 65_536])
def test_encrypted_key_any_number_of_rounds_is_valid_der(rounds: int) -> None:
    data = keys.encrypt_private_key(made.private_key(), b"x" * 12, rounds)
    assert keys.passphrase_opens(data, b"x" * 12)


def test_passphrase_opens_tells_right_from_wrong() -> None:
    data = keys.encrypt_private_key(made.private_key(), b"right passphrase", 10)
    assert keys.passphrase_opens(data, b"right passphrase")
    assert not keys.passphrase_opens(data, b"wrong passphrase")


def test_passphrase_opens_plain_key_is_an_error() -> None:
    with pytest.raises(TlsError) as caught:
        keys.passphrase_opens(keys.encode_private_key(made.private_key()), b"x" * 12)
    assert caught.value.code == "key-not-encrypted"
