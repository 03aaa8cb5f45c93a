# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The orders for an issuer: requests after the rules for names, as each engine gets them.

Names, profile and validity are the controller's words. Of the CSR only the public key counts here; an engine that takes the names
from the CSR is asked only where they are the same (``check_request_names``).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .._ca import ledger, name_ownership, policy, reported_names
from .._errors import TlsError
from .._pki import keys, names, reader, signing
from .._text_table import clean
from .._time import parse_duration


@dataclass(frozen=True)
class Order:
    """One certificate to issue. ``authority`` is ``server`` or the access group, which selects the issuer."""

    id: str
    authority: str
    profile: str
    requester: str
    request_content: str
    public_key_fingerprint: str
    common_name: str
    names: tuple[str, ...]
    validity: timedelta
    renew_before: str
    #: The names that the CSR itself has, and the attributes of its subject; empty in a prediction.
    request_names: tuple[str, ...] = ()
    request_subject: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Approved:
    """Orders to be placed, why other requests were refused (by id), which reported names are left out, and warnings."""

    orders: tuple[Order, ...]
    refused: t.Mapping[str, TlsError]
    left_out: t.Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]


def approve(
    requests: t.Sequence[policy.SigningRequest], renew_before: t.Mapping[str, str], rules: policy.Rules, now: datetime
) -> Approved:
    """Return the orders for ``requests``, by the same rules for names as the CA of the collection has, but for its ledger.

    In: ``renew_before`` by request id. Raises TlsError ``request-duplicate``.
    """
    # No authority of ours signs: the rules treat that as a prediction, and the missing CSR is refused here.
    approved, refused = policy.assess(requests, stored={}, rules=replace(rules, predicting=True), now=now)
    if not rules.predicting:
        for one in approved:
            if one.public_key is None:
                refused[one.request.id] = _without_request()
    found = ledger.EMPTY
    approved = [one for one in approved if one.request.id not in refused]
    refused.update(name_ownership.refusals(approved, found, rules, now))
    approved = [one for one in approved if one.request.id not in refused]
    settled, nameless = name_ownership.settle(approved, found, rules, now)
    refused.update(nameless)
    return Approved(
        tuple(_order(one, renew_before.get(one.request.id, "1/3")) for one in settled),
        refused,
        {one.request.id: tuple(each.name for each in one.left_out) for one in settled},
        tuple(reported_names.warnings(settled)),
    )


def check_request_names(order: Order, engine: str) -> None:
    """Raise TlsError ``request-names-differ`` where the CSR has another subject or other names than the certificate may have.

    ``engine`` is the name in the message of the engine that would take the names from the CSR.
    """
    more = sorted(set(order.request_names) - set(order.names))
    missing = sorted(set(order.names) - set(order.request_names))
    if not more and not missing:
        _check_subject(order, engine)
        return
    parts = [f"also has {', '.join(more)}"] if more else []
    parts += [f"lacks {', '.join(missing)}"] if missing else []
    raise TlsError(
        f"the request of {order.requester} {' and '.join(parts)}, and {engine} takes the names from the request",
        hint="Add the names to docker_server_cert_names of the host that they belong to, or choose with docker_server_cert_addresses "
        "which addresses the host puts into its request.",
        code="request-names-differ",
    )


def _check_subject(order: Order, engine: str) -> None:
    allowed = {order.common_name.lower(), *(order.names if order.profile == "server" else ())}
    kinds = [kind for kind, _value in order.request_subject]
    if kinds != ["CN"] or order.request_subject[0][1].lower() not in allowed:
        subject = ", ".join(f"{kind}={clean(value)}" for kind, value in order.request_subject)
        raise TlsError(
            f"the request of {order.requester} has the subject {subject or 'without a name'!r} instead of CN={order.common_name}, and {engine} takes the "
            "subject from the request",
            hint="The roles make requests with the common name alone. Find out what has changed the request on that host; nothing was sent to the CA.",
            code="request-names-differ",
        )


def optional_names(order: Order) -> frozenset[str]:
    """Return names that a certificate may have beside those of the order: a client is known by its common name."""
    return names.client_spellings(order.common_name) if order.profile == "client" else frozenset()


def required_names(order: Order) -> tuple[str, ...]:
    """Return names that the certificate has to have: those of a server; a client is known by its common name."""
    return order.names if order.profile == "server" else ()


def _without_request() -> TlsError:
    return TlsError(
        "its CSR is missing",
        hint="Nothing was signed. Run the play again, so that the host makes a new request.",
        code="request-invalid",
    )


def _order(one: policy.Approved, renew_before: str) -> Order:
    request = one.request
    asked: tuple[str, ...] = ()
    subject: tuple[tuple[str, str], ...] = ()
    fingerprint = ""
    if one.public_key is not None:
        fingerprint = keys.public_key_fingerprint(one.public_key)
        loaded = signing.load_request(request.request_content, "its CSR")
        asked = reader.request_names(loaded)
        subject = tuple((each.rfc4514_attribute_name, str(each.value)) for each in loaded.subject)
    return Order(
        id=request.id,
        authority=request.authority,
        profile=request.profile,
        requester=request.owner,
        request_content=request.request_content,
        public_key_fingerprint=fingerprint,
        common_name=one.subject.common_name,
        names=one.subject.names,
        validity=parse_duration(request.validity, "validity"),
        renew_before=renew_before,
        request_names=asked,
        request_subject=subject,
    )
