# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy: the controller's words decide, and a CSR gives its public key only."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import ledger, name_ownership, policy, store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names
from support.ca.ca_directory import client_request, csr, request, rules
from support.ca.certificates import NOW, authority, private_key


def stored(*groups: str) -> dict[str, list[store.StoredAuthority]]:
    """Return authorities that were never on a disk; they began an hour ago and end in 1000 days."""
    result = {}
    for name in ("server", *(groups or ("clients", "ci"))):
        pair = authority(
            store.purpose_of(name), unit=f"{name}-g1", begin=NOW - timedelta(hours=1), end=NOW + timedelta(days=1000)
        )
        result[name] = [store.StoredAuthority(name, 1, "/ca", pair.certificate, pair.pem, pair.view)]
    return result


def approve(*requests: policy.SigningRequest, **changes: t.Any) -> list[policy.Approved]:
    authorities = changes.pop("authorities", None)
    authorities_found = stored() if authorities is None else authorities
    found, wanted = changes.pop("found", ledger.EMPTY), rules(**changes)
    approved, refused = policy.assess(requests, stored=authorities_found, rules=wanted, now=NOW)
    refused.update(name_ownership.refusals(approved, found, wanted, NOW))
    if refused:
        raise policy.refusal(requests, refused)
    return approved


def refusal(*requests: policy.SigningRequest, **changes: t.Any) -> TlsError:
    with pytest.raises(TlsError) as caught:
        approve(*requests, **changes)
    return caught.value


def test_approve_of_a_good_request_takes_the_names_of_the_controller() -> None:
    (one,) = approve(request(names=("WEB1.example.org", "10.0.0.5", "FD00::0005", "bücher.example")))
    assert one.subject.common_name == "web1.example.org"
    assert one.subject.names == ("web1.example.org", "xn--bcher-kva.example", "10.0.0.5", "fd00::5")
    assert (one.not_before, one.not_after) == (NOW - timedelta(minutes=5), NOW + timedelta(days=365))


def test_approve_of_a_client_without_names_gives_it_an_identity() -> None:
    (one,) = approve(client_request("alice"))
    assert one.subject.names == (names.client_identity("alice"),)
    assert one.authority is not None
    assert one.authority.id == "clients-g1"


BAD_REQUESTS: dict[str, tuple[policy.SigningRequest, str, str]] = {
    "unknown-group": (client_request(authority="nobody"), "authority-unknown", "ci, clients"),
    "client-of-the-server-authority": (client_request(authority="server"), "profile-mismatch", "server"),
    "server-of-a-group": (request(authority="clients"), "profile-mismatch", "clients"),
    "unknown-profile": (request(profile="both"), "profile-unknown", "both"),
    "no-names": (request(names=()), "name-invalid", "no names"),
    "many-names": (request(names=tuple(f"n{number}" for number in range(257))), "names-too-many", "257"),
    "bad-name": (request(names=("not a host",)), "name-invalid", "not a host"),
    "url": (request(names=("https://web1",)), "name-invalid", "https://web1"),
    "network": (request(names=("10.0.0.0/8",)), "name-invalid", "10.0.0.0/8"),
    "client-identity-for-a-server": (request(names=(names.client_identity("root"),)), "name-invalid", "client"),
    "long-common-name": (request(common_name="a" * 65), "common-name-invalid", "64"),
    "empty-common-name": (client_request(common_name=""), "common-name-invalid", "empty"),
    "validity-zero": (request(validity="0d"), "duration-invalid", "0d"),
    "validity-negative": (request(validity="-1d"), "duration-invalid", "-1d"),
    "validity-garbage": (request(validity="a year"), "duration-invalid", "a year"),
    "validity-beyond-the-authority": (request(validity="1001d"), "validity-too-long", "longest possible now is 1000d"),
    "no-csr": (request(request_content=""), "request-invalid", "0 certificate requests"),
    "garbage-csr": (request(request_content="garbage"), "request-invalid", "0 certificate requests"),
}


