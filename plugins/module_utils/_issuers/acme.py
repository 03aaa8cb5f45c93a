# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""ACME (RFC 8555): messages, the client, and an order from key to certificate.

Account keys are ECDSA P-256 (ES256), which every ACME server has to take (RFC 8555 §6.2).

Each host has an account key of its own: with one for a fleet, step-ca fails under concurrent orders (measured). Authorizations that are
valid already are not validated again. An order that the CA refuses is not repeated.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import hmac
import http.server
import json
import os
import socket
import threading
import typing as t
from dataclasses import dataclass, field

from .. import _files
from .._argument_specs import CRYPTOGRAPHY_OPTION
from .._errors import TlsError
from .._host.file_owner import read_regular
from .._pki import keys, names, reader, signing, verify
from .._pki.compat import ec, hashes, serialization
from .http import Answer, Caller, Endpoint, check_url, shown

_BAD_NONCE = "urn:ietf:params:acme:error:badNonce"
#: How often a request is sent until the server takes its nonce; a server that forgets every fifth refuses four in a row once in 600 requests.
_MOST_NONCES = 8


def base64url(data: bytes) -> str:
    """Return ``data`` in the alphabet of URLs, without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Return the bytes of such a text; padding may be there or not. Raises ValueError."""
    return base64.b64decode(text.strip().rstrip("=") + "=" * (-len(text.strip().rstrip("=")) % 4), b"-_", validate=True)


def public_jwk(key: t.Any) -> dict[str, str]:
    """Return the public key of an account as a JSON web key, members in the order of its thumbprint (RFC 7638 §3)."""
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return {"crv": "P-256", "kty": "EC", "x": base64url(point[1:33]), "y": base64url(point[33:65])}


def thumbprint(key: t.Any) -> str:
    """Return the thumbprint of the account's key for a challenge (RFC 7638)."""
    return base64url(hashlib.sha256(_compact(public_jwk(key))).digest())


def signed(key: t.Any, account: str, nonce: str, url: str, payload: t.Any) -> bytes:
    """Return the body of a request (RFC 8555 §6.2). ``account`` is its URL, "" before there is one; payload None is POST-as-GET."""
    header: dict[str, t.Any] = {"alg": "ES256", "nonce": nonce, "url": url}
    header.update({"kid": account} if account else {"jwk": public_jwk(key)})
    body = "" if payload is None else base64url(_compact(payload))
    protected = base64url(_compact(header))
    der = key.sign(f"{protected}.{body}".encode("ascii"), ec.ECDSA(hashes.SHA256()))
    return _compact({"protected": protected, "payload": body, "signature": base64url(_fixed(der))})


def external_account(identifier: str, secret: str, key: t.Any, url: str) -> dict[str, str]:
    """Return the binding of a new account to one that the CA knows (RFC 8555 §7.3.4). Raises TlsError ``issuer-settings-invalid``."""
    try:
        mac_key = from_base64url(secret)
    except ValueError as error:
        raise TlsError(
            "eab_key of the issuer acme is not in base64url form",
            hint="Take the HMAC key as the CA shows it.",
            code="issuer-settings-invalid",
        ) from error
    protected = base64url(_compact({"alg": "HS256", "kid": identifier, "url": url}))
    payload = base64url(_compact(public_jwk(key)))
    mac = hmac.new(mac_key, f"{protected}.{payload}".encode("ascii"), hashlib.sha256).digest()
    return {"protected": protected, "payload": payload, "signature": base64url(mac)}


def identifiers(wanted: t.Iterable[str]) -> list[dict[str, str]]:
    """Return names and addresses as an order has them (RFC 8555 §7.1.3, RFC 8738 for addresses)."""
    return [{"type": "ip" if names.address_or_none(name) is not None else "dns", "value": name} for name in wanted]


def is_bad_nonce(answer: Answer) -> bool:
    """Return whether the request may be sent again with the nonce of this answer (RFC 8555 §6.5)."""
    return answer.status == 400 and answer.json().get("type") == _BAD_NONCE


