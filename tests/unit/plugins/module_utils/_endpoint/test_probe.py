# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TLS server in a thread, probed from outside; and the messages themselves, as bytes."""

from __future__ import annotations

import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import tls_greeting
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import probe, verify_remote
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from support.ca.certificates import NOW, Pair, authority, foreign_authority, leaf
from support.contracts import records

SERVER = authority("server")
CLIENTS = authority("client", number=1)
OTHERS = authority("client", unit="others-g1", number=2)
NAMES = ("localhost", "127.0.0.1")
DEFAULT_CONTEXT = ssl.create_default_context
GOOD = leaf(CLIENTS, "client", common_name="me")
FOREIGN = leaf(OTHERS, "client", common_name="stranger")
ANSWER = b"HTTP/1.1 200 OK\r\nServer: Docker/26.1.5 (linux)\r\nContent-Length: 2\r\n\r\nOK"


class PlainServer:
    """Answers everybody over plain HTTP, as a dockerd without TLS does."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
                with connection:
                    connection.settimeout(5)
                    connection.recv(1000)
                    connection.sendall(self.answer)
            except OSError:
                if self.listener.fileno() < 0:
                    return

    def close(self) -> None:
        self.listener.close()


class TlsServer:
    """``openssl s_server``, which answers HTTP 200; Python's own ssl names no client authorities.

    With ``anchors`` None it asks for no client certificate.
    """

    def __init__(self, directory: pathlib.Path, served: Pair, anchors: str | None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        path = served.write(directory, "server")
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", str(path), "-www", "-quiet"]
        command += ["-key", str(path.with_suffix(".key")), "-no_ticket"]
        if anchors is not None:
            (directory / "anchors.pem").write_text(anchors)
            command += ["-Verify", "2", "-verify_return_error", "-CAfile", str(directory / "anchors.pem")]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        for _attempt in range(200):
            if probe.is_open(probe.Target("127.0.0.1", self.port, "localhost", 1.0)):
                return
            time.sleep(0.02)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def serve(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[..., probe.Target]]:
    """Return a function that starts a server and returns its address."""
    servers: list[TlsServer | PlainServer] = []

    def start(
        anchors: str | None = CLIENTS.pem, *, key_type: str = "ecdsa-p256", plain: bool = False, issuer: Pair = SERVER
    ) -> probe.Target:
        pair = leaf(issuer, "server", key_type, subject_names=NAMES)
        servers.append(PlainServer() if plain else TlsServer(tmp_path, pair, anchors))
        return probe.Target("127.0.0.1", servers[-1].port, "localhost", 5.0)

    yield start
    for server in servers:
        server.close()


def client(pair: Pair) -> probe.Client:
    return probe.Client(pair.pem, pair.key_pem.decode())


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])
def test_read_greeting_of_any_key_type_shows_certificate_and_authorities(serve: t.Any, key_type: str) -> None:
    target = serve(CLIENTS.pem + OTHERS.pem, key_type=key_type)
    greeting = tls_greeting.read_greeting("127.0.0.1", target.port, 5.0, "localhost")
    shown = reader.view_certificate(reader.x509.load_der_x509_certificate(greeting.certificates[0]))
    assert shown.key_type == key_type
    assert greeting.fingerprint_sha256 == shown.fingerprint_sha256
    assert greeting.asks_for_certificate
    assert set(greeting.authority_names) == {
        CLIENTS.certificate.subject.public_bytes(),
        OTHERS.certificate.subject.public_bytes(),
    }


def test_read_greeting_of_a_server_that_asks_nobody_says_so(serve: t.Any) -> None:
    greeting = tls_greeting.read_greeting("127.0.0.1", serve(None).port, 5.0)
    assert not greeting.asks_for_certificate
    assert greeting.authority_names == ()


def test_read_greeting_of_plain_http_is_an_error(serve: t.Any) -> None:
    with pytest.raises((tls_greeting.HandshakeError, OSError), match="HTTP"):
        tls_greeting.read_greeting("127.0.0.1", serve(plain=True).port, 5.0)


def test_read_greeting_of_a_silent_peer_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises((tls_greeting.HandshakeError, OSError)):
        tls_greeting.read_greeting("127.0.0.1", listener.getsockname()[1], 0.2)


@pytest.mark.parametrize(
    "body",
    [b"\x00\x00\x10", b"\x05", b"\x00\x00\x04\x00\x00\x09x"],
    ids=["shorter-than-said", "nothing-but-a-byte", "inner-length-too-large"],
)
def test_parse_certificates_of_broken_bytes_is_an_error(body: bytes) -> None:
    with pytest.raises(tls_greeting.HandshakeError):
        tls_greeting.parse_certificates(body)


def test_parse_messages_keeps_what_is_incomplete() -> None:
    whole = b"\x0e\x00\x00\x00"
    assert tls_greeting.parse_messages(whole + b"\x0b\x00\x00\x09abc") == ([(14, b"")], b"\x0b\x00\x00\x09abc")


def test_parse_messages_of_a_huge_length_is_an_error() -> None:
    with pytest.raises(tls_greeting.HandshakeError, match="16777215"):
        tls_greeting.parse_messages(b"\x0b\xff\xff\xff")


def test_verify_remote_a_good_endpoint_passes(serve: t.Any) -> None:
    wanted = verify_remote.Verification(
        target=serve(),
        client=client(GOOD),
        ca=SERVER.pem,
        client_ca=CLIENTS.pem,
        refused=(verify_remote.ProbeClient("other-group", client(FOREIGN)),),
        admitted=(verify_remote.ProbeClient("client-of-g1", client(GOOD)),),
        closed_ports=(),
    )
    found = verify_remote.verify(wanted, NOW)
    assert [check["check"] for check in found["checks"]] == [
        "good-client",
        "client-of-g1",
        "client-authorities",
        "no-certificate",
        "foreign-authority",
        "other-group",
        "plain-http",
    ]
    assert found["passed"], found["checks"]
    assert "msg" not in found
    assert found["client_authorities"] == ["CN=Docker CA,OU=client-g1"]


def failures(found: dict[str, t.Any]) -> set[str]:
    return {check["check"] for check in found["checks"] if not check["passed"]}


@pytest.mark.parametrize(
    ("anchors", "options", "failed"),
    [
        (None, {}, {"client-authorities", "no-certificate", "foreign-authority"}),
        (CLIENTS.pem + OTHERS.pem, {"client_ca": CLIENTS.pem}, {"client-authorities"}),
        (OTHERS.pem, {}, {"good-client"}),
        (CLIENTS.pem, {"fingerprint": "00" * 32}, {"served-certificate"}),
        (CLIENTS.pem, {"engine_version": "29.0.0"}, {"good-client"}),
        (CLIENTS.pem, {"ca": OTHERS.pem}, {"good-client"}),
        (CLIENTS.pem, {"refused": (verify_remote.ProbeClient("in", client(GOOD)),)}, {"in"}),
        (CLIENTS.pem, {"admitted": (verify_remote.ProbeClient("out", client(FOREIGN)),)}, {"out"}),
    ],
    ids=[
        "asks-nobody",
        "one-group-too-many",
        "good-client-not-admitted",
        "other-certificate",
        "other-engine",
        "other-ca",
        "let-in",
        "not-let-in",
    ],
)
def test_verify_remote_a_bad_endpoint_says_what(
    serve: t.Any, anchors: str | None, options: dict[str, t.Any], failed: set[str]
) -> None:
    values = {"client": client(GOOD), "ca": SERVER.pem, "closed_ports": (), **options}
    found = verify_remote.verify(verify_remote.Verification(target=serve(anchors), **values), NOW)
    assert failures(found) == failed, found["checks"]
    assert all(f"{check}: " in found["msg"] for check in failed)


def test_verify_remote_a_plain_endpoint_shouts(serve: t.Any) -> None:
    found = verify_remote.verify(verify_remote.Verification(target=serve(plain=True), closed_ports=()), NOW)
    plain = next(check for check in found["checks"] if check["check"] == "plain-http")
    assert not plain["passed"]
    assert "SERVED" in plain["detail"]


@pytest.mark.parametrize(
    ("head", "docker"),
    [
        (b"HTTP/1.1 200 OK\r\nServer: Docker/26.1.5 (linux)", True),
        (b"HTTP/1.1 200 OK\r\nserver: nginx\r\napi-version: 1.45\r\nOstype: linux", True),
        (b"HTTP/1.1 403 Forbidden\r\nDocker-Experimental: false", True),
        (b"HTTP/1.1 200 OK\r\nServer: nginx", False),
        (b"HTTP/1.0 404 Not Found", False),
        (b"SSH-2.0-OpenSSH_9.2", False),
    ],
)
def test_port_is_closed_where_something_else_than_docker_answers(head: bytes, docker: bool) -> None:
    server = PlainServer(head + b"\r\n\r\nOK")
    try:
        found = probe.check_port_closed(probe.Target("127.0.0.1", server.port, "localhost", 5.0))
    finally:
        server.close()
    assert (found.check, found.passed) == (f"port-{server.port}-closed", not docker)


def test_verify_remote_nothing_at_all_proves_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    target = probe.Target("127.0.0.1", port, "localhost", 1.0)
    found = verify_remote.verify(verify_remote.Verification(target=target, closed_ports=()), NOW)
    assert {"served-certificate", "no-certificate", "foreign-authority"} <= failures(found)


def test_verify_remote_waits_once_for_an_endpoint_that_does_not_answer() -> None:
    """Behind a firewall that drops packets every check would wait for the whole timeout."""
    refused_client = verify_remote.ProbeClient("expired-client", probe.Client("x", "y"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = probe.Target("127.0.0.1", listener.getsockname()[1], "localhost", 0.2)
        wanted = verify_remote.Verification(
            target, probe.Client("x", "y"), refused=(refused_client,), closed_ports=(2375,)
        )
        found = verify_remote.verify(wanted, NOW)
        listener.setblocking(False)
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()
    expected = [
        "served-certificate",
        "good-client",
        "no-certificate",
        "foreign-authority",
        "expired-client",
        "plain-http",
    ]
    assert [check["check"] for check in found["checks"]] == expected
    assert not found["passed"]
    assert failures(found) == set(expected)
    assert re.search(r"no TLS server at 127\.0\.0\.1:\d+: no answer in time\. ", records.said(found["msg"]))
    assert found["checks"][0]["detail"].endswith(": no answer in time")


def strict_context(purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, *, cadata: str) -> ssl.SSLContext:
    """Return what ssl.create_default_context returns from Python 3.13 on."""
    context = DEFAULT_CONTEXT(purpose, cadata=cadata)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("lacks", ["usage", "critical", "identifier"])
def test_good_client_of_a_ca_that_strict_pythons_refuse_is_answered(
    serve: t.Any, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    """The CA of ``openssl req -x509`` is one; dockerd and the docker CLI take it, and our own probe asks what they do."""
    monkeypatch.setattr(ssl, "create_default_context", strict_context)
    issuer = foreign_authority(**{lacks: False})
    target = serve(issuer=issuer)
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", target.port)) as plain:
        strict_context(cadata=issuer.pem).wrap_socket(plain, server_hostname="localhost")
    assert probe.check_good_client(target, client(GOOD), issuer.pem).passed
    assert not probe.check_good_client(target, client(GOOD), SERVER.pem).passed


def test_server_that_leaves_in_the_middle_of_the_handshake_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def leave() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.recv(65536)  # all of the greeting: closing with unread data would reset the connection

        thread = threading.Thread(target=leave, daemon=True)
        thread.start()
        target = probe.Target("127.0.0.1", listener.getsockname()[1], "localhost", 5.0)
        answer = probe.ask(target, probe.client_context(probe.Client(), "", verify=False))
        thread.join()
    assert (answer.status, answer.detail) == (None, "the connection was closed")


def test_client_context_leaves_no_key_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    probe.client_context(client(GOOD), SERVER.pem)
    assert not list(tmp_path.iterdir())
    monkeypatch.delattr("os.memfd_create")
    probe.client_context(client(GOOD), SERVER.pem)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "status", "engine"),
    [
        (ANSWER, 200, "26.1.5"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.", 400, ""),
        (b"", None, ""),
        (b"\x15\x03\x01\x00\x02\x02\x50", None, ""),
        (b"HTTP/1.1 twohundred OK\r\n\r\n", None, ""),
    ],
    ids=["docker", "go-tls-listener", "closed", "alert", "no-number"],
)
def test_parse_answer_knows_http_from_everything_else(data: bytes, status: int | None, engine: str) -> None:
    answer = probe.parse_answer(data)
    assert (answer.status, answer.engine_version) == (status, engine)


def answering(tmp_path: pathlib.Path, answer: bytes) -> probe.Target:
    """Return a server that verifies its client, answers one request so and leaves the connection open, as for an upgrade."""
    path = leaf(SERVER, "server", subject_names=NAMES).write(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, path.with_suffix(".key"))
    context.load_verify_locations(cadata=CLIENTS.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as connection:
            assert connection.recv(1000).startswith(b"POST /session HTTP/1.1\r\n")
            connection.sendall(answer)
            connection.recv(1)  # until the client leaves

    threading.Thread(target=serve, daemon=True).start()
    return probe.Target("127.0.0.1", listener.getsockname()[1], "localhost", 30.0)


REJECTED = b'HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n{"message": "no"}'
TAKEN_OVER = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "limited", "taken_over"),
    [
        (REJECTED, True, False),
        (TAKEN_OVER, False, True),
        (ANSWER, False, False),
        (b"HTTP/1.1 403 Forbidden\r\nApi-Version: 1.45\r\n\r\n", False, True),
        (b"HTTP/1.1 400 Bad Request\r\nApi-Version: 1.45\r\n\r\n", False, False),
    ],
    ids=["rejected", "taken over", "answered", "rejected by dockerd", "without its upgrade"],
)
def test_connection_that_docker_takes_over_is_for_clients_with_all_rights_only(
    tmp_path: pathlib.Path, answer: bytes, limited: bool, taken_over: bool
) -> None:
    found = probe.check_limited(answering(tmp_path, answer), "limited-ci", client(GOOD), SERVER.pem)
    assert (found.passed, found.detail.startswith("NOT LIMITED")) == (limited, not limited)
    other = probe.check_taken_over(answering(tmp_path, answer), client(GOOD), SERVER.pem)
    assert (other.check, other.passed) == ("upgraded-connection", taken_over)


def test_client_whose_rights_are_limited_and_who_is_not_admitted_shows_nothing(serve: t.Any) -> None:
    """A rejected handshake is not the limit that was asked about."""
    limited = (verify_remote.ProbeClient("limited-ci", client(FOREIGN)),)
    wanted = verify_remote.Verification(target=serve(), ca=SERVER.pem, closed_ports=(), limited=limited)
    assert failures(verify_remote.verify(wanted, NOW)) == {"limited-ci"}
