# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers to http-01 challenges (RFC 8555 §8.3): by a listener that lives as long as the order, or by files in the root of a web server."""

from __future__ import annotations

import contextlib
import errno
import http.server
import os
import socket
import threading
import typing as t

from .. import _files
from .._errors import TlsError

_PLACE = "/.well-known/acme-challenge/"


class Listener:
    """Listens on a port while it is entered, and answers the offered tokens and nothing else."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._answers: dict[str, bytes] = {}
        self._server: http.server.ThreadingHTTPServer | None = None

    def offer(self, token: str, answer: str) -> None:
        """Answer a challenge from now on."""
        self._answers[token] = answer.encode("ascii")

    def __enter__(self) -> Listener:
        self._server = _server(self._port, self._answers)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _server(port: int, answers: t.Mapping[str, bytes]) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            found = answers.get(self.path[len(_PLACE) :]) if self.path.startswith(_PLACE) else None
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *unused: object) -> None:
            return

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        daemon_threads = True

        def server_bind(self) -> None:
            if self.address_family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

    try:
        return Server(("", port), Handler)
    except OSError as error:
        used = error.errno == errno.EADDRINUSE
        raise TlsError(
            f"port {port} of this host cannot be opened for the challenge of the issuer acme: {error.strerror}",
            hint="A web server has it: set webroot of the issuer to the directory that it serves. "
            if used
            else "Only root can open ports below 1024: set become: true.",
            code="challenge-port-unusable",
        ) from error


class WebRoot:
    """Writes tokens where a web server of this host serves them, and removes them at its end."""

    def __init__(self, directory: str) -> None:
        self._directory = os.path.join(directory, _PLACE.strip("/"))
        self._written: list[str] = []

    def offer(self, token: str, answer: str) -> None:
        """Write the answer to a challenge. Raises TlsError ``file-unwritable``, ``directory-unusable``."""
        if not token.replace("-", "").replace("_", "").isalnum():  # it is a file's name here (RFC 8555 §8.3: base64url)
            raise TlsError(
                "the issuer acme has sent a token that is not a name of a file",
                hint="Check the CA.",
                code="issuer-failed",
            )
        _files.ensure_directory(self._directory, 0o755)
        path = os.path.join(self._directory, token)
        _files.write_atomic(path, answer.encode("ascii"), 0o644)
        self._written.append(path)

    def __enter__(self) -> WebRoot:
        return self

    def __exit__(self, *unused: object) -> None:
        for path in self._written:
            with contextlib.suppress(OSError):
                os.unlink(path)
