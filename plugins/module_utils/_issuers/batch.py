# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch of requests to other issuers: rules for names, orders to each issuer, one check of what came back.

Every host has its own fate: what one issuer refuses, or does not answer, is the refusal of the requests that it was asked for.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._ca import policy
from .._errors import TlsError
from .._pki.compat import x509
from .._pki.plan_text import authority_text
from .._time import isoformat
from . import answer, openbao, orders, own_files

_USAGE_HINTS = {
    "acme": "Choose a profile or a CA whose certificates have serverAuth alone; most ACME servers decide that, and not the request.",
    "tasks": "Have your tasks ask for one usage: extendedKeyUsage=serverAuth for a server, clientAuth for a client.",
    "files": "Have the certificate made with one usage: extendedKeyUsage=serverAuth for a server, clientAuth for a client.",
}


@dataclass(frozen=True)
class Source:
    """The issuer of one authority (``server`` or an access group): its kind, its anchors, and where OpenBao or the files are."""

    authority: str
    kind: str
    anchors: tuple[x509.Certificate, ...]
    openbao: openbao.Settings | None = None
    files: own_files.Settings | None = None


@dataclass(frozen=True)
class Batch:
    """A batch of orders. ``answers``: by request id the certificates (PEM) that an issuer has given already, or why there are none."""

    requests: t.Sequence[policy.SigningRequest]
    renew_before: t.Mapping[str, str]
    sources: t.Mapping[str, Source]
    rules: policy.Rules
    answers: t.Mapping[str, str | TlsError] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Certificates by request id, why others have none, orders that await an answer, and warnings."""

    accepted: t.Mapping[str, answer.Accepted]
    refused: t.Mapping[str, TlsError]
    left_out: t.Mapping[str, tuple[str, ...]]
    pending: tuple[orders.Order, ...] = ()
    warnings: tuple[str, ...] = ()


def issue(batch: Batch, now: datetime) -> Outcome:
    """Return the certificates; with ``rules.predicting`` no issuer is asked, and the orders are ``pending``.

    Raises TlsError ``request-duplicate``. Everything else is the refusal of one request.
    """
    approved = orders.approve(batch.requests, batch.renew_before, batch.rules, now)
    refused = dict(approved.refused)
    wanted: dict[str, list[orders.Order]] = {}
    for order in approved.orders:
        source = batch.sources.get(order.authority)
        try:
            _check_source(order, source)
        except TlsError as error:
            refused[order.id] = error
            continue
        wanted.setdefault(order.authority, []).append(order)
    placed = [one for several in wanted.values() for one in several]
    if batch.rules.predicting:
        return Outcome({}, refused, approved.left_out, tuple(placed), approved.warnings)
    answers = dict(batch.answers)
    for authority, several in wanted.items():
        left = [one for one in several if one.id not in answers]
        answers.update(_asked(batch.sources[authority], left, now))
    accepted: dict[str, answer.Accepted] = {}
    for order in placed:
        found = answers.get(order.id)
        if isinstance(found, TlsError):
            refused[order.id] = found
        elif found is not None:
            try:
                accepted[order.id] = _accept(order, found, batch.sources[order.authority], now)
            except TlsError as error:
                refused[order.id] = error
    pending = tuple(one for one in placed if one.id not in accepted and one.id not in refused)
    warnings = [*approved.warnings, *(text for one in accepted.values() for text in one.warnings)]
    return Outcome(accepted, refused, approved.left_out, pending, tuple(warnings))


def _check_source(order: orders.Order, source: Source | None) -> None:
    if source is None:
        raise TlsError(
            f"no issuer is known for {order.authority}",
            hint="Give issuers an entry for it, or leave the request to the CA.",
            code="issuer-unknown",
        )
    if source.kind == "acme" and order.profile == "client":
        raise TlsError(
            "ACME does not issue client certificates",
            hint=f"Choose another issuer for the access group {order.authority}: local, openbao, tasks or files.",
            code="issuer-unsuitable",
        )
    if source.kind in ("tasks", "files") and order.request_content:
        orders.check_request_names(order, f"the issuer {source.kind}")


def _asked(source: Source, several: t.Sequence[orders.Order], now: datetime) -> dict[str, str | TlsError]:
    if source.openbao is not None:
        return openbao.place(several, source.openbao, lambda order, text: _fault_of_all(order, text, source, now))
    if source.files is not None:
        return own_files.place(several, source.files)
    return {}


def _fault_of_all(order: orders.Order, found: str, source: Source, now: datetime) -> TlsError | None:
    """Return why no further certificates are asked for after ``found``, None where they may be good."""
    if not answer.concerns_all(order, found, source.anchors):
        return None
    try:
        _accept(order, found, source, now)
    except TlsError as error:
        return TlsError(
            f"it was not asked for, because the certificate that {order.requester} got has a fault that this one would have too: {error.message}",
            hint=error.hint,
            code=error.code,
        )
    return None


def _accept(order: orders.Order, found: str, source: Source, now: datetime) -> answer.Accepted:
    usage_hint = openbao.usage_hint(source.openbao) if source.openbao is not None else _USAGE_HINTS.get(source.kind, "")
    return answer.accept(order, found, source.anchors, now, issuer=f"the issuer {source.kind}", usage_hint=usage_hint)


def certificates(
    outcome: Outcome, sources: t.Mapping[str, Source], now: datetime, *, predicting: bool
) -> dict[str, dict[str, t.Any]]:
    """Return the certificates by request id, shaped as those of M(signed_certificates); a prediction's have no contents."""
    found = {one.order.id: _certificate(one) for one in outcome.accepted.values()}
    if predicting:
        found = {order.id: _predicted(order, now) for order in outcome.pending}
    of = {order.id: order for order in (*outcome.pending, *(one.order for one in outcome.accepted.values()))}
    return {
        name: {
            **one,
            "authority": _signer(one, sources[of[name].authority].kind),
            "issuer": sources[of[name].authority].kind,
            "left_out": list(outcome.left_out.get(name, ())),
        }
        for name, one in found.items()
    }


