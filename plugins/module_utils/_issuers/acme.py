# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of an ACME client (RFC 8555): signed requests, identifiers, challenges. Nothing here calls anything or reads a clock.

Account keys are ECDSA P-256 (ES256), which every ACME server has to take (RFC 8555 §6.2).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t

from .._errors import TlsError
from .._pki import names
from .._pki.compat import ec, hashes, serialization
from .http import Answer, shown

_BAD_NONCE = "urn:ietf:params:acme:error:badNonce"


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