@pytest.mark.parametrize(("bad", "code", "text"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_approve_of_a_bad_request_says_which_and_why(bad: policy.SigningRequest, code: str, text: str) -> None:
    error = refusal(request("good"), bad)
    assert error.code == code
    assert error.message.startswith("1 of 2 requests cannot be signed, so none was: ")
    assert bad.id in error.message
    assert text in error.message
    assert error.hint


def test_approve_with_many_problems_reports_them_all_at_once() -> None:
    error = refusal(
        request("good"),
        request("web2", validity="0d"),
        request("web3", names=("not a host",), requester="host3"),
        client_request("bob", authority="nobody"),
    )
    assert error.code == "requests-refused"
    assert error.message.startswith("3 of 4 requests")
    for text in ("web2", "'0d'", "web3 (host3)", "not a host", "bob", "nobody"):
        assert text in error.message


def test_approve_with_hundreds_of_problems_stays_readable() -> None:
    error = refusal(*(request(f"web{number}", validity="0d") for number in range(300)))
    assert "300 of 300" in error.message
    assert "and 250 more" in error.message
    assert error.code == "duration-invalid"


def test_approve_with_a_doubled_id_is_refused() -> None:
    assert refusal(request("web1"), request("web1")).code == "request-duplicate"


@pytest.mark.parametrize(
    ("end", "text"), [(timedelta(hours=30), "1d"), (timedelta(hours=5), "5h"), (timedelta(seconds=90), "1m")]
)
def test_approve_beyond_a_dying_authority_tells_what_is_left(end: timedelta, text: str) -> None:
    pair = authority(begin=NOW - timedelta(days=9), end=NOW + end)
    found = {"server": [store.StoredAuthority("server", 1, "/ca", pair.certificate, pair.pem, pair.view)]}
    assert f"longest possible now is {text}" in refusal(request(), authorities=found).message


def test_approve_with_validity_to_the_authority_s_end_is_accepted() -> None:
    (one,) = approve(request(validity="1000d"))
    assert one.authority is not None
    assert one.not_after == one.authority.view.not_after


@pytest.mark.parametrize(
    ("backdate", "begin"), [("0s", NOW), ("5m", NOW - timedelta(minutes=5)), ("3h", NOW - timedelta(hours=1))]
)
def test_approve_backdates_but_not_before_the_authority(backdate: str, begin: t.Any) -> None:
    (one,) = approve(request(), backdate=backdate)
    assert one.not_before == begin


# ---- names that belong to somebody

CLAIMS: dict[str, tuple[tuple[str, ...], tuple[str, ...], bool]] = {
    "same-name": (("a.example.org",), ("a.example.org",), False),
    "same-name-other-spelling": (("a.example.org",), ("A.Example.Org.",), False),
    "same-address": (("10.0.0.5",), ("10.0.0.5",), False),
    "same-ipv6-other-spelling": (("fd00::5",), ("FD00:0::05",), False),
    "same-wildcard": (("*.example.org",), ("*.example.org",), False),
    "loopback": (("localhost", "127.0.0.1", "::1"), ("localhost", "127.0.0.1", "::1"), True),
    "loopback-network": (("127.0.1.1",), ("127.0.1.1",), True),
    "loopback-names": (("localhost.localdomain",), ("localhost.localdomain",), True),
    "different": (("a.example.org",), ("b.example.org",), True),
}


@pytest.mark.parametrize(("first", "second", "accepted"), CLAIMS.values(), ids=CLAIMS)
def test_approve_of_one_name_for_two_requesters(
    first: tuple[str, ...], second: tuple[str, ...], accepted: bool
) -> None:
    pair = (request("web1", names=first), request("web2", names=second))
    if accepted:
        assert len(approve(*pair)) == 2
        return
    error = refusal(*pair)
    assert error.code == "name-taken"
    assert "web1" in error.message


def test_approve_of_one_name_for_two_requests_of_one_requester_is_accepted() -> None:
    assert (
        len(approve(request("a", requester="web1"), request("b", requester="web1", names=("web1.example.org",)))) == 2
    )


RESERVED: dict[str, tuple[dict[str, str], str, bool]] = {
    "other-s-name": ({"web2.example.org": "web2"}, "web2.example.org", False),
    "other-s-name-other-spelling": ({"WEB2.example.org": "web2"}, "web2.example.org", False),
    "other-s-address": ({"10.0.0.6": "web2"}, "10.0.0.6", False),
    "other-s-ipv6": ({"FD00::06": "web2"}, "fd00::6", False),
    "own-name": ({"web1.example.org": "web1"}, "web1.example.org", True),
    "wildcard-over-other": ({"web2.example.org": "web2"}, "*.example.org", False),
    "wildcard-over-own": ({"web1.example.org": "web1"}, "*.example.org", True),
    "wildcard-over-deeper": ({"a.web2.example.org": "web2"}, "*.example.org", True),
    "loopback": ({"localhost": "web2", "127.0.0.1": "web2"}, "localhost", True),
    "no-name": ({"not a name": "web2", "web 1": "web2"}, "web1.example.org", True),
}


@pytest.mark.parametrize(("reserved", "name", "accepted"), RESERVED.values(), ids=RESERVED)
def test_approve_with_reserved_names(reserved: dict[str, str], name: str, accepted: bool) -> None:
    if accepted:
        assert len(approve(request("web1", names=(name,)), reserved=reserved)) == 1
        return
    error = refusal(request("web1", names=(name,)), reserved=reserved)
    assert error.code == "name-taken"
    assert "web2" in error.message
    assert "shared_names" in error.hint


@pytest.mark.parametrize("name", ["vip.example.org", "10.0.0.100", "*.example.org"])
def test_approve_of_a_shared_name_for_several_is_accepted(name: str) -> None:
    pair = (request("web1", names=(name,)), request("web2", names=(name,)))
    assert len(approve(*pair, shared=[name.upper()], reserved={"web3.example.org": "web3"})) == 2


def test_approve_of_clients_ignores_names_of_hosts() -> None:
    assert (
        len(approve(client_request("web1"), client_request("web1", id="b", requester="x"), reserved={"web1": "y"})) == 2
    )


# ---- hostile requests


def encode(request_: t.Any) -> str:
    return request_.public_bytes(serialization.Encoding.PEM).decode()


def builder(name: str = "evil") -> x509.CertificateSigningRequestBuilder:
    return x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )


def broken_signature() -> str:
    der = bytearray(base64.b64decode("".join(csr().splitlines()[1:-1])))
    der[-1] ^= 1
    return (
        "-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(bytes(der)).decode()
        + "-----END CERTIFICATE REQUEST-----\n"
    )


def other_key_inside() -> str:
    """Return a request whose key was exchanged: its signature does not fit the key."""
    mine, other = (
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        for key in (private_key("ecdsa-p256", 1), private_key("ecdsa-p256", 2))
    )
    der = base64.b64decode("".join(csr().splitlines()[1:-1]))
    assert mine in der
    der = der.replace(mine, other)
    return (
        "-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(der).decode()
        + "-----END CERTIFICATE REQUEST-----\n"
    )


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, *((len(content),) if len(content) < 128 else (0x80 | len(length), *length))]) + content


