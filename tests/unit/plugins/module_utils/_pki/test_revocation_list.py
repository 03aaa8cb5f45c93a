# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocation lists; openssl, which HAProxy uses, decides who is admitted with them."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import revocation_list
from support.ca.certificates import FAR_AHEAD, LONG_AGO, NOW, Pair, authority, foreign_authority, leaf

CA = authority("client", unit="clients-g1", number=30)
OTHER = authority("client", unit="ops-g1", number=31)
ALICE = leaf(CA, "client", common_name="alice")
BOB = leaf(CA, "client", common_name="bob")
DAY = timedelta(days=1)


def made(pair: Pair = CA, *revoked: Pair, number: int = 7, **changes: t.Any) -> str:
    serials = [one.certificate.serial_number for one in revoked]
    return revocation_list.sign_list(pair.certificate, pair.key, serials, number=number, now=changes.get("now", NOW))


def by_hand(pair: Pair = CA, signer: Pair | None = None, **changes: t.Any) -> str:
    """Return a list as another tool might make it."""
    builder = x509.CertificateRevocationListBuilder(pair.certificate.subject)
    builder = builder.last_update(changes.get("begin", LONG_AGO).replace(tzinfo=None))
    builder = builder.next_update(changes.get("end", FAR_AHEAD).replace(tzinfo=None))
    if changes.get("number", True):
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    if changes.get("partial"):
        scope = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
        builder = builder.add_extension(scope, critical=True)
    signed = builder.sign((signer or pair).key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def gets_in(pair: Pair, client: Pair, lists: str, directory: pathlib.Path, when: t.Any = NOW) -> bool:
    for name, text in (("ca", pair.pem), ("client", client.pem), ("lists", lists)):
        (directory / f"{name}.pem").write_text(text)
    flags = ["-crl_check", "-crl_check_all"]  # those of HAProxy
    command = ["openssl", "verify", *flags, "-attime", str(int(when.timestamp())), "-CAfile", "ca.pem"]
    done = subprocess.run(
        [*command, "-CRLfile", "lists.pem", "client.pem"], cwd=directory, capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])
def test_list_refuses_the_revoked_one_and_nobody_else(key_type: str, tmp_path: pathlib.Path) -> None:
    ca = authority("client", key_type, unit="clients-g1")
    alice, bob = (leaf(ca, "client", common_name=name) for name in ("alice", "bob"))
    content = made(ca, bob)
    assert gets_in(ca, alice, content, tmp_path)
    assert not gets_in(ca, bob, content, tmp_path)
    assert revocation_list.check_lists(content, ca.pem, NOW)[0].serials == {bob.certificate.serial_number}


def test_list_is_good_as_long_as_its_authority(tmp_path: pathlib.Path) -> None:
    content = made()
    assert gets_in(CA, ALICE, content, tmp_path, FAR_AHEAD - 2 * DAY)
    (found,) = revocation_list.read_lists(content, "x")
    assert found.next_update is not None
    assert found.next_update > FAR_AHEAD


def test_list_is_accepted_by_a_host_whose_clock_is_behind(tmp_path: pathlib.Path) -> None:
    assert gets_in(CA, ALICE, made(), tmp_path, NOW - timedelta(hours=23))
    revocation_list.check_lists(made(), CA.pem, NOW - timedelta(hours=23))


def test_list_of_a_new_authority_does_not_begin_before_it() -> None:
    young = authority("client", unit="clients-g2", begin=NOW - timedelta(minutes=5), number=32)
    (found,) = revocation_list.read_lists(made(young), "x")
    assert found.this_update == NOW - timedelta(minutes=5)


def test_check_lists_returns_them_in_the_order_of_the_anchors() -> None:
    found = revocation_list.check_lists(made(OTHER) + "some text\n" + made(CA, BOB, number=9), CA.pem + OTHER.pem, NOW)
    assert [(one.number, len(one.serials)) for one in found] == [(9, 1), (7, 0)]


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        (lambda: "", "crl-missing"),
        (lambda: made(CA), "crl-missing"),
        (lambda: CA.pem + OTHER.pem, "crl-missing"),
        (lambda: made(CA) + by_hand(OTHER, CA), "crl-missing"),
        (lambda: made(CA) + made(OTHER) + made(authority("client", unit="third-g1", number=33)), "crl-foreign"),
        (lambda: made(CA) + made(OTHER) + made(CA, number=6), "crl-foreign"),
        (lambda: made(CA) + by_hand(OTHER, end=NOW), "crl-ended"),
        (lambda: made(CA) + by_hand(OTHER, begin=NOW + DAY), "crl-not-yet-valid"),
        (lambda: made(CA) + by_hand(OTHER, number=False), "crl-number-missing"),
        (lambda: made(CA) + by_hand(OTHER, partial=True), "crl-unsuitable"),
        (lambda: "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "crl-unreadable"),
    ],
    ids=["none", "one", "certificates", "other key", "third", "two", "ended", "future", "numberless", "partial", "zeros"],
)  # fmt: skip
def test_check_lists_refuses_what_would_lock_clients_out(lists: t.Callable[[], str], code: str) -> None:
    with pytest.raises(TlsError) as caught:
        revocation_list.check_lists(lists(), CA.pem + OTHER.pem, NOW)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        lambda: by_hand(OTHER, end=NOW),
        lambda: "",
        lambda: by_hand(OTHER, begin=NOW + DAY),
        lambda: by_hand(OTHER, partial=True),
    ],
)
def test_openssl_locks_everybody_out_with_what_check_lists_refuses(
    content: t.Callable[[], str], tmp_path: pathlib.Path
) -> None:
    client = leaf(OTHER, "client", common_name="olga")
    assert gets_in(OTHER, client, made(OTHER), tmp_path)
    assert not gets_in(OTHER, client, content() or by_hand(CA), tmp_path)


def read(content: str) -> list[revocation_list.RevocationList]:
    return revocation_list.read_lists(content, "x")


def test_replacement_that_lets_nobody_in_again_is_accepted() -> None:
    revocation_list.check_replacement(read(made(CA, BOB)), read(made(CA, BOB, ALICE, number=8) + made(OTHER)))
    revocation_list.check_replacement(read(made(CA, BOB)), read(made(CA, BOB)))
    revocation_list.check_replacement(read(made(OTHER, BOB)), read(made(CA)))
    revocation_list.check_replacement([], read(made(CA)))


@pytest.mark.parametrize(
    ("content", "code"),
    [(lambda: made(CA, BOB, number=6), "crl-older"), (lambda: made(CA, ALICE, number=8), "crl-shrunk"), (lambda: made(CA, number=7), "crl-shrunk")],
)  # fmt: skip
def test_replacement_that_lets_somebody_in_again_is_refused(content: t.Callable[[], str], code: str) -> None:
    with pytest.raises(TlsError) as caught:
        revocation_list.check_replacement(read(made(OTHER) + made(CA, BOB)), read(content() + made(OTHER)))
    assert caught.value.code == code
    assert caught.value.hint


def test_authority_without_the_usage_cannot_sign_lists() -> None:
    assert revocation_list.can_sign(CA.certificate)
    assert revocation_list.can_sign(foreign_authority(usage=False).certificate)
    key = CA.key
    usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1).add_extension(usage, critical=True)
    builder = builder.not_valid_before(LONG_AGO.replace(tzinfo=None)).not_valid_after(FAR_AHEAD.replace(tzinfo=None))
    assert not revocation_list.can_sign(builder.sign(key, hashes.SHA256()))
