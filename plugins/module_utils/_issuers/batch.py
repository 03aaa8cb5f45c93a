# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch of requests for other issuers, and the settings of the issuer of each.

Every host has its own fate: what one issuer refuses, or does not answer, is the refusal of the requests that it was asked for.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._ca import policy
from .._ca.policy import SIGNING_OPTIONS
from .._errors import TlsError
from .._pki.compat import x509
from .._pki.renewal import authority_text
from .._time import isoformat
from . import answer, openbao
from .answer import load_anchors

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
    files: answer.Settings | None = None


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
    pending: tuple[answer.Order, ...] = ()
    warnings: tuple[str, ...] = ()


def issue(batch: Batch, now: datetime) -> Outcome:
    """Return the certificates; with ``rules.predicting`` no issuer is asked, and the orders are ``pending``.

    Raises TlsError ``request-duplicate``. Everything else is the refusal of one request.
    """
    approved = answer.approve(batch.requests, batch.renew_before, batch.rules, now)
    refused = dict(approved.refused)
    wanted: dict[str, list[answer.Order]] = {}
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


def _check_source(order: answer.Order, source: Source | None) -> None:
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
        answer.check_request_names(order, f"the issuer {source.kind}")


def _asked(source: Source, several: t.Sequence[answer.Order], now: datetime) -> dict[str, str | TlsError]:
    if source.openbao is not None:
        return openbao.place(several, source.openbao, lambda order, text: _fault_of_all(order, text, source, now))
    if source.files is not None:
        return answer.place(several, source.files)
    return {}


def _fault_of_all(order: answer.Order, found: str, source: Source, now: datetime) -> TlsError | None:
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


def _accept(order: answer.Order, found: str, source: Source, now: datetime) -> answer.Accepted:
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


def _predicted(order: answer.Order, now: datetime) -> dict[str, t.Any]:
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


#: One entry of ``requests`` of M(issued_certificates): that of M(signed_certificates), but for what only a CA of ours can do.
REQUEST_OPTIONS: dict[str, t.Any] = {
    **{
        name: one
        for name, one in SIGNING_OPTIONS.items()
        if name not in ("expired", "revoked", "generation", "replaces")
    },
    "renew_before": {"type": "str", "default": "1/3"},
}
#: One entry of its ``issuers``.
ISSUER_OPTIONS: dict[str, t.Any] = {
    "authority": {"type": "str", "required": True},
    "issuer": {"type": "str", "required": True, "choices": ["openbao", "acme", "tasks", "files"]},
    "ca_content": {"type": "str", "required": True},
    "openbao": {"type": "dict", "options": openbao.OPTIONS},
    "files": {"type": "dict", "options": answer.OPTIONS},
}


def sources(given: t.Sequence[t.Mapping[str, t.Any]], sleep: t.Callable[[float], None]) -> dict[str, Source]:
    """Return the issuers by authority. In: the option ``issuers`` of M(issued_certificates), with defaults.

    Raises TlsError ``issuer-settings-invalid``, ``issuer-url-invalid``, ``anchor-unsuitable``, ``certificate-unreadable``.
    """
    found: dict[str, Source] = {}
    for options in given:
        authority, kind = options["authority"], options["issuer"]
        what = f"the issuer {kind} of {authority}"
        if authority in found:
            raise _invalid(f"{authority} has two issuers", "Leave one entry for each authority.")
        for engine in ("openbao", "files"):
            if (kind == engine) != (options[engine] is not None):
                problem = "lacks" if kind == engine else "also has"
                raise _invalid(
                    f"{what} {problem} the settings {engine}", f"Give them with the issuer {engine}, and with no other."
                )
        anchors = tuple(load_anchors(options["ca_content"], f"ca_content of {what}"))
        settings = openbao.settings_from(options["openbao"], what, sleep) if kind == "openbao" else None
        files = answer.settings_from(options["files"], what) if kind == "files" else None
        found[authority] = Source(authority, kind, anchors, settings, files)
    return found


def answers(given: t.Mapping[str, t.Any]) -> dict[str, str | TlsError]:
    """Return the answers that exist already, by request id. Raises TlsError ``answer-invalid`` for a wrong form."""
    return {str(name): _answer(str(name), one) for name, one in given.items()}


def _answer(name: str, one: t.Any) -> str | TlsError:
    if isinstance(one, t.Mapping):
        content = one.get("certificate_content")
        if isinstance(content, str) and content.strip():
            return content
        if one.get("msg"):
            hint = str(one.get("hint") or "Check the output of your issuer, then run the play again.")
            return TlsError(str(one["msg"]), hint=hint, code=str(one.get("code") or "issuer-refused"))
    raise TlsError(
        f"the answer for {name} is neither a certificate nor a reason why there is none",
        hint="Give each answer certificate_content (the leaf and its chain as PEM), or msg and hint.",
        code="answer-invalid",
    )


def without(options: t.Mapping[str, t.Any], *names: str) -> dict[str, t.Any]:
    """Return ``options`` but for ``names``."""
    return {name: value for name, value in options.items() if name not in names}


def _invalid(problem: str, hint: str) -> TlsError:
    return TlsError(problem, hint=hint, code="issuer-settings-invalid")