def rsa_with_exponent_one() -> str:
    """Return a request with e=1: its "signature" is the padded hash itself, so that anybody can make it."""
    number = (1 << 2047) | 1
    key = der(0x30, der(0x02, b"\0" + number.to_bytes(256, "big")), der(0x02, b"\x01"))
    spki = der(0x30, bytes.fromhex("300d06092a864886f70d0101010500"), der(0x03, b"\0", key))
    info = der(0x30, b"\x02\x01\x00", der(0x30), spki, der(0xA0))
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(info).digest()
    signature = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest)) + b"\x00" + digest
    whole = der(0x30, info, bytes.fromhex("300d06092a864886f70d01010b0500"), der(0x03, b"\0", signature))
    return (
        "-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(whole).decode()
        + "-----END CERTIFICATE REQUEST-----\n"
    )


HOSTILE: dict[str, t.Callable[[], str]] = {
    "huge": lambda: csr() + "x" * 70_000,
    "two": lambda: csr() * 2,
    "certificate-instead": lambda: authority().pem,
    "not-der": lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    "not-base64": lambda: "-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n",
    "no-ascii": lambda: csr().replace("M", "Ｍ"),
    "nul": lambda: "\0" + csr().replace("A", "\0"),
    "broken-signature": broken_signature,
    "no-proof-of-possession": other_key_inside,
    "rsa-1024": lambda: encode(builder().sign(rsa.generate_private_key(65537, 1024), hashes.SHA256())),
    "rsa-exponent-1": rsa_with_exponent_one,
    "p-192": lambda: encode(builder().sign(ec.generate_private_key(ec.SECP192R1()), hashes.SHA256())),
    "secp256k1": lambda: encode(builder().sign(ec.generate_private_key(ec.SECP256K1()), hashes.SHA256())),
    "dsa": lambda: encode(builder().sign(dsa.generate_private_key(2048), hashes.SHA256())),
    "private-key": lambda: (
        private_key()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_approve_of_a_hostile_csr_is_refused(make: t.Callable[[], str]) -> None:
    error = refusal(request(request_content=make()))
    assert error.code == "request-invalid"
    assert "web1" in error.message


GREEDY: dict[str, t.Callable[[], x509.CertificateSigningRequestBuilder]] = {
    "authority": lambda: builder().add_extension(x509.BasicConstraints(ca=True, path_length=9), critical=True),
    "other-usage": lambda: builder().add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
    ),
    "other-names": lambda: builder("web2.example.org").add_extension(
        x509.SubjectAlternativeName([x509.DNSName("*.example.org"), x509.DNSName("web2.example.org")]), critical=False
    ),
    "unknown-extension": lambda: builder().add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x30\x00"), critical=True
    ),
    "hundred-names": lambda: builder().add_extension(
        x509.SubjectAlternativeName([x509.DNSName(f"h{number}.example.org") for number in range(100)]), critical=False
    ),
    "no-subject": lambda: x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])),
}


