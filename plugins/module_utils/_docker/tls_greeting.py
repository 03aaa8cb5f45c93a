# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unencrypted messages of a TLS server, before it knows the client.

Python's ``ssl`` hides the names of the authorities that a server accepts for clients. That list is the only way to see
from outside which anchors the *running* dockerd has loaded, and whether it has any: with ``tlsverify`` and no
``tlscacert`` dockerd trusts the operating system's root store and advertises nothing (measured, 20.10 to 29.7).

So this file speaks the first third of a TLS 1.2 handshake (RFC 5246 section 7.4) over a plain socket: it sends a
ClientHello and reads up to ServerHelloDone. All of that is in clear in TLS 1.2, which every dockerd still accepts
(its minimum is 1.2, measured on 20.10 to 29.7). No key is needed and nothing is decrypted.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
import struct
import time
import typing as t
from dataclasses import dataclass

_HANDSHAKE, _ALERT = 22, 21
_SERVER_HELLO, _CERTIFICATE, _CERTIFICATE_REQUEST, _SERVER_HELLO_DONE = 2, 11, 13, 14
# ECDHE with AES-GCM or ChaCha20, for ECDSA/Ed25519 and for RSA: what every dockerd offers in TLS 1.2.
_CIPHER_SUITES = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8)
_GROUPS = (29, 23, 24, 25)  # x25519, P-256, P-384, P-521
# ECDSA with SHA-2, Ed25519, RSA-PSS and RSA-PKCS1 with SHA-2.
_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)
_LARGEST_MESSAGE = 256 * 1024
_ALERTS = {40: "handshake_failure", 70: "protocol_version", 80: "internal_error", 112: "unrecognized_name"}


class HandshakeError(Exception):
    """The peer did not answer like a TLS 1.2 server; the text describes its answer."""


@dataclass(frozen=True)
class ServerGreeting:
    """The greeting of a server: its certificates (DER, leaf first) and how it asks for a client certificate.

    ``asks_for_certificate`` is False when no CertificateRequest came: every client is admitted.
    ``authority_names`` are DER-encoded subject names, in the order sent; empty also when none were sent.
    """

    certificates: tuple[bytes, ...]
    asks_for_certificate: bool
    authority_names: tuple[bytes, ...]

    @property
    def fingerprint_sha256(self) -> str:
        """SHA-256 (hex) of the leaf's DER bytes."""
        return hashlib.sha256(self.certificates[0]).hexdigest() if self.certificates else ""


def read_greeting(host: str, port: int, timeout: float, server_name: str = "") -> ServerGreeting:
    """Connect to ``host``:``port`` and return the server's greeting, within ``timeout`` seconds in all.

    ``server_name`` is sent as SNI when it is a DNS name. Raises HandshakeError when the peer speaks no TLS 1.2,
    and OSError (ConnectionRefusedError, TimeoutError, …) without a connection.
    """
    deadline = time.monotonic() + timeout
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall(client_hello(secrets.token_bytes(32), server_name))
        try:
            return _read_until_done(connection, deadline)
        finally:
            _say_goodbye(connection)


def client_hello(random: bytes, server_name: str = "") -> bytes:
    """Return the record with a TLS 1.2 ClientHello (RFC 5246 7.4.1.2); ``random`` is 32 bytes."""
    extensions = [
        _extension(10, _vector16(b"".join(struct.pack("!H", group) for group in _GROUPS))),
        _extension(11, b"\x01\x00"),  # uncompressed points
        _extension(13, _vector16(b"".join(struct.pack("!H", scheme) for scheme in _SIGNATURES))),
        _extension(23, b""),  # extended_master_secret, RFC 7627
        _extension(0xFF01, b"\x00"),  # renegotiation_info, RFC 5746
    ]
    if server_name:
        entry = b"\x00" + _vector16(server_name.encode("ascii", "ignore"))
        extensions.insert(0, _extension(0, _vector16(entry)))
    body = b"\x03\x03" + random + b"\x00"
    body += _vector16(b"".join(struct.pack("!H", suite) for suite in _CIPHER_SUITES))
    body += b"\x01\x00" + _vector16(b"".join(extensions))
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + _vector16(message)


