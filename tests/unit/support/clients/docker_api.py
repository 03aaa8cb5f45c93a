# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker endpoint for tests, without Docker: mutual TLS as dockerd has it, and the answers that clients ask for first.

Real consumers (docker's CLI and SDK, curl, community.docker) go through it, so the test verifies their TLS: the files
that they read and the client that the server sees.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import ssl
import threading
import typing as t

from support.ca import certificates as made

SERVERS = made.authority("server", unit="server-g1")
CLIENTS = made.authority("client", unit="clients-g1", number=2)
#: As dockerd names itself; a proxy in front of it may not.
HEADER = "Docker/28.0.0 (linux)"
_VERSION = {
    "Version": "28.0.0",
    "ApiVersion": "1.48",
    "MinAPIVersion": "1.24",
    "Os": "linux",
    "Arch": "amd64",
    "GoVersion": "go",
}
_INFO = {
    "ID": "x",
    "Name": "fake",
    "ServerVersion": "28.0.0",
    "OSType": "linux",
    "Architecture": "x86_64",
    "Swarm": {},
    "Plugins": {},
}


class Endpoint(t.NamedTuple):
    """A running endpoint and the common names of the clients that it has admitted."""

    docker_host: str
    clients: list[str]


class Server(t.NamedTuple):
    """The endpoint's certificate and the authorities that it admits, as PEM."""

    certificate: str
    key: str
    client_ca: str


@contextlib.contextmanager
def endpoint(directory: pathlib.Path, server: Server | None = None) -> t.Iterator[Endpoint]:
    """Listen on a free port of 127.0.0.1 until the end of the block."""
    seen: list[str] = []
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(seen))
    listener.daemon_threads = True
    context = _context(directory, server or _own())
    listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Endpoint(f"tcp://127.0.0.1:{listener.server_address[1]}", seen)
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _own() -> Server:
    pair = made.leaf(SERVERS, subject_names=["localhost", "127.0.0.1"])
    return Server(pair.pem, pair.key_pem.decode(), CLIENTS.pem)


def _context(directory: pathlib.Path, server: Server) -> ssl.SSLContext:
    directory.mkdir(exist_ok=True)
    for name, text in server._asdict().items():
        (directory / f"{name}.pem").write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "certificate.pem", directory / "key.pem")
    context.load_verify_locations(directory / "client_ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _handler(seen: list[str]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            subject = t.cast(ssl.SSLSocket, self.connection).getpeercert() or {}
            seen.extend(value for part in subject["subject"] for name, value in part if name == "commonName")
            path = self.path.split("?")[0]
            if path.endswith("/_ping"):
                return self._answer(b"OK", "text/plain")
            answers: dict[str, t.Any] = {"version": _VERSION, "info": _INFO, "json": []}
            self._answer(json.dumps(answers.get(path.rsplit("/", 1)[-1], {})).encode(), "application/json")
            return None

        do_HEAD = do_GET

        def version_string(self) -> str:
            return HEADER

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            for name, value in (("Api-Version", "1.48"), ("Ostype", "linux"), ("Content-Type", kind)):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler
