# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ACME client (RFC 8555): account, order, http-01, certificate. It runs on the host that the certificate is for.

Each host has an account key of its own: with one for a fleet, step-ca fails under concurrent orders (measured). Authorizations that are
valid already are not validated again. An order that the CA refuses is not repeated.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import TlsError
from .._pki import reader, verify
from . import acme
from .http import Answer, Caller, Endpoint

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
        payload: dict[str, t.Any] = {"identifiers": acme.identifiers(wanted)}
        if self._settings.profile:
            payload["profile"] = self._settings.profile
        made = self._post(self._directory["newOrder"], payload, "the order")
        order, place = made.json(), made.headers.get("location", "")
        for url in order.get("authorizations") or ():
            self._authorize(str(url), offer)
        order = self._wait(place, "the order", ("ready", "valid"))
        if order["status"] == "ready":
            self._post(str(order.get("finalize")), {"csr": acme.base64url(request_der)}, "the request")
            order = self._wait(place, "the order", ("valid",))
        return self._chain(str(order.get("certificate")), anchors)

    def _register(self) -> None:
        payload: dict[str, t.Any] = {"termsOfServiceAgreed": True}
        if self._settings.contact:
            payload["contact"] = list(self._settings.contact)
        if self._settings.eab_kid:
            payload["externalAccountBinding"] = acme.external_account(
                self._settings.eab_kid, self._settings.eab_key, self._key, self._directory["newAccount"]
            )
        answer = self._post(self._directory["newAccount"], payload, "the account")
        self._account = answer.headers.get("location", "")

    def _authorize(self, url: str, offer: Offer) -> None:
        found = self._post(url, None, "the authorization").json()
        if found.get("status") == "valid":
            return
        name = str((found.get("identifier") or {}).get("value"))
        challenge = acme.http_challenge(found)
        if challenge is None:
            raise TlsError(
                f"the issuer acme offers no http-01 challenge for {name}",
                hint="Only http-01 is answered here. Authorize the name with the CA beforehand, or choose another issuer.",
                code="challenge-not-offered",
            )
        token = str(challenge["token"])
        offer(token, f"{token}.{acme.thumbprint(self._key)}")
        self._post(str(challenge["url"]), {}, f"the challenge for {name}")
        self._wait(url, f"the name {name}", ("valid",))

    def _wait(self, url: str, what: str, states: t.Container[str]) -> dict[str, t.Any]:
        for _look in range(_MOST_POLLS):
            found = self._post(url, None, what).json()
            if found.get("status") in states:
                return found
            if found.get("status") in ("invalid", "deactivated", "expired", "revoked"):
                raise acme.refusal(_reason(found), 0, what, (self._settings.eab_key,))
            self._settings.endpoint.sleep(self._settings.poll)
        raise TlsError(
            f"the issuer acme has not decided about {what} after {_MOST_POLLS} queries",
            hint="Check the CA's log, then run the play again.",
            code="issuer-timeout",
        )

    def _chain(self, url: str, anchors: t.Sequence[t.Any]) -> str:
        answer = self._post(url, None, "the certificate")
        first = answer.body.decode("ascii", "replace")
        for text in (first, *(self._text(link) for link in acme.alternates(answer))):
            leaf, *links = reader.load_certificates(text, f"the certificate from {_NAME}")
            if not anchors or verify.leads_to(leaf, links, anchors):
                return text
        return first  # the controller's check reports its problem

    def _text(self, url: str) -> str:
        return self._post(url, None, "the certificate").body.decode("ascii", "replace")

    def _post(self, url: str, payload: t.Any, what: str) -> Answer:
        """Return a good answer. A nonce that the server has forgotten is not a refusal: the request is sent again with a new one."""
        for _try in range(4):
            if not self._nonce:
                found = self._caller.call("HEAD", self._directory["newNonce"], {})
                self._nonce = found.headers.get("replay-nonce", "")
            body = acme.signed(self._key, self._account, self._nonce, url, payload)
            answer = self._caller.call("POST", url, {"Content-Type": "application/jose+json"}, body)
            self._nonce = answer.headers.get("replay-nonce", "")
            if not acme.is_bad_nonce(answer):
                break
        if answer.status >= 300:
            raise acme.refusal(answer.json(), answer.status, what, (self._settings.eab_key,))
        return answer


_RESOURCES = ("newNonce", "newAccount", "newOrder")


def _reason(found: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the problem document of an object that is invalid: its own, or that of a challenge."""
    places = [found, *(one for one in found.get("challenges") or () if isinstance(one, dict))]
    return next((one["error"] for one in places if isinstance(one.get("error"), dict)), {})
