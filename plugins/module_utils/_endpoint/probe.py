# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of a Docker endpoint from outside, as a client sees it.

A client is *admitted* when it gets an HTTP response, and *refused* when it gets none. The text of an error shows
nothing: under TLS 1.3 the server's refusal comes after the client's handshake, so the result at the client is a race
between an alert, a reset and an end of file (measured, dockerd 20.10 to 29.7).
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
import time
import typing as t
import uuid
from dataclasses import dataclass

from .._docker.tls_greeting import HandshakeError, ServerGreeting, read_greeting
from .._pki.der_name import name_text

#: BuildKit's session: dockerd takes the connection over, and a proxy never passes it on for clients with limited rights. Each has an
#: identifier of its own: dockerd refuses a second session with the same one (measured with 26.1).
_SESSION = (
    "POST /session HTTP/1.1\r\nHost: docker\r\nUser-Agent: portcullis\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    "X-Docker-Expose-Session-Uuid: {}\r\n\r\n"
)
_REQUEST = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: portcullis\r\nConnection: close\r\n\r\n"
# dockerd sends them with every answer of /_ping (Docker Engine API, SystemPing).
_DOCKER_HEADERS = ("api-version", "docker-experimental", "builder-version")
_LARGEST_ANSWER = 64 * 1024

#: What is said where packets are dropped; "timed out" is Python's text for it.
NO_ANSWER = "no answer in time"


@dataclass(frozen=True)
class Target:
    """An endpoint: where to connect, the name its certificate must carry, and the patience for each connection."""

    address: str
    port: int
    server_name: str
    timeout: float = 10.0

    @property
    def text(self) -> str:
        """``host:port`` as people write it."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


@dataclass(frozen=True)
class Client:
    """The certificate and key of a client (PEM). Empty certificate: it presents none."""

    certificate: str = ""
    key: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back: an HTTP status (None when no HTTP response came), the engine, and what happened in words.

    ``docker``: the answer has the headers of Docker's API, be it dockerd's own or passed on by a proxy.
    """

    status: int | None
    engine_version: str
    detail: str
    docker: bool = False


@dataclass(frozen=True)
class Check:
    """One verdict. ``check`` is a stable kebab-case word, ``detail`` the observed result."""

    check: str
    passed: bool
    detail: str

    def to_dict(self) -> dict[str, t.Any]:
        """Return the check as it is shown to users."""
        return {"check": self.check, "passed": self.passed, "detail": self.detail}


def ask(target: Target, context: ssl.SSLContext | None, request: bytes = _REQUEST) -> Answer:
    """Send ``request`` over TLS with ``context``, or over plain HTTP with None. Never raises for network reasons."""
    deadline = time.monotonic() + target.timeout
    try:
        with contextlib.ExitStack() as stack:
            connection: socket.socket = stack.enter_context(
                socket.create_connection((target.address, target.port), timeout=target.timeout)
            )
            if context is not None:
                wrapped = context.wrap_socket(connection, server_hostname=target.server_name or target.address)
                connection = stack.enter_context(wrapped)
            connection.sendall(request)
            return parse_answer(_read_all(connection, deadline, until=b"" if request == _REQUEST else b"\r\n\r\n"))
    except ssl.SSLCertVerificationError as error:
        return Answer(None, "", f"the server's certificate is not accepted: {error.verify_message}")
    except (OSError, ValueError) as error:
        return Answer(None, "", _reason(error))


def parse_answer(data: bytes) -> Answer:
    """Return the parts of an HTTP response: its status and the engine named in the header ``Server: Docker/…``."""
    head = data.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
    words = head[0].split(" ", 2)
    if not words[0].startswith("HTTP/") or len(words) < 2 or not words[1].isdigit():
        return Answer(None, "", "the connection was closed without an answer" if not data else "no HTTP came back")
    engine, docker = "", False
    for line in head[1:]:
        name, _colon, value = line.partition(":")
        docker = docker or name.lower() in _DOCKER_HEADERS
        if name.lower() == "server" and value.strip().startswith("Docker/"):
            engine, docker = value.strip().split(" ")[0].partition("/")[2], True
    return Answer(int(words[1]), engine, f"HTTP {words[1]}" + (f", engine {engine}" if engine else ""), docker)


