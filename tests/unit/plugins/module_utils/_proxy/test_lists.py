# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which revocation lists a host takes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.revocation_list import sign_list
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.authorities import (
    check_crl,
    expire,
    kept_lists,
    together,
)
from support.ca.certificates import NOW, Pair, authority, leaf

CA = authority("client", unit="clients-g1", number=30)
OTHER = authority("client", unit="ops-g1", number=31)
BOB = leaf(CA, "client", common_name="bob")


def made(pair: Pair, *revoked: Pair, number: int = 1) -> str:
    serials = [one.certificate.serial_number for one in revoked]
    return sign_list(pair.certificate, pair.key, serials, number=number, now=NOW)


@pytest.mark.parametrize(
    ("content", "anchors", "installed"),
    [
        (made(CA), CA.pem, b""),
        (made(CA, BOB, number=2), CA.pem, made(CA)),
        (made(OTHER), OTHER.pem, made(CA, BOB)),
        (made(CA), CA.pem, b"damaged by hand"),
        ("", CA.pem, b""),
        ("", CA.pem, made(CA)),
        ("", OTHER.pem, made(CA, BOB)),
        ("", "", made(CA, BOB)),
    ],
    ids=["first", "longer", "another group", "damaged", "none", "none for an empty one", "group left", "check mode"],
)
def test_lists_that_change_nobodys_access_are_taken(content: str, anchors: str, installed: str | bytes) -> None:
    check_crl(content, anchors, installed, NOW)


def by_another_issuer(*revoked: Pair, number: int, begin: timedelta = timedelta(0)) -> str:
    """Return a list that ends before its authority, as those of PKI engines do: after three days."""
    builder = x509.CertificateRevocationListBuilder(CA.certificate.subject)
    first = (NOW + begin).replace(tzinfo=None)
    builder = builder.last_update(first).next_update(first + timedelta(days=3))
    for one in revoked:
        entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, NOW.replace(tzinfo=None)).build()
        builder = builder.add_revoked_certificate(entry)
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    return builder.sign(CA.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_issuer_that_takes_expired_certificates_out_of_its_list_is_not_taken_for_one_that_lost_them() -> None:
    """RFC 5280 §5: an entry may be removed after the end of the certificate; OpenBao does so when it tidies up."""
    check_crl(by_another_issuer(number=3), CA.pem, by_another_issuer(BOB, number=2), NOW)
    with pytest.raises(TlsError) as caught:
        check_crl(by_another_issuer(number=2), CA.pem, by_another_issuer(BOB, number=3), NOW)
    assert caught.value.code == "crl-older"


def test_list_that_ends_before_its_authority_is_known_by_that() -> None:
    assert expire(by_another_issuer(number=1), [CA.certificate])
    assert not expire(made(CA) + made(OTHER), [CA.certificate, OTHER.certificate])


@pytest.mark.parametrize(
    ("content", "installed", "code"),
    [
        (made(OTHER), b"", "crl-missing"),
        (made(CA), made(CA, BOB), "crl-shrunk"),
        (made(CA, BOB), made(CA, BOB, number=2), "crl-older"),
        ("", made(CA, BOB), "crl-dropped"),
        ("\n", made(CA, BOB), "crl-dropped"),
    ],
)
def test_lists_that_lock_out_or_let_in_again_are_refused(content: str, installed: str | bytes, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        check_crl(content, CA.pem, installed, NOW)
    assert caught.value.code == code
    assert caught.value.hint


FAILURE = {"msg": "the list of the group ext cannot be renewed", "hint": "Ask its issuer.", "code": "crl-ended"}
ENDED = by_another_issuer(number=7, begin=-timedelta(days=9))


def test_group_that_keeps_its_ended_list_does_not_keep_another_from_a_revocation() -> None:
    present, anchors = made(OTHER) + ENDED, OTHER.pem + CA.pem
    kept = kept_lists({"ext": FAILURE}, {"ext": CA.pem, "ops": OTHER.pem}, present)
    revoking = together(made(OTHER, BOB, number=2), kept, present)
    with pytest.raises(TlsError) as caught:
        check_crl(revoking, anchors, present, NOW)
    assert caught.value.code == "crl-ended"
    check_crl(revoking, anchors, present, NOW, kept)
    found = x509.load_pem_x509_crl(revoking.encode()), x509.load_pem_x509_crl(ENDED.encode())
    assert found[0].get_revoked_certificate_by_serial_number(BOB.certificate.serial_number) is not None
    assert found[1].public_bytes(serialization.Encoding.PEM).decode() in revoking


@pytest.mark.parametrize("present", [made(OTHER) + ENDED, ENDED + made(OTHER)], ids=["first", "last"])
def test_lists_that_are_kept_and_unchanged_are_written_as_they_are(present: str) -> None:
    kept = kept_lists({"ext": FAILURE}, {"ext": CA.pem}, present)
    assert together(present.replace(ENDED, ""), kept, present) == present
    assert together("", kept_lists({"ext": FAILURE}, {"ext": CA.pem}, ENDED), ENDED) == ENDED


@pytest.mark.parametrize("installed", [b"", made(OTHER), b"damaged by hand"], ids=["none", "of another", "damaged"])
def test_group_without_a_list_on_the_host_is_refused_for_the_reason_of_the_controller(installed: str | bytes) -> None:
    with pytest.raises(TlsError) as caught:
        kept_lists({"ext": FAILURE}, {"ext": CA.pem}, installed)
    assert (caught.value.message, caught.value.hint, caught.value.code) == tuple(FAILURE.values())


def test_ended_list_that_the_host_has_not_is_no_kept_one() -> None:
    kept = kept_lists({"ext": FAILURE}, {"ext": CA.pem}, ENDED)
    newer = by_another_issuer(number=8, begin=-timedelta(days=8))
    with pytest.raises(TlsError) as caught:
        check_crl(newer, CA.pem, ENDED, NOW, kept)
    assert caught.value.code == "crl-ended"
