# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key that something else has put on the host: the request is made with it, and another key there makes a certificate due."""

from __future__ import annotations

import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat, keys, signing
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_requests
from support.ansible.modules import run_module
from support.ca import certificates as made

ROOT = made.authority(unit="company-root", number=41)


def put(path: pathlib.Path, key: t.Any, mode: int = 0o600) -> None:
    path.write_bytes(keys.encode_private_key(key))
    path.chmod(mode)


def ask(directory: pathlib.Path, *, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    request = {
        "id": "server",
        "profile": "server",
        "key_path": str(directory / "certs/server-key.pem"),
        "certificate_path": str(directory / "certs/server-cert.pem"),
        "names": ["web1.example.org"],
        "fqdn": False,
        "local_names": False,
        "authority_content": ROOT.pem,
        "external_issuer": True,
        "key_source_path": str(directory / "made-elsewhere.pem"),
        **changes,
    }
    return run_module(certificate_requests, {"requests": [request]}, check=check)


def fingerprint_of_request(found: dict[str, t.Any]) -> str:
    request = signing.load_request(found["requests"][0]["request_content"], "the request")
    return keys.public_key_fingerprint(request.public_key())


def install(directory: pathlib.Path, key: t.Any) -> None:
    """Put what a run would have installed there: the key that waited, and its certificate."""
    now = datetime.now(timezone.utc)
    end = now + timedelta(days=300)
    pair = made.leaf(
        ROOT, common_name="web1.example.org", subject_names=["web1.example.org"], begin=now, end=end, key=key
    )
    (directory / "certs/server-key.pem.new").rename(directory / "certs/server-key.pem")
    (directory / "certs/server-cert.pem").write_text(pair.pem)


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519"])
def test_request_is_made_with_the_key_whatever_its_type_until_it_is_answered(
    tmp_path: pathlib.Path, key_type: str
) -> None:
    key = made.private_key(key_type, 42)
    put(tmp_path / "made-elsewhere.pem", key)
    for _run in range(2):
        found = ask(tmp_path)
        assert found["requests"][0]["reasons"] == ["certificate-missing", "key-missing"]
        assert fingerprint_of_request(found) == keys.public_key_fingerprint(key.public_key())
    assert "PRIVATE" not in str(found)
    waiting = tmp_path / "certs/server-key.pem.new"
    assert waiting.stat().st_mode & 0o777 == 0o600
    install(tmp_path, key)
    assert ask(tmp_path)["requests"][0]["action"] == "none"


def test_another_key_there_makes_a_certificate_due_and_check_mode_says_so(tmp_path: pathlib.Path) -> None:
    first, second = made.private_key(number=42), made.private_key(number=43)
    put(tmp_path / "made-elsewhere.pem", first)
    ask(tmp_path)
    install(tmp_path, first)
    put(tmp_path / "made-elsewhere.pem", second)
    foretold = ask(tmp_path, check=True)
    assert foretold["requests"][0]["reasons"] == ["key-replaced"]
    assert not (tmp_path / "certs/server-key.pem.new").exists()
    found = ask(tmp_path)
    assert fingerprint_of_request(found) == keys.public_key_fingerprint(second.public_key())
    assert (tmp_path / "certs/server-key.pem").read_bytes() == keys.encode_private_key(first)


def test_renewal_keeps_a_key_that_stays_there(tmp_path: pathlib.Path) -> None:
    key = made.private_key(number=42)
    put(tmp_path / "made-elsewhere.pem", key)
    ask(tmp_path)
    install(tmp_path, key)
    found = ask(tmp_path, force=True)
    assert found["requests"][0]["reasons"] == ["forced"]
    assert fingerprint_of_request(found) == keys.public_key_fingerprint(key.public_key())


def test_key_that_the_host_made_before_is_not_taken_for_it(tmp_path: pathlib.Path) -> None:
    ask(tmp_path, key_source_path="")
    key = made.private_key(number=42)
    put(tmp_path / "made-elsewhere.pem", key)
    assert fingerprint_of_request(ask(tmp_path)) == keys.public_key_fingerprint(key.public_key())


def encrypted(path: pathlib.Path) -> None:
    serialization = compat.serialization
    data = made.private_key(number=42).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"an uncommon sequence"),
    )
    path.write_bytes(data)
    path.chmod(0o600)


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        pytest.param(lambda path: None, "there is no ", id="missing"),
        pytest.param(lambda path: put(path, made.private_key(), 0o644), "it is not private", id="readable-by-all"),
        pytest.param(lambda path: path.symlink_to("/etc/hostname"), "cannot read", id="link"),
        pytest.param(encrypted, "encrypted", id="encrypted"),
        pytest.param(lambda path: put(path, compat.rsa.generate_private_key(65537, 1024)), "rsa-1024", id="weak"),
    ],
)
def test_key_that_cannot_be_used_is_refused_and_nothing_is_made(
    tmp_path: pathlib.Path, prepare: t.Callable[[pathlib.Path], None], says: str
) -> None:
    prepare(tmp_path / "made-elsewhere.pem")
    found = ask(tmp_path)
    assert (found["failed"], found["code"]) == (True, "key-source-unusable")
    assert says in found["msg"], found["msg"]
    assert "'server'" in found["msg"] and found["hint"]
    assert not (tmp_path / "certs").exists()
