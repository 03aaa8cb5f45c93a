# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ACME server that answers in other shapes than RFC 8555, or names addresses that are not its own: an error, and nothing else is read."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import threading
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import acme
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers.http import Endpoint
from support.ca import certificates as made

Answer = tuple[int, dict[str, str], t.Any]


@contextlib.contextmanager
def server(changes: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield the URL of a server that answers as RFC 8555 asks for, but for ``changes``: by path members of the object, or the whole answer."""

    def answer(path: str, base: str) -> Answer:
        challenge = {"type": "http-01", "token": "a-token", "url": f"{base}/challenge", "status": "pending"}
        usual: dict[str, dict[str, t.Any]] = {
            "/directory": {name: f"{base}/{name}" for name in ("newNonce", "newAccount", "newOrder")},
            "/newAccount": {"status": "valid"},
            "/newOrder": {"status": "pending", "authorizations": [f"{base}/authorization"]},
            "/authorization": {
                "status": "pending",
                "identifier": {"type": "dns", "value": "web1.example.test"},
                "challenges": [challenge],
            },
            "/order": {"status": "ready", "finalize": f"{base}/finalize", "certificate": f"{base}/certificate"},
        }
        changed = changes.get(path)
        if isinstance(changed, tuple):
            return t.cast("Answer", changed)
        headers = {"Location": f"{base}{'/order' if path == '/newOrder' else '/account'}"}
        return 200, headers, {**usual.get(path, {}), **(changed or {})}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = answer(self.path, base)
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Replay-Nonce": "a-nonce", **headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

        do_GET = do_HEAD = do_POST

        def log_message(self, *arguments: t.Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        base = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield base
        listening.shutdown()
        thread.join()


def offered(token: str, answer: str) -> None:
    """Take what is offered; the real ways are tested beside pebble."""
    answer.encode("ascii")


def ordered(base: str) -> TlsError:
    """Return the error of an order, without waiting for another state."""
    settings = acme.Settings(Endpoint(f"{base}/directory", sleep=lambda seconds: None), eab_key="a-secret")
    with pytest.raises(TlsError) as caught:
        acme.Client(settings, made.private_key()).certificate(b"request", ["web1.example.test"], offered)
    assert caught.value.hint
    assert "a-secret" not in caught.value.message
    return caught.value


SHAPES: dict[str, dict[str, t.Any]] = {
    "no place of the order": {"/newOrder": (201, {}, {"authorizations": []})},
    "authorizations are a number": {"/newOrder": {"authorizations": 7}},
    "authorizations are no addresses": {"/newOrder": {"authorizations": [None, {}]}},
    "identifier is a text": {"/authorization": {"identifier": "web1"}},
    "challenges are a number": {"/authorization": {"challenges": 7}},
    "challenge without a token": {"/authorization": {"challenges": [{"type": "http-01"}]}},
    "token is no ASCII": {"/authorization": {"challenges": [{"type": "http-01", "token": "\u2028", "url": "x"}]}},
    "status is a list": {"/order": {"status": ["ready"]}, "/authorization": {"status": "valid"}},
    "no finalize": {"/order": {"finalize": None}, "/authorization": {"status": "valid"}},
    "no certificate": {"/order": {"status": "valid", "certificate": None}, "/authorization": {"status": "valid"}},
    "subproblems are a number": {"/newOrder": (400, {}, {"type": "x", "subproblems": 7})},
    "problem is a list": {"/newAccount": (400, {}, [1])},
    "page": {"/newOrder": (200, {}, b"<html>Sign in</html>")},
    "nested": {"/newOrder": (200, {}, b"[" * 200_000)},
}


@pytest.mark.parametrize("case", SHAPES)
def test_answer_of_another_shape_is_an_error_and_no_traceback(case: str) -> None:
    with server(SHAPES[case]) as base:
        assert ordered(base).code in ("issuer-failed", "issuer-refused", "issuer-timeout", "challenge-not-offered")


@pytest.mark.parametrize("scheme", ["file", "ftp", "http"])
@pytest.mark.parametrize("what", ["newNonce", "newAccount", "authorizations", "finalize", "certificate"])
def test_address_without_tls_or_of_a_file_is_not_read(scheme: str, what: str, tmp_path: pathlib.Path) -> None:
    """A file of the host would be read as root, and its content might end in a message."""
    secret = tmp_path / "secret"
    secret.write_text("-----BEGIN CERTIFICATE-----\na-secret\n-----END CERTIFICATE-----\n")
    url = f"file://{secret}" if scheme == "file" else f"{scheme}://192.0.2.1/x"
    changes: dict[str, dict[str, t.Any]] = {
        "newNonce": {"/directory": {"newNonce": url}},
        "newAccount": {"/directory": {"newAccount": url}},
        "authorizations": {"/newOrder": {"authorizations": [url]}},
        "finalize": {"/authorization": {"status": "valid"}, "/order": {"finalize": url}},
        "certificate": {"/authorization": {"status": "valid"}, "/order": {"status": "valid", "certificate": url}},
    }
    with server(changes[what]) as base:
        error = ordered(base)
    assert (error.code, "is not an https address" in error.message) == ("issuer-failed", True), error.message
