# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors in TLS files, and their messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import preflight_certificates as checks
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.preflight_certificates import (
    TlsFiles,
    check_certificates,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat, keys
from support.ca.certificates import FAR_AHEAD, LONG_AGO, NOW, Pair, authority, leaf, private_key

DAY = timedelta(days=1)
SERVER = authority("server")
CLIENTS = authority("client", number=2)
OTHERS = authority("client", unit="others-g1", number=3)
LEAF = leaf(SERVER)
GOOD = TlsFiles(LEAF.pem.encode(), LEAF.key_pem, SERVER.pem.encode(), CLIENTS.pem.encode())


def pem(*pairs: Pair) -> bytes:
    return "".join(pair.pem for pair in pairs).encode()


def bare(key: object, *, ca: bool | None, names: bool = True, usages: tuple[str, ...] = ()) -> Pair:
    """Return a self-signed certificate that our own core would not make."""
    name = compat.x509.Name([compat.x509.NameAttribute(compat.NameOID.COMMON_NAME, "bare")])
    builder = (
        compat.x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(7)
        .not_valid_before(LONG_AGO.replace(tzinfo=None))
        .not_valid_after(FAR_AHEAD.replace(tzinfo=None))
    )
    if ca is not None:
        builder = builder.add_extension(compat.x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(
            compat.x509.SubjectAlternativeName([compat.x509.DNSName("bare")]), critical=False
        )
    if usages:
        oids = [getattr(compat.ExtendedKeyUsageOID, usage) for usage in usages]
        builder = builder.add_extension(compat.x509.ExtendedKeyUsage(oids), critical=False)
    return Pair(builder.sign(key, compat.hashes.SHA256()), key)  # type: ignore[arg-type]


KEY = private_key(number=9)
PLAIN_CA = bare(KEY, ca=True)
PLAIN_LEAF = bare(KEY, ca=None)
NAMELESS = bare(KEY, ca=False, names=False)
BOTH = bare(KEY, ca=False, usages=("SERVER_AUTH", "CLIENT_AUTH"))

CASES = {
    "good": (GOOD, []),
    "chain behind the leaf": (replace(GOOD, certificate=pem(LEAF, SERVER)), []),
    "two groups": (replace(GOOD, client_ca=pem(CLIENTS, OTHERS)), []),
    "anchor twice": (replace(GOOD, client_ca=pem(CLIENTS, CLIENTS)), []),
    "two server authorities": (replace(GOOD, ca=pem(authority("server", unit="server-g2", number=5), SERVER)), []),
    "anchor of an old tool": (replace(GOOD, client_ca=pem(PLAIN_CA)), []),
    "everything missing": (
        TlsFiles(b"", b"", b"", b""),
        ["certificate-missing", "authority-missing", "anchors-missing"],
    ),
    "certificate missing": (replace(GOOD, certificate=b"\n"), ["certificate-missing"]),
    "key missing": (replace(GOOD, key=b""), ["key-missing"]),
    "anchors missing": (replace(GOOD, client_ca=b" "), ["anchors-missing"]),
    "garbage": (
        TlsFiles(b"x", b"x", b"x", b"x"),
        ["certificate-unreadable", "authority-unreadable", "anchors-unreadable"],
    ),
    "key unreadable": (replace(GOOD, key=b"x"), ["key-unreadable"]),
    "broken certificate": (
        replace(GOOD, certificate=LEAF.pem.replace("M", "A", 3).encode()),
        ["certificate-unreadable"],
    ),
    "key of another certificate": (replace(GOOD, key=private_key(number=8)), ["key-mismatch"]),
    "expired": (replace(GOOD, certificate=pem(leaf(SERVER, begin=LONG_AGO, end=NOW))), ["certificate-expired"]),
    "not yet valid": (replace(GOOD, certificate=pem(leaf(SERVER, begin=NOW + DAY))), ["certificate-not-yet-valid"]),
    "client certificate": (
        replace(GOOD, certificate=pem(leaf(SERVER, "client", common_name="x"))),
        ["certificate-usage", "certificate-names"],
    ),
    "both usages": (
        replace(GOOD, certificate=pem(BOTH), key=BOTH.key_pem, ca=pem(BOTH)),
        ["certificate-usage-both", "certificate-names", "certificate-foreign-authority"],
    ),
    "authority as server": (
        replace(GOOD, certificate=pem(SERVER), key=SERVER.key_pem),
        ["certificate-is-authority", "certificate-names-missing"],
    ),
    "no names": (
        replace(GOOD, certificate=pem(NAMELESS), key=NAMELESS.key_pem),
        ["certificate-names-missing", "certificate-foreign-authority"],
    ),
    "foreign authority": (
        replace(GOOD, ca=pem(authority("server", unit="server-g2", number=5))),
        ["certificate-foreign-authority"],
    ),
    "same name, other key": (replace(GOOD, ca=pem(authority("server", number=5))), ["certificate-foreign-authority"]),
    "authority expired": (replace(GOOD, ca=pem(authority("server", end=NOW - DAY))), ["authority-not-valid"]),
    "authority not yet valid": (replace(GOOD, ca=pem(authority("server", begin=NOW + DAY))), ["authority-not-valid"]),
    "authority ends first": (replace(GOOD, ca=pem(authority("server", end=NOW + DAY))), ["authority-ends-first"]),
    "anchor is a leaf": (replace(GOOD, client_ca=pem(PLAIN_LEAF)), ["anchors-not-authority"]),
    "anchor is for servers": (
        replace(GOOD, client_ca=pem(CLIENTS, authority("server", unit="x", number=5))),
        ["anchors-purpose"],
    ),
    "one anchor expired": (
        replace(GOOD, client_ca=pem(CLIENTS, authority("client", unit="x", number=5, end=NOW - DAY))),
        ["anchors-not-valid"],
    ),
    "all anchors invalid": (
        replace(GOOD, client_ca=pem(authority("client", number=5, begin=NOW + DAY))),
        ["anchors-not-valid", "anchors-all-invalid"],
    ),
    "server authority admitted": (
        replace(GOOD, client_ca=pem(CLIENTS, SERVER)),
        ["anchors-purpose", "anchors-server-authority"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_check_certificates_finds_what_dockerd_would_not_say(name: str) -> None:
    files, codes = CASES[name]
    if not isinstance(files.key, bytes):
        files = replace(files, key=keys.encode_private_key(files.key))
    assert [item.code for item in check_certificates(files, NOW, ["10.0.0.5"])] == codes


def test_check_certificates_encrypted_key_is_unreadable_for_dockerd() -> None:
    best = compat.serialization.BestAvailableEncryption(b"secret secret")
    data = LEAF.key.private_bytes(compat.serialization.Encoding.PEM, compat.serialization.PrivateFormat.PKCS8, best)
    (found,) = check_certificates(replace(GOOD, key=data), NOW, [])
    assert (found.severity, found.code) == ("error", "key-unreadable")


def test_check_certificates_address_without_a_name_is_a_warning() -> None:
    (found,) = check_certificates(GOOD, NOW, ["10.0.0.5", "10.0.0.6", "fd00::5", "fd00::6"])
    assert (found.severity, found.code) == ("warning", "certificate-names")
    assert "10.0.0.6, fd00::6," in found.message


def test_check_certificates_adopted_authority_for_both_is_allowed_when_asked_for() -> None:
    files = TlsFiles(pem(leaf(PLAIN_CA)), LEAF.key_pem, pem(PLAIN_CA), pem(PLAIN_CA))
    assert [(i.severity, i.code) for i in check_certificates(files, NOW, [])] == [("error", "anchors-server-authority")]
    found = check_certificates(files, NOW, [], allow_dual_trust=True)
    assert [(i.severity, i.code) for i in found] == [("warning", "anchors-server-authority")]


def test_check_certificates_names_of_all_anchors_must_fit_in_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(CLIENTS.certificate.subject.public_bytes()) + len(OTHERS.certificate.subject.public_bytes()) + 4
    files = replace(GOOD, client_ca=pem(CLIENTS, OTHERS))
    assert checks.MAXIMUM_NAMES_BYTES == 65535
    monkeypatch.setattr(checks, "MAXIMUM_NAMES_BYTES", size)
    assert check_certificates(files, NOW, []) == ()
    monkeypatch.setattr(checks, "MAXIMUM_NAMES_BYTES", size - 1)
    (found,) = check_certificates(files, NOW, [])
    assert (found.severity, found.code) == ("error", "anchors-too-many")
    assert str(size) in found.message
