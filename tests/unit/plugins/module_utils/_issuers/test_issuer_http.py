# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to issuers: credentials go to the issuer and to no other machine."""

from __future__ import annotations

import http.server
import threading
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import http as issuer_http


class _Noting(http.server.BaseHTTPRequestHandler):
    """Answers everything, and notes what it was asked for."""

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: t.Any) -> None:
        """Print nothing."""


@pytest.fixture
def listening() -> t.Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Noting)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_proxy_of_the_environment_gets_no_credentials_for_loopback(
    listening: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{listening.server_address[1]}"
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, address)
    monkeypatch.delenv("no_proxy", raising=False)
    endpoint = issuer_http.Endpoint("http://127.0.0.1:1", tries=1)
    with pytest.raises(TlsError) as caught:
        issuer_http.Caller(endpoint, "the issuer").call("GET", "http://127.0.0.1:1/v1", {"X-Vault-Token": "secret"})
    assert caught.value.code == "issuer-unreachable"
    assert listening.asked == []  # type: ignore[attr-defined]
    found = issuer_http.Caller(issuer_http.Endpoint(address), "the issuer").call("GET", f"{address}/v1", {})
    assert (found.status, listening.asked) == (200, ["/v1"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "[::1]"])
def test_plain_http_is_for_loopback(host: str) -> None:
    issuer_http.check_url(f"http://{host}:8200", "url")


@pytest.mark.parametrize(
    "host", ["127.evil.example", "127.0.0.1.attacker.example", "localhost.example.org", "10.0.0.1"]
)
def test_name_that_looks_like_loopback_is_refused(host: str) -> None:
    with pytest.raises(TlsError) as caught:
        issuer_http.check_url(f"http://{host}:8200", "url")
    assert caught.value.code == "issuer-url-invalid"