@pytest.mark.parametrize("make", GREEDY.values(), ids=GREEDY)
def test_approve_of_a_greedy_csr_takes_nothing_but_the_key(
    make: t.Callable[[], x509.CertificateSigningRequestBuilder],
) -> None:
    key = private_key(number=3)
    (one,) = approve(request(request_content=encode(make().sign(key, hashes.SHA256()))))
    assert one.public_key == key.public_key()
    assert one.subject.names == ("localhost", "web1.example.org", "127.0.0.1", "::1")
    assert one.subject.common_name == "web1.example.org"


def test_approve_in_a_prediction_needs_neither_csr_nor_authority() -> None:
    wanted = [request(request_content=""), client_request(authority="new", request_content="")]
    (first, second), unused = policy.assess(wanted, stored={}, rules=policy.Rules(predicting=True), now=NOW)
    assert (first.public_key, first.authority, second.authority) == (None, None, None)
    with pytest.raises(TlsError) as caught:
        approve(request(validity="0d"), authorities={}, predicting=True)
    assert caught.value.code == "duration-invalid"


def test_approve_with_a_name_of_several_owners_takes_them_and_nobody_else() -> None:
    reserved = {"bastion.example.org": ["web1", "web2"]}
    pair = [request(name, names=("bastion.example.org",)) for name in ("web1", "web2")]
    assert len(approve(*pair, reserved=reserved)) == 2
    assert refusal(request("web3", names=("bastion.example.org",)), reserved=reserved).code == "name-taken"