def refusal(found: t.Mapping[str, t.Any], status: int, what: str, secrets: t.Sequence[str] = ()) -> TlsError:
    """Return the error of a problem document (RFC 7807); its subproblems name the identifiers."""
    parts = [found, *(one for one in found.get("subproblems") or () if isinstance(one, dict))]
    said = []
    for part in parts:
        identifier = part.get("identifier")
        where = f"{identifier.get('value')}: " if isinstance(identifier, dict) else ""
        kind = str(part.get("type") or "").rpartition(":")[2]
        said.append(f"{where}{kind} {part.get('detail') or ''}".strip())
    kind = str(found.get("type") or "").rpartition(":")[2]
    hints = {
        "rateLimited": "The CA limits how often it is asked. Wait for the time that it names; hosts keep their certificates.",
        "externalAccountRequired": "Set eab_kid and eab_key of the issuer to the values that the CA has given you for external account binding.",
        "rejectedIdentifier": "The CA does not issue for this name. Take it out of docker_server_cert_names, or change the CA's policy.",
        "badCSR": "Choose another docker_server_cert_key_type, or compare the names of the host with those that the CA allows. OpenBao needs a role as in "
        "docs/issuers.md.",
        "unauthorized": "Check that the CA reaches this host on port 80 by the name, that no other program answers there, and the EAB credentials.",
        "connection": "The CA has to reach this host on port 80 by each of its names and addresses.",
        "dns": "The CA cannot resolve the name. Correct the DNS, or take the name out of the certificate.",
    }
    return TlsError(
        f"{what} was refused by the issuer acme ({status}): {shown('; '.join(said) or 'no reason given', secrets)}",
        hint=hints.get(kind, "Check the CA's log, then run the play again."),
        code="issuer-refused",
    )


def http_challenge(authorization: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any] | None:
    """Return the challenge http-01 of an authorization, None where the CA does not offer it."""
    offered = authorization.get("challenges")
    found = [one for one in offered if isinstance(one, dict)] if isinstance(offered, list) else []
    return next((one for one in found if one.get("type") == "http-01" and isinstance(one.get("token"), str)), None)


def alternates(answer: Answer) -> list[str]:
    """Return the addresses of other chains for the same certificate (RFC 8555 §7.4.2)."""
    links = answer.headers.get("link", "").split(",")
    return [link.split(";")[0].strip().strip("<>") for link in links if 'rel="alternate"' in link.replace(" ", "")]


