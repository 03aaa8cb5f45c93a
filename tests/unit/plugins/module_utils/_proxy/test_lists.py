# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which revocation lists a host takes."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.revocation_list import sign_list
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.lists import check_crl
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
