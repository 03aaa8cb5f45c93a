# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small HTTP server with the API of OpenBao's PKI engine that a test makes fail in the middle of a batch; it signs with a test CA."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
import typing as t

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import signing
from support.ca import certificates as made

#: What a test's behaviour returns: status, headers and body; DROP closes the connection without an answer, HANG keeps it open.
Reply = tuple[int, dict[str, str], bytes]
DROP: Reply = (0, {}, b"drop")
HANG: Reply = (0, {}, b"hang")


class Engine:
    """What the server was asked, in order, and how many requests it had at a time. ``reply`` decides by the number of the request."""

    def __init__(self, authority: made.Pair, reply: t.Callable[[int], Reply | None]) -> None:
        self.authority = authority
        self.reply = reply
        self.asked: list[tuple[str, dict[str, str], dict[str, t.Any]]] = []
        self.at_a_time = self.most_at_a_time = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self.url = ""

    @property
    def signed(self) -> list[str]:
        """Return the common names that were asked to be signed, in order."""
        return [body["common_name"] for path, _headers, body in self.asked if "/sign/" in path]

    def begin(self, path: str, headers: dict[str, str], body: dict[str, t.Any]) -> int:
        with self._lock:
            self.asked.append((path, headers, body))
            self.at_a_time += 1
            self.most_at_a_time = max(self.most_at_a_time, self.at_a_time)
            return len(self.signed) if "/sign/" in path else 0

    def end(self) -> None:
        with self._lock:
            self.at_a_time -= 1

    def certificate(self, body: dict[str, t.Any]) -> bytes:
        """Return the answer of a sign call: the names that were asked for, below the test's CA."""
        key = signing.load_request(body["csr"], "the request").public_key()
        names = [name for option in ("alt_names", "ip_sans") for name in body.get(option, "").split(",") if name]
        profile = "server" if "alt_names" in body else "client"
        given = {"subject_names": names} if profile == "server" else {}
        pair = made.leaf(self.authority, profile, common_name=body["common_name"], key=_Public(key), **given)
        data = {"certificate": pair.pem, "ca_chain": [self.authority.pem]}
        return json.dumps({"data": data}).encode()


class _Public:
    """A key of which only the public half is known."""

    def __init__(self, key: t.Any) -> None:
        self._key = key

    def public_key(self) -> t.Any:
        return self._key


@contextlib.contextmanager
def started(authority: made.Pair, reply: t.Callable[[int], Reply | None] = lambda number: None) -> t.Iterator[Engine]:
    """Yield a server. ``reply`` gets the number of the sign call (from 1; 0 for others) and returns None for a good answer."""
    engine = Engine(authority, reply)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw or b"{}")
            number = engine.begin(self.path, dict(self.headers.items()), body)
            self._answer(engine.reply(number), body)

        def _answer(self, reply: Reply | None, body: dict[str, t.Any]) -> None:
            if reply is DROP:
                engine.end()
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if reply is HANG:
                engine.closing.wait()
                return
            if reply is None and self.path.endswith("/login"):
                reply = (200, {}, b'{"auth": {"client_token": "a-token-of-a-login"}}')
            if reply is None and "/sign/" in self.path:
                reply = (200, {}, engine.certificate(body))
            status, headers, content = reply or (204, {}, b"")
            engine.end()  # before the client has the answer, which may send the next request then
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: t.Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        engine.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            engine.closing.set()
            server.shutdown()
            thread.join()
