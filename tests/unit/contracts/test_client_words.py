# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the docker command says when it is refused, or refuses: the words that docs/troubleshooting.md explains."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import typing as t

import pytest

from support.ca import certificates as made
from support.contracts import records, troubleshooting

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="no docker command here")

NO_CERTIFICATE = "remote error: tls: certificate required"
ANOTHER_CA = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
ANOTHER_NAME = "x509: certificate is valid for"
HAS_ENDED = "x509: certificate has expired or is not yet valid"
PLAIN_PORT = "http: server gave HTTP response to HTTPS client"

SERVER_AUTHORITY = made.authority("server")
CLIENT_AUTHORITY = made.authority("client", number=2)
CLIENT = made.leaf(CLIENT_AUTHORITY, "client", common_name="alice")
HERE = ("127.0.0.1",)


@contextlib.contextmanager
def endpoint(directory: pathlib.Path, identity: made.Pair | None) -> t.Iterator[int]:
    """Listen on a port of loopback as dockerd would, and admit the clients of CLIENT_AUTHORITY; without ``identity`` no TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if identity is not None:
        path = identity.write(directory, "server")
        context.load_cert_chain(path, path.with_suffix(".key"))
        context.load_verify_locations(cadata=CLIENT_AUTHORITY.pem)
        context.verify_mode = ssl.CERT_REQUIRED

    def secured(connection: socket.socket) -> socket.socket:
        stream = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        try:
            stream.do_handshake()
        except OSError:
            # Closing with the client's request unread would reset the connection, and now and then beat the alert to the client.
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(4096):
                pass
            stream.close()
            raise
        return stream

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            stream = connection if identity is None else secured(connection)
            stream.recv(4096)
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nApi-Version: 1.41\r\nConnection: close\r\n\r\nOK")
            stream.close()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                answer(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    server.join()


def docker_says(directory: pathlib.Path, port: int, identity: made.Pair | None, trusted: made.Pair) -> str:
    """Return what ``docker version`` prints for a client with that identity and that ca.pem."""
    bundle = directory / "bundle"
    bundle.mkdir()
    (bundle / "ca.pem").write_text(trusted.pem)
    options = ["--tlsverify", f"--tlscacert={bundle}/ca.pem", "--tlscert=", "--tlskey="]
    if identity is not None:
        (bundle / "cert.pem").write_text(identity.pem)
        (bundle / "key.pem").write_bytes(identity.key_pem)
        options[2:] = [f"--tlscert={bundle}/cert.pem", f"--tlskey={bundle}/key.pem"]
    environment = {"PATH": os.environ["PATH"], "DOCKER_CONFIG": str(bundle)}
    command = ["docker", "-H", f"tcp://127.0.0.1:{port}", *options, "version"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return records.said(done.stdout + done.stderr, code=troubleshooting.OF_CLIENTS)


def server(names: t.Sequence[str] = HERE, **validity: t.Any) -> made.Pair:
    return made.leaf(SERVER_AUTHORITY, "server", subject_names=names, **validity)


@pytest.mark.parametrize(
    ("identity", "client", "trusted", "words"),
    [
        pytest.param(server(), None, SERVER_AUTHORITY, NO_CERTIFICATE, id="no-certificate"),
        pytest.param(server(), CLIENT, made.authority("server", number=4), ANOTHER_CA, id="another-ca"),
        pytest.param(server(["127.0.0.2"]), CLIENT, SERVER_AUTHORITY, ANOTHER_NAME, id="another-name"),
        pytest.param(server(end=made.LONG_AGO.replace(year=2021)), CLIENT, SERVER_AUTHORITY, HAS_ENDED, id="has-ended"),
        pytest.param(None, CLIENT, SERVER_AUTHORITY, PLAIN_PORT, id="plain-port"),
    ],
)
def test_docker_command_says_the_words_of_the_page(
    tmp_path: pathlib.Path, identity: made.Pair | None, client: made.Pair | None, trusted: made.Pair, words: str
) -> None:
    with endpoint(tmp_path, identity) as port:
        assert words in docker_says(tmp_path, port, client, trusted)


def test_docker_command_is_let_in_where_all_is_well(tmp_path: pathlib.Path) -> None:
    with endpoint(tmp_path, server()) as port:
        assert "error" not in docker_says(tmp_path, port, CLIENT, SERVER_AUTHORITY).split("Server:")[0].lower()