def parse_certificate_request(body: bytes) -> tuple[bytes, ...]:
    """Return the DER names in a TLS 1.2 CertificateRequest (RFC 5246 7.4.4). Raises HandshakeError."""
    reader = _Reader(body)
    reader.vector(1)  # certificate_types
    reader.vector(2)  # supported_signature_algorithms
    names = _Reader(reader.vector(2))
    found = []
    while names.left:
        found.append(names.vector(2))
    return tuple(found)


def parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """Return the DER certificates of a TLS 1.2 Certificate message (RFC 5246 7.4.2). Raises HandshakeError."""
    chain = _Reader(_Reader(body).vector(3))
    found = []
    while chain.left:
        found.append(chain.vector(3))
    return tuple(found)


def parse_messages(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Split handshake bytes into (type, body) messages; also return the incomplete rest."""
    messages = []
    while len(data) >= 4:
        length = int.from_bytes(data[1:4], "big")
        if length > _LARGEST_MESSAGE:
            raise HandshakeError(f"a handshake message of {length} bytes was announced")
        if len(data) < 4 + length:
            break
        messages.append((data[0], data[4 : 4 + length]))
        data = data[4 + length :]
    return messages, data


class _Reader:
    """Reads length-prefixed vectors and refuses to run over the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise HandshakeError("a handshake message ends too early")
        start, self._at = self._at, self._at + count
        return self._data[start : self._at]

    def vector(self, length_bytes: int) -> bytes:
        return self.take(int.from_bytes(self.take(length_bytes), "big"))


def _vector16(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _extension(number: int, data: bytes) -> bytes:
    return struct.pack("!H", number) + _vector16(data)


def _read_until_done(connection: socket.socket, deadline: float) -> ServerGreeting:
    """Collect handshake records until ServerHelloDone and return their content."""
    buffered = b""
    certificates: tuple[bytes, ...] = ()
    names: t.Optional[tuple[bytes, ...]] = None
    while True:
        buffered += _read_handshake_record(connection, deadline)
        messages, buffered = parse_messages(buffered)
        for kind, body in messages:
            if kind == _SERVER_HELLO and body[:2] != b"\x03\x03":
                raise HandshakeError("the server chose another version than TLS 1.2")
            if kind == _CERTIFICATE:
                certificates = parse_certificates(body)
            elif kind == _CERTIFICATE_REQUEST:
                names = parse_certificate_request(body)
            elif kind == _SERVER_HELLO_DONE:
                return ServerGreeting(certificates, names is not None, names or ())


def _read_handshake_record(connection: socket.socket, deadline: float) -> bytes:
    """Return the content of the next handshake record. Raises HandshakeError for anything else."""
    header = _read_exactly(connection, 5, deadline)
    kind, length = header[0], struct.unpack("!H", header[3:5])[0]
    if kind not in (_HANDSHAKE, _ALERT) or header[1] != 3:
        raise HandshakeError("the peer does not speak TLS" + (" but plain HTTP" if header == b"HTTP/" else ""))
    content = _read_exactly(connection, length, deadline)
    if kind == _ALERT:
        number = content[1] if len(content) > 1 else -1
        raise HandshakeError(f"the server sent the alert {_ALERTS.get(number, number)}")
    return content


def _read_exactly(connection: socket.socket, count: int, deadline: float) -> bytes:
    data = b""
    while len(data) < count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise HandshakeError("the server did not finish its greeting in time")
        connection.settimeout(left)
        piece = connection.recv(count - len(data))
        if not piece:
            raise HandshakeError("the server closed the connection during its greeting")
        data += piece
    return data


def _say_goodbye(connection: socket.socket) -> None:
    """Send the alert user_canceled, so that dockerd's log shows that the client left on purpose (RFC 5246 7.2)."""
    try:
        connection.sendall(b"\x15\x03\x03\x00\x02\x01\x5a")
    except OSError:
        return
