# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate ordered by ACME for the key that waits on this host, and what answers the CA's http-01 challenges (RFC 8555 §8.3) meanwhile."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.server
import os
import socket
import threading
import typing as t

from .. import _files
from .._argument_specs import CRYPTOGRAPHY_OPTION
from .._errors import TlsError
from .._host.file_owner import read_regular
from .._pki import keys, names, reader, signing
from .._pki.compat import serialization
from . import acme_client
from .http import Endpoint, check_url

_PLACE = "/.well-known/acme-challenge/"
#: The options of M(acme_certificate).
OPTIONS: dict[str, t.Any] = {
    **CRYPTOGRAPHY_OPTION,
    "directory": {"type": "str", "required": True},
    "ca_content": {"type": "str", "default": ""},
    "anchors_content": {"type": "str", "default": ""},
    "key_path": {"type": "path", "required": True, "no_log": False},
    "common_name": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "contact": {"type": "list", "elements": "str", "default": []},
    "eab_kid": {"type": "str", "default": ""},
    "eab_key": {"type": "str", "default": "", "no_log": True},
    "profile": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 80},
    "webroot": {"type": "path"},
    "account_directory": {"type": "path", "default": "/var/lib/docker-tls/acme"},
    "timeout": {"type": "int", "default": 30},
}
_PENDING_SUFFIX = ".new"


@contextlib.contextmanager
def listening(port: int) -> t.Iterator[acme_client.Offer]:
    """Listen on a port, and answer the offered tokens and nothing else. Raises TlsError ``challenge-port-unusable``."""
    answers: dict[str, bytes] = {}
    server = _server(port, answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield lambda token, answer: answers.update({token: answer.encode("ascii")})
    finally:
        server.shutdown()
        server.server_close()


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


@contextlib.contextmanager
def serving(webroot: str) -> t.Iterator[acme_client.Offer]:
    """Write the offered tokens where a web server of this host serves them, and remove them at the end.

    An offer raises TlsError ``issuer-failed``, ``file-unwritable``, ``directory-unusable``.
    """
    directory = os.path.join(webroot, _PLACE.strip("/"))
    written: list[str] = []

    def offer(token: str, answer: str) -> None:
        if not token.replace("-", "").replace("_", "").isalnum():  # it is a file's name here (RFC 8555 §8.3: base64url)
            problem = "the issuer acme has sent a token that is not a name of a file"
            raise TlsError(problem, hint="Check the CA.", code="issuer-failed")
        if not os.path.isdir(directory):
            _files.ensure_directory(directory, 0o755)
        path = os.path.join(directory, token)
        _files.write_atomic(path, answer.encode("ascii"), 0o644)
        written.append(path)

    try:
        yield offer
    finally:
        for path in written:
            with contextlib.suppress(OSError):
                os.unlink(path)


def order(options: t.Mapping[str, t.Any], sleep: t.Callable[[float], None]) -> str:
    """Return the certificate and its chain as PEM. In: the options of M(acme_certificate), with defaults.

    Raises TlsError ``key-missing``, ``issuer-settings-invalid``, ``challenge-port-unusable``, and those of ``acme_client.Client``.
    """
    check_url(options["directory"], "directory of the issuer acme")
    if bool(options["eab_kid"]) != bool(options["eab_key"]):
        raise TlsError(
            "the issuer acme has only one of eab_kid and eab_key",
            hint="External account binding needs both, as the CA shows them.",
            code="issuer-settings-invalid",
        )
    wanted = names.normalize_names(options["names"])
    request = signing.build_request(
        _pending_key(options["key_path"]), names.SubjectNames(options["common_name"], wanted)
    )
    der = signing.load_request(request).public_bytes(serialization.Encoding.DER)
    settings = acme_client.Settings(
        Endpoint(options["directory"], options["ca_content"], options["timeout"], sleep=sleep),
        **{name: options[name] for name in ("eab_kid", "eab_key", "profile")},
        contact=tuple(options["contact"]),
    )
    anchors = options["anchors_content"].strip()
    trusted = reader.load_certificates(anchors, "the anchors of the issuer acme") if anchors else []
    client = acme_client.Client(settings, _account_key(options["account_directory"], options["directory"]))
    with serving(options["webroot"]) if options["webroot"] else listening(options["port"]) as offer:
        return client.certificate(der, wanted, offer, trusted)


def _pending_key(path: str) -> t.Any:
    data = read_regular(path + _PENDING_SUFFIX, private_to=os.geteuid())
    if data is None:
        raise TlsError(
            f"{path}{_PENDING_SUFFIX} is missing, so there is no key for the certificate",
            hint="Run the play again from its beginning; certificate_requests makes the key.",
            code="key-missing",
        )
    return keys.load_private_key(data, what=path + _PENDING_SUFFIX)


def _account_key(directory: str, url: str) -> t.Any:
    """Return the key of this host's account with a CA; a new one is kept before the CA hears of it."""
    path = os.path.join(directory, f"{hashlib.sha256(url.encode('utf-8')).hexdigest()[:16]}.pem")
    data = read_regular(path, private_to=os.geteuid())
    if data is None:
        _files.ensure_directory(directory, 0o700)
        data = keys.encode_private_key(keys.generate_private_key("ecdsa-p256"))
        _files.write_atomic(path, data, 0o600)
    return keys.load_private_key(data, what=path)