def client_context(client: Client, ca: str, *, verify: bool = True) -> ssl.SSLContext:
    """Return a context that trusts ``ca`` only (or, with ``verify=False``, checks nothing) and presents ``client``.

    Raises ssl.SSLError for a certificate and key that do not belong together or cannot be read.
    """
    if verify:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=ca)
        # Python from 3.13 on also refuses an authority without keyUsage, as openssl req -x509 makes it (_pki/strict). dockerd and
        # the docker CLI do not: the question here is whether they work. Chain, names and dates are verified as before.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client.certificate:
        with _memory_file(client.certificate.rstrip() + "\n" + client.key) as path:
            context.load_cert_chain(path)
    return context


def check_good_client(target: Target, client: Client, ca: str, expected_engine: str = "") -> Check:
    """An admitted client that verifies the server gets HTTP 200 (from the expected engine version, where given)."""
    try:
        context = client_context(client, ca)
    except (ssl.SSLError, OSError) as error:
        return Check("good-client", False, f"the client's certificate, key or ca cannot be used: {_reason(error)}")
    answer = ask(target, context)
    passed = answer.status == 200 and (not expected_engine or answer.engine_version == expected_engine)
    wrong_engine = answer.status == 200 and not passed
    detail = f"{answer.detail}, expected engine {expected_engine}" if wrong_engine else answer.detail
    return Check("good-client", passed, detail)


def _session() -> bytes:
    return _SESSION.format(uuid.uuid4()).encode("ascii")


def check_limited(target: Target, name: str, client: Client, ca: str) -> Check:
    """A client whose rights a proxy limits gets no connection that dockerd takes over, but a 403 of the proxy, not of dockerd."""
    try:
        answer = ask(target, client_context(client, ca), _session())
    except (ssl.SSLError, OSError) as error:
        return Check(name, False, f"the test client's certificate or key cannot be used: {_reason(error)}")
    passed, detail = answer.status == 403 and not answer.docker, f"POST /session: {answer.detail}"
    return Check(name, passed, detail if passed else f"NOT LIMITED: {detail}")


def check_taken_over(target: Target, client: Client, ca: str) -> Check:
    """A client with all rights gets a connection that dockerd takes over (101), as BuildKit and ``docker exec`` need it.

    dockerd's own 403 (an authorization plugin) or 404 (a release without this path) shows that the proxy has passed the request on.
    """
    try:
        answer = ask(target, client_context(client, ca), _session())
    except (ssl.SSLError, OSError) as error:
        detail = f"the client's certificate, key or ca cannot be used: {_reason(error)}"
        return Check("upgraded-connection", False, detail)
    passed = answer.status == 101 or (answer.docker and answer.status in (403, 404))
    return Check("upgraded-connection", passed, f"POST /session: {answer.detail}")


def check_refused(target: Target, name: str, client: Client) -> Check:
    """A client that must not connect gets no HTTP response; the server's certificate is not checked."""
    try:
        context = client_context(client, "", verify=False)
    except (ssl.SSLError, OSError) as error:
        return Check(name, False, f"the test client's certificate or key cannot be used: {_reason(error)}")
    return _refusal(name, ask(target, context), reachable=is_open(target))


def check_no_certificate(target: Target) -> Check:
    """A TLS client without a certificate gets no HTTP response."""
    return check_refused(target, "no-certificate", Client())


def check_plain_http(target: Target) -> Check:
    """Plain HTTP gets no useful response; Go's TLS listener answers 400 to it, which admits no client."""
    answer = ask(target, None)
    passed = answer.status is None or answer.status == 400
    return Check("plain-http", passed, f"not served ({answer.detail})" if passed else f"SERVED: {answer.detail}")