def _signer(one: t.Mapping[str, t.Any], kind: str) -> str:
    """Return a name of the issuer for people: the issuing CA and the kind of the issuer."""
    certificate = one["certificate"]
    return f"{authority_text(certificate['issuer'])} ({kind})" if certificate else kind


def _certificate(one: answer.Accepted) -> dict[str, t.Any]:
    return {
        "certificate_content": one.certificate_content,
        "authority_content": one.authority_content,
        "certificate": one.view.to_dict(),
        "not_after": isoformat(one.view.not_after),
        "common_name": one.view.common_name,
        "names": list(one.view.names),
    }


def _predicted(order: orders.Order, now: datetime) -> dict[str, t.Any]:
    return {
        "certificate_content": "",
        "authority_content": "",
        "certificate": None,
        "not_after": isoformat(now + order.validity),
        "common_name": order.common_name,
        "names": list(order.names),
    }


def plan(outcome: Outcome) -> list[str]:
    """Return one line for each certificate: its purpose, its end, and its fingerprint."""
    return [
        f"certificate for {name}: CN {one.view.common_name or '-'}, until {isoformat(one.view.not_after)}, issuer {one.view.issuer}, "
        f"sha256 {one.view.fingerprint_sha256}"
        for name, one in outcome.accepted.items()
    ] + [f"certificate for {order.id}: {' '.join(order.names)}" for order in outcome.pending]


def rejected(outcome: Outcome) -> dict[str, dict[str, str]]:
    """Return why requests have no certificate, by id, in words that stand alone."""
    return {
        name: {"msg": f"no certificate is issued for {name}: {error.message}", "hint": error.hint, "code": error.code}
        for name, error in outcome.refused.items()
    }


def pending(outcome: Outcome) -> list[dict[str, t.Any]]:
    """Return the orders that await an answer, as the user's tasks get them: names and validity are the controller's words."""
    return [
        {
            "id": order.id,
            "host": order.requester,
            "authority": order.authority,
            "profile": order.profile,
            "request_content": order.request_content,
            "common_name": order.common_name,
            "names": list(order.names),
            "validity_seconds": int(order.validity.total_seconds()),
        }
        for order in outcome.pending
    ]
