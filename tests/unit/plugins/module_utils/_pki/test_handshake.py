# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real TLS handshakes in memory: who is admitted, and who is not."""

from __future__ import annotations

import pathlib
import ssl
import sys

import pytest

from support.ca import certificates as made

SERVER_AUTHORITY = made.authority("server")
CLIENT_AUTHORITY = made.authority("client", number=2)


def _server(directory: pathlib.Path, identity: made.Pair, admitted: made.Pair) -> ssl.SSLContext:
    """Return what dockerd does with ``tlsverify``: its identity, and one anchor for clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = identity.write(directory, "server")
    context.load_cert_chain(path, path.with_suffix(".key"))
    context.load_verify_locations(cadata=admitted.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def _client(directory: pathlib.Path, identity: made.Pair | None, trusted: made.Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=trusted.pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if identity is not None:
        path = identity.write(directory, "client")
        context.load_cert_chain(path, path.with_suffix(".key"))
    return context


def talk(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> bytes:
    """Shake hands in memory and return what the server hears from the client. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    client_side = client.wrap_bio(to_client, to_server, server_hostname=host)
    waiting = [client_side.do_handshake, server_side.do_handshake]
    for _turn in range(20):
        for step in list(waiting):
            try:
                step()
                waiting.remove(step)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            client_side.write(b"ping")
            return server_side.read()
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])
@pytest.mark.parametrize("host", ["docker1.example.org", "web.apps.example.org", "10.0.0.5", "fd00::5"])
def test_handshake_good_client_is_heard(tmp_path: pathlib.Path, host: str, key_type: str) -> None:
    server = _server(tmp_path, made.leaf(SERVER_AUTHORITY, "server", key_type), CLIENT_AUTHORITY)
    identity = made.leaf(CLIENT_AUTHORITY, "client", key_type, common_name="portainer")
    assert talk(server, _client(tmp_path, identity, SERVER_AUTHORITY), host) == b"ping"


def _refused(tmp_path: pathlib.Path, identity: made.Pair | None, admitted: made.Pair = CLIENT_AUTHORITY) -> str:
    server = _server(tmp_path, made.leaf(SERVER_AUTHORITY), admitted)
    with pytest.raises(ssl.SSLError) as caught:
        talk(server, _client(tmp_path, identity, SERVER_AUTHORITY), "docker1.example.org")
    return str(caught.value).lower()


def test_handshake_no_certificate_is_refused(tmp_path: pathlib.Path) -> None:
    assert "peer did not return a certificate" in _refused(tmp_path, None).replace("_", " ")


def test_handshake_server_certificate_as_client_is_refused(tmp_path: pathlib.Path) -> None:
    """Even where the host admits the server authority itself, by mistake: the usage stops it."""
    other_server = made.leaf(SERVER_AUTHORITY, "server", common_name="docker2.example.org")
    assert "purpose" in _refused(tmp_path, other_server, admitted=SERVER_AUTHORITY)
    assert "certificate verify failed" in _refused(tmp_path, other_server)


def test_handshake_client_of_another_authority_is_refused(tmp_path: pathlib.Path) -> None:
    stranger = made.leaf(made.authority("client", unit="other-g1", number=3), "client", common_name="portainer")
    assert "certificate verify failed" in _refused(tmp_path, stranger)


def test_handshake_client_of_another_generation_is_refused(tmp_path: pathlib.Path) -> None:
    """A revoked group: same name, next generation."""
    old = made.leaf(made.authority("client", unit="client-g0", number=4), "client", common_name="portainer")
    assert "certificate verify failed" in _refused(tmp_path, old)


def test_handshake_expired_client_is_refused(tmp_path: pathlib.Path) -> None:
    old = made.leaf(CLIENT_AUTHORITY, "client", common_name="portainer", end=made.LONG_AGO.replace(year=2021))
    assert "expired" in _refused(tmp_path, old)


@pytest.mark.parametrize("host", ["other.example.org", "10.0.0.6", "a.b.apps.example.org"])
def test_handshake_server_of_another_name_is_refused(tmp_path: pathlib.Path, host: str) -> None:
    server = _server(tmp_path, made.leaf(SERVER_AUTHORITY), CLIENT_AUTHORITY)
    identity = made.leaf(CLIENT_AUTHORITY, "client", common_name="portainer")
    with pytest.raises(ssl.SSLError, match=r"mismatch|not valid for"):
        talk(server, _client(tmp_path, identity, SERVER_AUTHORITY), host)


def test_handshake_client_certificate_as_server_is_refused(tmp_path: pathlib.Path) -> None:
    identity = made.leaf(CLIENT_AUTHORITY, "client", common_name="portainer")
    posing = made.leaf(CLIENT_AUTHORITY, "client", common_name="portainer", subject_names=["docker1.example.org"])
    server = _server(tmp_path, posing, CLIENT_AUTHORITY)
    with pytest.raises(ssl.SSLError, match=r"(?i)purpose|unsuitable"):
        talk(server, _client(tmp_path, identity, CLIENT_AUTHORITY), "docker1.example.org")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="strict by default from 3.13 on")
def test_handshake_default_context_of_new_python_accepts(tmp_path: pathlib.Path) -> None:
    client = ssl.create_default_context(cadata=SERVER_AUTHORITY.pem)
    assert client.verify_flags & ssl.VERIFY_X509_STRICT
    path = made.leaf(CLIENT_AUTHORITY, "client", common_name="portainer").write(tmp_path, "client")
    client.load_cert_chain(path, path.with_suffix(".key"))
    server = _server(tmp_path, made.leaf(SERVER_AUTHORITY), CLIENT_AUTHORITY)
    assert talk(server, client, "docker1.example.org") == b"ping"
