# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_info: reads, compares, changes nothing."""

from __future__ import annotations

import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509

import helpers_x509 as made
from ansible_collections.portcullis.docker_tls.plugins.module_utils import _information
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._x509 import encryption, inspect
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_info
from helpers_modules import run_module

NOW = datetime.now(timezone.utc)
AUTHORITY = made.authority()
LEAF = made.leaf(AUTHORITY, begin=NOW - timedelta(days=1), end=NOW + timedelta(days=10, hours=1))


def run(check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run_module(certificate_info, options, check=check)


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_certificate_in_a_file_is_read_also_in_check_mode(tmp_path: pathlib.Path, check: bool) -> None:
    path = LEAF.write(tmp_path, "leaf")
    result = run(check, path=str(path))
    assert not result["changed"]
    expected = {**LEAF.view.to_dict(), "purpose": "server", "days_left": 10, "expired": False}
    assert result["certificates"] == [expected]
    assert (result["valid"], result["key_matches"], result["signed_by_authority"]) == (True, None, None)


def test_bundle_gives_every_certificate_in_order() -> None:
    result = run(content=LEAF.pem + AUTHORITY.pem)
    assert [each["purpose"] for each in result["certificates"]] == ["server", "authority"]


@pytest.mark.parametrize(("key", "matches"), [(LEAF, True), (AUTHORITY, False)], ids=["its-key", "another-key"])
def test_key_is_compared(tmp_path: pathlib.Path, key: made.Pair, matches: bool) -> None:
    path = key.write(tmp_path, "x").with_suffix(".key")
    result = run(content=LEAF.pem, key_path=str(path))
    assert result["key_matches"] is matches
    assert "PRIVATE KEY" not in str(result)


@pytest.mark.parametrize(
    ("authority", "signed"),
    [(AUTHORITY, True), (made.authority(number=31), False), (made.authority("client", number=2), False)],
    ids=["its-authority", "same-name-other-key", "other"],
)
def test_authority_is_checked_by_its_signature(tmp_path: pathlib.Path, authority: made.Pair, signed: bool) -> None:
    assert run(content=LEAF.pem, authority_content=authority.pem)["signed_by_authority"] is signed
    path = authority.write(tmp_path, "ca")
    assert run(content=LEAF.pem, authority_path=str(path))["signed_by_authority"] is signed


def test_one_of_several_authorities_is_enough() -> None:
    both = made.authority(number=31).pem + AUTHORITY.pem
    assert run(content=LEAF.pem, authority_content=both)["signed_by_authority"]


@pytest.mark.parametrize(
    ("valid_at", "valid"),
    [("", True), ("+10d", True), ("+11d", False), ("2021-01-01T00:00:00Z", False), ("2100-01-01", False)],
)
def test_validity_is_asked_for_any_time(valid_at: str, valid: bool) -> None:
    result = run(content=LEAF.pem, valid_at=valid_at)
    assert result["valid"] is valid
    assert result["valid_at"].endswith("Z")


def test_expired_certificate_has_negative_days_left() -> None:
    old = made.leaf(AUTHORITY, end=NOW - timedelta(days=2))
    result = run(content=old.pem)
    assert result["certificates"][0]["days_left"] == -3
    assert result["certificates"][0]["expired"]
    assert not result["valid"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ({"path": "/no/such/file"}, "certificate-missing", "/no/such/file does not exist"),
        ({"path": "/"}, "file-unreadable", "cannot read /"),
        ({"content": "x"}, "certificate-unreadable", "content holds no certificate"),
        ({"content": LEAF.pem, "key_path": "/no/such/file"}, "key-missing", "/no/such/file"),
        ({"content": LEAF.pem, "authority_path": "/no/such/file"}, "authority-missing", "/no/such/file"),
        ({"content": LEAF.pem, "authority_content": "x"}, "certificate-unreadable", "authority_content"),
        ({"content": LEAF.pem, "valid_at": "tomorrow"}, "time-invalid", "valid_at is 'tomorrow'"),
        ({"content": LEAF.pem, "valid_at": "+soon"}, "duration-invalid", "valid_at"),
        ({}, None, "one of the following is required: path, content"),
        ({"path": "/x", "content": "x"}, None, "mutually exclusive"),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, str) else None,
)
def test_bad_input_is_named(options: dict[str, t.Any], code: str | None, says: str) -> None:
    result = run(**options)
    assert result["failed"]
    assert result.get("code") == code
    assert says in result["msg"]


def test_encrypted_key_says_that_it_is(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(encryption.encrypt_private_key(LEAF.key, b"x" * 12, 10))
    result = run(content=LEAF.pem, key_path=str(path))
    assert result["code"] == "passphrase-missing"
    assert str(path) in result["msg"]


SERVER, CLIENT = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1"), x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2")


@pytest.mark.parametrize(
    ("usages", "purpose"),
    [
        ([SERVER], "server"),
        ([CLIENT], "client"),
        ([SERVER, CLIENT], "both"),
        ([x509.ObjectIdentifier("2.5.29.37.0")], "both"),
        ([x509.ObjectIdentifier("1.2.3")], "other"),
        ([], "both"),
    ],
)
def test_purpose_is_what_tls_libraries_take_it_for(usages: list[x509.ObjectIdentifier], purpose: str) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    key = made.private_key()
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, made.LONG_AGO, made.FAR_AHEAD)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    certificate = builder.sign(key, inspect.hashes.SHA256())
    assert run(content=inspect.certificate_pem(certificate))["certificates"][0]["purpose"] == purpose


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", made.NOW),
        ("+30d", made.NOW + timedelta(days=30)),
        ("2026-12-24T00:00:00Z", datetime(2026, 12, 24, tzinfo=timezone.utc)),
        ("2026-12-24T02:00:00+02:00", datetime(2026, 12, 24, tzinfo=timezone.utc)),
        ("2026-12-24T00:00:00", datetime(2026, 12, 24, tzinfo=timezone.utc)),
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=timezone.utc)),
    ],
)
def test_parse_moment_good_text_is_a_time(text: str, expected: datetime) -> None:
    assert _information.parse_moment(text, made.NOW) == expected


@pytest.mark.parametrize("text", ["now", "30d", "2026-13-01", "Z", "+"])
def test_parse_moment_bad_text_is_named(text: str) -> None:
    with pytest.raises(TlsError, match="valid_at"):
        _information.parse_moment(text, made.NOW)
