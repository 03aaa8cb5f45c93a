# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to an issuer over HTTP: TLS verified, no redirects, few tries. Sent data is never part of a message.

urllib and not ``ansible.module_utils.urls``: that takes the CA's certificate as a file only, and follows redirects with the token.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

from .._errors import TlsError
from .._text_table import clean

_MOST_BYTES = 1_048_576
_PIECE = 65_536
_MOST_SHOWN = 300
#: An engine behind a balancer answers these for a moment: nothing was done then.
_BUSY = (429, 502, 504)
_LONGEST_WAIT = 10.0


@dataclass(frozen=True)
class Endpoint:
    """Where an issuer is and how it is reached. ``ca_content``: the CAs of its TLS certificate, "" for those of the system."""

    url: str
    ca_content: str = ""
    timeout: int = 30
    tries: int = 3
    #: Waits between two tries; tests count instead.
    sleep: t.Callable[[float], None] = field(default=lambda seconds: None, repr=False)


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes = field(repr=False, default=b"")

    def json(self) -> dict[str, t.Any]:
        """Return the object in the body, {} where there is none. A body of nested lists alone exceeds Python's recursion limit."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another place."""

    def redirect_request(self, *arguments: t.Any, **options: t.Any) -> None:
        return None


def check_url(url: str, option: str) -> None:
    """Raise TlsError ``issuer-url-invalid`` naming ``option``; plain HTTP is for loopback only: a token goes with every request."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        problem = "" if parts.scheme in ("http", "https") and host and parts.port != 0 else "is not a URL of a server"
    except ValueError:
        host, problem, parts = "", "is not a URL of a server", urllib.parse.urlsplit("")
    if not problem and (parts.username or parts.password):
        raise TlsError(
            f"{option} contains a user name or password",
            hint="Write the URL without them; credentials have options of their own.",
            code="issuer-url-invalid",
        )
    if not problem and parts.scheme == "http" and not _is_loopback(host):
        problem = "is not protected by TLS, so that everyone on the way could read the credentials"
    if problem:
        raise TlsError(
            f"{option} {clean(url)!r} {problem}",
            hint="Write it as https://bao.example.org:8200.",
            code="issuer-url-invalid",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Caller:
    """Sends requests to one issuer; may be used by several threads."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self.name = name
        self._endpoint = endpoint
        handlers: list[t.Any] = [_NoRedirect()]
        if urllib.parse.urlsplit(endpoint.url).scheme == "https":
            # A proxy of the environment only passes TLS on.
            handlers.append(urllib.request.HTTPSHandler(context=_context(endpoint, name)))
        else:
            # Plain HTTP is for loopback: a proxy of the environment (http_proxy) would read the credentials.
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def call(self, method: str, url: str, headers: t.Mapping[str, str], body: bytes | None = None) -> Answer:
        """Return the answer, whatever its status; a busy issuer, and one that was not reached at all, is asked again.

        Raises TlsError ``issuer-failed`` for an address that must not be asked, ``issuer-unreachable``, ``issuer-timeout`` (which may have issued
        anyway), ``issuer-untrusted``.
        """
        self._check_address(url)
        request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310 checked above
        for _try in range(self._endpoint.tries - 1):
            try:
                answer = self._once(request)
            except TlsError as error:
                if error.code != "issuer-unreachable":
                    raise
                self._endpoint.sleep(1.0)
                continue
            if answer.status not in _BUSY:
                return answer
            self._endpoint.sleep(_wait(answer))
        return self._once(request)

    def _check_address(self, url: str) -> None:
        """Refuse an address of an answer that urllib would read all the same: a file of this host, or one that is not protected by TLS."""
        try:
            parts = urllib.parse.urlsplit(url)
            good = bool(parts.hostname) and (
                parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(str(parts.hostname)))
            )
        except ValueError:
            good = False
        if not good:
            raise TlsError(
                f"{self.name} at {_place(self._endpoint.url)} named {clean(url)[:_MOST_SHOWN]!r}, which is not an https address",
                hint="Check the CA, and that the URL in the settings of the issuer is its own.",
                code="issuer-failed",
            )

    def _once(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=self._endpoint.timeout) as answer:
                return Answer(answer.status, _lower(answer.headers), self._body(answer))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), self._body(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._not_reached(error) from None

    def _body(self, answer: t.Any) -> bytes:
        """Return the body, at most as long as an answer may be, and at most as late."""
        deadline, body = time.monotonic() + self._endpoint.timeout, bytearray()
        while piece := answer.read1(_PIECE):
            body += piece
            if len(body) > _MOST_BYTES:
                raise TlsError(
                    f"{self.name} at {_place(self._endpoint.url)} answered with more than {_MOST_BYTES} bytes",
                    hint="Check that the URL is that of the issuer and not of a file or a web page.",
                    code="issuer-failed",
                )
            if time.monotonic() > deadline:
                raise TimeoutError
        return bytes(body)

    def _not_reached(self, error: Exception) -> TlsError:
        reason = getattr(error, "reason", error)
        place = f"{self.name} at {_place(self._endpoint.url)}"
        if isinstance(reason, ssl.SSLCertVerificationError):
            return TlsError(
                f"the TLS certificate of {place} is not accepted: {reason.verify_message}",
                hint="Set ca_content of the issuer to the CA of that certificate, and the URL to a name that is in it.",
                code="issuer-untrusted",
            )
        if isinstance(reason, (socket.timeout, TimeoutError)):
            return TlsError(
                f"{place} did not answer within {self._endpoint.timeout} seconds",
                hint="Check the issuer, then run the play again; timeout of the issuer sets how long is waited.",
                code="issuer-timeout",
            )
        if isinstance(reason, (ConnectionResetError, http.client.RemoteDisconnected, http.client.IncompleteRead)):
            return TlsError(
                f"{place} closed the connection before it had answered",
                hint="Check the issuer's log, then run the play again.",
                code="issuer-timeout",
            )
        return TlsError(
            f"{place} cannot be reached: {clean(str(getattr(reason, 'strerror', None) or reason))[:_MOST_SHOWN]}",
            hint="Check its address, and that the machine that runs Ansible reaches it; then run the play again.",
            code="issuer-unreachable",
        )


def _context(endpoint: Endpoint, name: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=endpoint.ca_content or None)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(
            f"ca_content of {name} cannot be used: it holds no certificate in PEM form",
            hint="Set it to the certificate of the CA that the issuer's own TLS certificate comes from, for example with lookup('file', ...).",
            code="issuer-settings-invalid",
        ) from error


def _place(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _lower(headers: t.Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _wait(answer: Answer) -> float:
    stated = answer.headers.get("retry-after", "")
    return min(float(stated), _LONGEST_WAIT) if stated.isdecimal() else 1.0


def shown(text: str, secrets: t.Iterable[str] = ()) -> str:
    """Return words of an issuer for a message: printable, short, without ``secrets``."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return " ".join(clean(text).split())[:_MOST_SHOWN]
