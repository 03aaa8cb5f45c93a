# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACME client against pebble, which validates http-01 for real: names, addresses, EAB, nonces, refusals, and what is asked how often."""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import acme
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers.http import Endpoint
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys, names, reader, signing
from support.ca import acme_server
from support.ca import certificates as made

pytestmark = acme_server.needs_pebble
NAMES = ("localhost", "127.0.0.1", "::1")


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[acme_server.Pebble]:
    yield from acme_server.started(tmp_path_factory.mktemp("acme") / "pebble")


def client(server: acme_server.Pebble, key: t.Any = None, **changes: t.Any) -> acme.Client:
    endpoint = Endpoint(server.directory, server.ca_content, timeout=10, sleep=time.sleep)
    return acme.Client(acme.Settings(endpoint, poll=0.1, **changes), key or keys.generate_private_key("ecdsa-p256"))


def request(wanted: t.Sequence[str]) -> bytes:
    pem = signing.build_request(made.private_key(), names.SubjectNames(wanted[0], names.normalize_names(wanted)))
    return x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)


def ordered(server: acme_server.Pebble, asking: acme.Client, wanted: t.Sequence[str] = NAMES, **more: t.Any) -> str:
    with acme.listening(server.challenge_port) as offer:
        return asking.certificate(request(wanted), wanted, offer, **more)


def test_names_and_addresses_of_both_families_are_validated_and_issued(pebble: acme_server.Pebble) -> None:
    leaf, *chain = reader.load_certificates(ordered(pebble, client(pebble)), "the answer")
    assert set(reader.view_certificate(leaf).names) == {"localhost", "127.0.0.1", "::1"}
    assert leaf.public_key() == made.private_key().public_key()
    assert chain


def test_account_is_kept_and_valid_authorizations_are_not_validated_again(pebble: acme_server.Pebble) -> None:
    """Without a listener the second order can only succeed by what was validated for the first."""
    key = keys.generate_private_key("ecdsa-p256")
    ordered(pebble, client(pebble, key), ["localhost"])
    seen = pebble.log.read_text().count("Pulled a task from the Tasks queue")

    def refused(token: str, answer: str) -> None:
        raise AssertionError(f"asked again: {token} {answer}")

    for _try in range(6):  # pebble forgets half of them on purpose
        try:
            client(pebble, key).certificate(request(["localhost"]), ["localhost"], refused)
            break
        except AssertionError:
            continue
    else:
        pytest.fail("pebble has reused no authorization")
    assert pebble.log.read_text().count("Pulled a task from the Tasks queue") == seen


def test_chain_that_leads_to_an_anchor_is_taken(pebble: acme_server.Pebble) -> None:
    (root,) = reader.load_certificates(pebble.root, "the root")
    leaf, *chain = reader.load_certificates(ordered(pebble, client(pebble), anchors=[root]), "the answer")
    assert chain and leaf.issuer == chain[0].subject


def test_name_that_nobody_answers_for_is_refused_with_its_reason(pebble: acme_server.Pebble) -> None:
    with acme.listening(acme_server.free_port()) as elsewhere, pytest.raises(TlsError) as caught:
        client(pebble).certificate(request(["localhost"]), ["localhost"], elsewhere)
    assert caught.value.code == "issuer-refused"
    assert "the name localhost was refused by the issuer acme" in caught.value.message
    assert "port 80" in caught.value.hint


def test_account_binding_is_asked_for_and_accepted(tmp_path: pathlib.Path) -> None:
    for server in acme_server.started(tmp_path / "pebble", eab=True):
        with pytest.raises(TlsError, match="externalAccountRequired") as caught:
            ordered(server, client(server))
        assert "eab_kid" in caught.value.hint
        with pytest.raises(TlsError) as wrong:
            ordered(server, client(server, eab_kid=acme_server.EAB[0], eab_key="AAAA" * 12))
        assert "AAAA" not in wrong.value.message + wrong.value.hint
        assert ordered(server, client(server, eab_kid=acme_server.EAB[0], eab_key=acme_server.EAB[1]), ["localhost"])


def test_forgotten_nonces_are_replaced(tmp_path: pathlib.Path) -> None:
    for server in acme_server.started(tmp_path / "pebble", reject_nonces=20):
        assert ordered(server, client(server), ["localhost"])


def test_address_that_is_no_directory_is_named(pebble: acme_server.Pebble) -> None:
    endpoint = Endpoint(pebble.directory.replace("/dir", "/nothing"), pebble.ca_content, sleep=time.sleep)
    with pytest.raises(TlsError) as caught:
        acme.Client(acme.Settings(endpoint), made.private_key())
    assert caught.value.code == "issuer-settings-invalid"
    assert "ACME directory" in caught.value.hint


def test_web_root_holds_the_answer_while_it_is_needed(tmp_path: pathlib.Path) -> None:
    with acme.serving(str(tmp_path)) as offer:
        offer("a_token-1", "a_token-1.thumb")
        path = tmp_path / ".well-known/acme-challenge/a_token-1"
        assert path.read_text() == "a_token-1.thumb"
        with pytest.raises(TlsError, match="not a name of a file"):
            offer("../../passwd", "x")
    assert not path.exists()


def test_port_in_use_is_named_with_the_way_around_it() -> None:
    port = acme_server.free_port()
    with acme.listening(port), pytest.raises(TlsError) as caught, acme.listening(port):
        pass
    assert caught.value.code == "challenge-port-unusable"
    assert "webroot" in caught.value.hint


def test_thumbprint_and_base64url_are_those_of_the_standards() -> None:
    """RFC 7515 appendix C, and a thumbprint that is computed from the members in their order alone."""
    assert acme.base64url(bytes([3, 236, 255, 224, 193])) == "A-z_4ME"
    assert acme.from_base64url("A-z_4ME=") == bytes([3, 236, 255, 224, 193])
    assert list(acme.public_jwk(made.private_key())) == ["crv", "kty", "x", "y"]
    assert len(acme.from_base64url(acme.thumbprint(made.private_key()))) == 32
