# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each version of cryptography is asked for, and signatures of every kind."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
from datetime import datetime, timezone

import pytest

import helpers_x509 as made
from ansible_collections.portcullis.docker_tls.plugins.module_utils._x509 import compat, inspect

KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"]


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_signature_is_by_tells_the_signer(key_type: str) -> None:
    authority = made.authority("server", key_type)
    leaf = made.leaf(authority).certificate
    assert compat.signature_is_by(leaf, authority.key.public_key())
    for other in KEY_TYPES:
        assert not compat.signature_is_by(leaf, made.private_key(other, 9).public_key())
    assert not compat.signature_is_by(leaf, object())


def test_signature_is_by_rsa_pss_where_the_library_knows_it() -> None:
    key = made.private_key("rsa-2048")
    command = ["openssl", "req", "-x509", "-key", "/dev/stdin", "-subj", "/CN=pss", "-sigopt", "rsa_padding_mode:pss"]
    data = subprocess.run(command, input=made.Pair(None, key).key_pem, capture_output=True, check=True).stdout
    certificate = inspect.load_certificate(data, "pss")
    assert compat.signature_is_by(certificate, key.public_key()) is hasattr(
        certificate, "signature_algorithm_parameters"
    )


def test_times_old_library_gives_aware_datetimes() -> None:
    old = types.SimpleNamespace(not_valid_before=datetime(2026, 1, 2), not_valid_after=datetime(2026, 3, 4))
    assert compat.not_before(old) == datetime(2026, 1, 2, tzinfo=timezone.utc)  # type: ignore[arg-type]
    assert compat.not_after(old) == datetime(2026, 3, 4, tzinfo=timezone.utc)  # type: ignore[arg-type]


def test_times_new_library_gives_aware_datetimes() -> None:
    begin, end = datetime(2026, 1, 2, tzinfo=timezone.utc), datetime(2026, 3, 4, tzinfo=timezone.utc)
    new = types.SimpleNamespace(not_valid_before_utc=begin, not_valid_after_utc=end)
    assert (compat.not_before(new), compat.not_after(new)) == (begin, end)  # type: ignore[arg-type]


def test_load_pem_private_key_old_library_is_asked_without_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    def old_loader(data: bytes, password: bytes | None) -> tuple[bytes, bytes | None]:
        return data, password

    monkeypatch.setattr(compat, "serialization", types.SimpleNamespace(load_pem_private_key=old_loader))
    assert compat.load_pem_private_key(b"key", b"secret") == (b"key", b"secret")


def test_load_pem_private_key_other_type_errors_are_passed_on() -> None:
    with pytest.raises(TypeError):
        compat.load_pem_private_key(made.Pair(None, made.private_key()).key_pem, b"not needed")


def test_compat_without_cryptography_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    specification = importlib.util.spec_from_file_location("compat_without_cryptography", compat.__file__)
    assert specification is not None
    assert specification.loader is not None
    bare = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(bare)
    assert bare.x509 is None
    assert bare.InvalidSignature is Exception