def check_port_closed(target: Target) -> Check:
    """Docker's API is not served without TLS at a port where it must not be (2375); another HTTP server may be there."""
    answer = ask(target, None)
    detail = f"SERVED: {answer.detail}" if answer.docker else f"not Docker's API ({answer.detail})"
    return Check(f"port-{target.port}-closed", not answer.docker, detail if answer.status else "nothing answers")


def check_greeting(
    greeting: ServerGreeting, fingerprint: str, authority_names: t.Sequence[bytes] | None
) -> list[Check]:
    """The served certificate is the expected one, and the advertised client authorities are exactly the expected.

    ``fingerprint``: SHA-256 hex of the DER certificate, or "" for no expectation. ``authority_names``: DER subject
    names, None for no expectation beyond "some".
    """
    served = greeting.fingerprint_sha256
    checks = []
    if fingerprint:
        same = served == fingerprint.lower().replace(":", "")
        detail = f"serves {served}" if same else f"serves {served}, expected {fingerprint}"
        checks.append(Check("served-certificate", same, detail))
    if not greeting.asks_for_certificate:
        detail = "the server asks for no client certificate: OPEN TO ANYBODY"
        return [*checks, Check("client-authorities", False, detail)]
    if not greeting.authority_names:
        detail = "the server names no client authority: it trusts the operating system's certificate store"
        return [*checks, Check("client-authorities", False, detail)]
    shown, wanted = sorted(set(greeting.authority_names)), sorted(set(authority_names or ()))
    exact = authority_names is None or shown == wanted
    detail = f"admits {_listed(shown)}" if exact else f"admits {_listed(shown)}, expected {_listed(wanted)}"
    return [*checks, Check("client-authorities", exact, detail)]


def _listed(names: t.Sequence[bytes]) -> str:
    return "; ".join(map(name_text, names)) or "no name"


def check_served(target: Target, fingerprint: str, authority_names: t.Sequence[bytes] | None) -> list[Check]:
    """Read the greeting of ``target`` and check it by ``check_greeting``."""
    try:
        greeting = read_greeting(target.address, target.port, target.timeout)
    except (HandshakeError, OSError) as error:
        return [Check("served-certificate", False, f"no TLS server at {target.text}: {_reason(error)}")]
    return check_greeting(greeting, fingerprint, authority_names)


def is_open(target: Target) -> bool:
    """Return whether a TCP connection to the target can be made."""
    try:
        with socket.create_connection((target.address, target.port), timeout=target.timeout):
            return True
    except OSError:
        return False


def _refusal(name: str, answer: Answer, *, reachable: bool) -> Check:
    if answer.status is not None:
        return Check(name, False, f"ADMITTED: {answer.detail}")
    if not reachable:
        return Check(name, False, "nothing listens there, so nothing was verified")
    return Check(name, True, f"no HTTP response ({answer.detail})")


def _read_all(connection: socket.socket, deadline: float, until: bytes = b"") -> bytes:
    """Read until the peer closes, the deadline passes, ``until`` or enough has come; keep what came before an error."""
    data = b""
    while len(data) < _LARGEST_ANSWER and not (until and until in data):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection.settimeout(left)
        try:
            piece = connection.recv(4096)
        except OSError:
            if data:
                break
            raise
        if not piece:
            break
        data += piece
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return NO_ANSWER
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "the connection was closed"
    text = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(text) or type(error).__name__


@contextlib.contextmanager
def _memory_file(text: str) -> t.Iterator[str]:
    """Give ``text`` a path that OpenSSL can open, in memory; a 0600 temporary file where the system has no memfd."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text.encode("ascii"))
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    descriptor, path = tempfile.mkstemp()  # 0600
    try:
        os.write(descriptor, text.encode("ascii"))
        os.close(descriptor)
        yield path
    finally:
        os.unlink(path)