def _compact(value: t.Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("utf-8")


def _fixed(der: bytes) -> bytes:
    """Return an ECDSA signature as two numbers of 32 bytes (RFC 7518 §3.4)."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


_MOST_POLLS = 120
_NAME = "the issuer acme"


@dataclass(frozen=True)
class Settings:
    """The CA's directory, and how a new account is made. ``poll`` seconds are waited between two queries of an order."""

    endpoint: Endpoint
    contact: tuple[str, ...] = ()
    eab_kid: str = ""
    eab_key: str = field(default="", repr=False)
    profile: str = ""
    poll: float = 1.0


#: Makes the answer to a token available, before the CA is asked to check it.
Offer = t.Callable[[str, str], None]


class Client:
    """One account with one CA."""

    def __init__(self, settings: Settings, key: t.Any) -> None:
        self._settings = settings
        self._caller = Caller(settings.endpoint, _NAME)
        self._key = key
        self._account = ""
        self._nonce = ""
        answer = self._caller.call("GET", settings.endpoint.url, {})
        self._directory = answer.json()
        if answer.status != 200 or not all(isinstance(self._directory.get(name), str) for name in _RESOURCES):
            raise TlsError(
                f"{settings.endpoint.url} is not the directory of an ACME server ({answer.status})",
                hint="Set directory of the issuer to the URL that the CA's documentation calls its ACME directory.",
                code="issuer-settings-invalid",
            )

    def certificate(
        self, request_der: bytes, wanted: t.Sequence[str], offer: Offer, anchors: t.Sequence[t.Any] = ()
    ) -> str:
        """Return the certificate and its chain as PEM; of several chains the first that leads to one of ``anchors``.

        Raises TlsError ``issuer-refused``, ``issuer-failed``, ``challenge-not-offered`` and those of ``Caller.call``.
        """
        try:
            return self._certificate(request_der, wanted, offer, anchors)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # Every object of an answer is read as RFC 8555 describes it; what lacks a member or has another type ends here.
            raise TlsError(
                f"{_NAME} at {self._settings.endpoint.url} answered with an object that is not in the form of RFC 8555 ({type(error).__name__})",
                hint="Check that directory of the issuer is that of an ACME server, and its log; then run the play again.",
                code="issuer-failed",
            ) from error

    def _certificate(
        self, request_der: bytes, wanted: t.Sequence[str], offer: Offer, anchors: t.Sequence[t.Any]
    ) -> str:
        self._register()
        payload: dict[str, t.Any] = {"identifiers": identifiers(wanted)}
        if self._settings.profile:
            payload["profile"] = self._settings.profile
        made = self._post(self._directory["newOrder"], payload, "the order")
        order, place = made.json(), made.headers.get("location", "")
        for url in order.get("authorizations") or ():
            self._authorize(str(url), offer)
        order = self._wait(place, "the order", ("ready", "valid"))
        if order["status"] == "ready":
            self._post(str(order.get("finalize")), {"csr": base64url(request_der)}, "the request")
            order = self._wait(place, "the order", ("valid",))
        return self._chain(str(order.get("certificate")), anchors)

    def _register(self) -> None:
        payload: dict[str, t.Any] = {"termsOfServiceAgreed": True}
        if self._settings.contact:
            payload["contact"] = list(self._settings.contact)
        if self._settings.eab_kid:
            payload["externalAccountBinding"] = external_account(
                self._settings.eab_kid, self._settings.eab_key, self._key, self._directory["newAccount"]
            )
        answer = self._post(self._directory["newAccount"], payload, "the account")
        self._account = answer.headers.get("location", "")

    def _authorize(self, url: str, offer: Offer) -> None:
        found = self._post(url, None, "the authorization").json()
        if found.get("status") == "valid":
            return
        name = str((found.get("identifier") or {}).get("value"))
        challenge = http_challenge(found)
        if challenge is None:
            raise TlsError(
                f"the issuer acme offers no http-01 challenge for {name}",
                hint="Only http-01 is answered here. Authorize the name with the CA beforehand, or choose another issuer.",
                code="challenge-not-offered",
            )
        token = str(challenge["token"])
        offer(token, f"{token}.{thumbprint(self._key)}")
        self._post(str(challenge["url"]), {}, f"the challenge for {name}")
        self._wait(url, f"the name {name}", ("valid",))

    def _wait(self, url: str, what: str, states: t.Container[str]) -> dict[str, t.Any]:
        for _look in range(_MOST_POLLS):
            found = self._post(url, None, what).json()
            if found.get("status") in states:
                return found
            if found.get("status") in ("invalid", "deactivated", "expired", "revoked"):
                raise refusal(_reason(found), 0, what, (self._settings.eab_key,))
            self._settings.endpoint.sleep(self._settings.poll)
        raise TlsError(
            f"the issuer acme has not decided about {what} after {_MOST_POLLS} queries",
            hint="Check the CA's log, then run the play again.",
            code="issuer-timeout",
        )

    def _chain(self, url: str, anchors: t.Sequence[t.Any]) -> str:
        answer = self._post(url, None, "the certificate")
        first = answer.body.decode("ascii", "replace")
        for text in (first, *(self._text(link) for link in alternates(answer))):
            leaf, *links = reader.load_certificates(text, f"the certificate from {_NAME}")
            if not anchors or verify.leads_to(leaf, links, anchors):
                return text
        return first  # the controller's check reports its problem

    def _text(self, url: str) -> str:
        return self._post(url, None, "the certificate").body.decode("ascii", "replace")

    def _post(self, url: str, payload: t.Any, what: str) -> Answer:
        """Return a good answer. A nonce that the server has forgotten is not a refusal: the request is sent again with a new one."""
        for _try in range(_MOST_NONCES):
            if not self._nonce:
                found = self._caller.call("HEAD", self._directory["newNonce"], {})
                self._nonce = found.headers.get("replay-nonce", "")
            body = signed(self._key, self._account, self._nonce, url, payload)
            answer = self._caller.call("POST", url, {"Content-Type": "application/jose+json"}, body)
            self._nonce = answer.headers.get("replay-nonce", "")
            if not is_bad_nonce(answer):
                break
        if answer.status >= 300:
            raise refusal(answer.json(), answer.status, what, (self._settings.eab_key,))
        return answer


_RESOURCES = ("newNonce", "newAccount", "newOrder")


def _reason(found: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the problem document of an object that is invalid: its own, or that of a challenge."""
    places = [found, *(one for one in found.get("challenges") or () if isinstance(one, dict))]
    return next((one["error"] for one in places if isinstance(one.get("error"), dict)), {})


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
def listening(port: int) -> t.Iterator[Offer]:
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
def serving(webroot: str) -> t.Iterator[Offer]:
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
    settings = Settings(
        Endpoint(options["directory"], options["ca_content"], options["timeout"], sleep=sleep),
        **{name: options[name] for name in ("eab_kid", "eab_key", "profile")},
        contact=tuple(options["contact"]),
    )
    anchors = options["anchors_content"].strip()
    trusted = reader.load_certificates(anchors, "the anchors of the issuer acme") if anchors else []
    client = Client(settings, _account_key(options["account_directory"], options["directory"]))
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
