# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passphrases: refused before anything is touched, and never quoted."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.passphrase import check_passphrase
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

REFUSED = {
    "": "passphrase-missing",
    "short": "passphrase-too-short",
    "elevenchars": "passphrase-too-short",
    "Phrase123!": "passphrase-too-short",
    "changeme1234": "passphrase-well-known",
    "changeme-in-production": "passphrase-well-known",
    "ChangeMe!!!!": "passphrase-well-known",
    "change_me_please": "passphrase-well-known",
    "password1234": "passphrase-well-known",
    "my-passphrase": "passphrase-well-known",
    "PasswordPassword": "passphrase-well-known",
    "Phrase123!Phrase123!": "passphrase-well-known",
    "secret-secret-1": "passphrase-well-known",
    "aaaaaaaaaaaaaaaa": "passphrase-well-known",
    "121212121212": "passphrase-well-known",
    "a good one but\n": "passphrase-unusable",
    "a good one but\x00": "passphrase-unusable",
    "a good one but " * 100: "passphrase-unusable",
}


@pytest.mark.parametrize(("passphrase", "code"), REFUSED.items(), ids=[repr(text)[:30] for text in REFUSED])
def test_check_passphrase_that_is_unfit_is_refused_without_quoting_it(passphrase: str, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        check_passphrase(passphrase)
    assert caught.value.code == code
    assert not passphrase or passphrase not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "passphrase",
    [
        "twelve chars",
        "test-passphrase-1234",
        "correct horse battery staple",
        "пароль достаточно длинный",
        "x" * 3 + "yzabcdefghi",
        "the password of my cat",
        "docker-ca-for-tests",
        "Zm9vYmFyYmF6cXV4Cg==",
    ],
)
def test_check_passphrase_that_is_fit_returns_its_bytes(passphrase: str) -> None:
    assert check_passphrase(passphrase) == passphrase.encode()


def test_check_passphrase_of_hostile_length_is_quick() -> None:
    with pytest.raises(TlsError):
        check_passphrase("pass" * 5000 + "-_" * 5000 + "!")


@pytest.mark.parametrize("passphrase", ["", "short", "changeme1234"])
def test_hint_asks_for_the_old_passphrase_where_a_ca_exists(tmp_path: pathlib.Path, passphrase: str) -> None:
    """A new one would not open its keys, and the advice to generate one sounds as if it would."""
    hints = []
    for _time in range(2):
        with pytest.raises(TlsError) as caught:
            check_passphrase(passphrase, of_ca=str(tmp_path))
        hints.append(caught.value.hint)
        (tmp_path / "authorities/server-g1").mkdir(parents=True, exist_ok=True)
    assert "openssl rand" in hints[0] and "openssl rand" not in hints[1]
    assert f"with which the CA in {tmp_path} was made" in hints[1]
