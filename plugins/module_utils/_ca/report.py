# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the CA's modules, and the lines of their plans."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._errors import TlsError
from .._issuers import anchors
from .._pki import renewal
from .._pki.names import CLIENT_PREFIX
from .._pki.reader import CertificateView
from .._time import isoformat
from . import ledger, store

if t.TYPE_CHECKING:
    from . import create, layout, revocation, sign_batch
if t.TYPE_CHECKING:
    from . import create, revocation, sign_batch


def authorities(outcome: create.Outcome, now: datetime) -> dict[str, dict[str, t.Any]]:
    """Return all authorities by name; those that a prediction would make have empty contents."""
    result = store.describe(outcome.stored, now)
    for spec in outcome.missing:
        result.setdefault(spec.name, _predicted_authority(spec))
    return result


def without_ca(external: dict[str, dict[str, t.Any]], end: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of M(authorities) where other issuers sign everything: no CA is made.

    In: ``end`` of the ledger of their certificates.
    """
    nothing = "reasons revocations revocations_deferred revoked_certificates revoked_unknown revoked unlisted plan"
    return {
        "changed": False,
        **{name: [] for name in nothing.split()},
        "authorities": external,
        "ansible_facts": {"docker_ca_authorities": external, "docker_ca_ledger": end},
        "diff": {},
    }


def bootstrap_warnings(outcome: create.Outcome, issuers: t.Sequence[anchors.Issuer]) -> t.Iterator[str]:
    """Yield the warnings, but not that an access group is not listed whose clients another issuer signs for.

    Authorities that are still trusted after a move to another issuer are named in every run until they are given up.
    """
    external = anchors.external_names(issuers)
    for warning in outcome.warnings:
        words = warning.split()
        if words[0] != "access-group-unlisted:" or words[4] not in external:
            yield warning
    for one in issuers:
        if one.authority in external and one.trust_local_ca and one.authority in outcome.stored:
            yield (
                f"local-ca-trusted: {one.issuer} issues the certificates of {one.authority} now, and those of the CA of this collection are still "
                "accepted. When portcullis.docker_tls.status shows that all of them are replaced, set trust_local_ca: false for this issuer."
            )


def with_revocations(
    authorities: dict[str, dict[str, t.Any]], revoked: revocation.Outcome, now: datetime
) -> dict[str, dict[str, t.Any]]:
    """Return the authorities after revocations were begun: generations without members are not trusted any more.

    In a prediction the certificate of a generation that would be made is empty, so that new ones are foretold for its members.
    """
    described = {**authorities, **store.describe(revoked.stored, now, revoked.distrusted)}
    for one in revoked.revocations:
        if not one.issuing:
            described[one.authority] = {**described[one.authority], "certificate_content": "", "certificate": None}
    return described


def access_warnings(found: revocation.Outcome, *, deferred: bool) -> list[str]:
    """Return the warnings about revoked clients: those whose revocation this run does not complete, and those that are unknown."""
    warnings = [
        f"client-unknown: the client {name!r} is revoked, and the ledger has no certificate of that name, so nothing was revoked. Check how "
        "the name is written; docker_tls.ledger_info lists the certificates."
        for name in found.unknown
    ]
    for one in found.revocations if deferred else ():
        warnings.append(
            f"revocation-deferred: {', '.join(one.clients)} may still connect with certificates of {', '.join(one.generations)}. "
            "This run is limited to some hosts and cannot change that; run again without --limit."
        )
    return warnings


def generations_diff(before: store.Stored, after: store.Stored, made: t.Sequence[create.AuthoritySpec] = ()) -> t.Any:
    """Return before and after of the generations of each authority: their stages; ``made`` are those of a prediction."""
    shown = _stages(after)
    for spec in made:
        shown.setdefault(
            spec.id,
            f"{store.ACCEPTED if spec.accepted_only else store.ISSUING}, CN={spec.common_name}, {spec.key_type}",
        )
    return {"before": _stages(before), "after": shown}


def _stages(stored: store.Stored) -> dict[str, str]:
    return {
        one.id: f"{store.stage_of(one, generations)}, {_line(one.view)}"
        for generations in stored.values()
        for one in generations
    }


def _predicted_authority(spec: create.AuthoritySpec) -> dict[str, t.Any]:
    return {
        "id": spec.id,
        "name": spec.name,
        "purpose": store.purpose_of(spec.name),
        "generation": 1,
        "adopted": False,
        "certificate_content": "",
        "trusted_content": "",
        "crl_content": "",
        "certificate": None,
        "generations": [],
    }


def ledger_end(place: layout.CaDirectory, read: ledger.Scan | None = None) -> dict[str, t.Any]:
    """Return where the ledger ends; {} where it cannot be read or was tampered with, which others report.

    ``read`` is the ledger where it was read already and not written since.
    """
    try:
        found = ledger.scan(place) if read is None else read
    except TlsError:
        return {}
    return {"seq": found.head.seq, "digest": found.head.digest, "time": found.time, "restored": found.restored}


def _line(view: CertificateView) -> str:
    dates = f"from {isoformat(view.not_before)} until {isoformat(view.not_after)}"
    return f"{view.subject}, {view.key_type}, {dates}, sha256 {view.fingerprint_sha256}"


def certificates(result: sign_batch.BatchResult) -> dict[str, dict[str, t.Any]]:
    """Return the certificates of a batch by request id."""
    return {
        name: {
            "certificate_content": one.certificate_content,
            "authority_content": one.approved.authority.certificate_content if one.approved.authority else "",
            "certificate": one.view.to_dict() if one.view else None,
            "authority": one.approved.authority.id if one.approved.authority else one.approved.request.authority,
            "not_after": isoformat(one.approved.not_after),
            "common_name": one.approved.subject.common_name,
            "names": list(one.approved.subject.names),
            "left_out": [each.name for each in one.approved.left_out],
        }
        for name, one in result.signed.items()
    }


def rejected(result: sign_batch.BatchResult) -> dict[str, dict[str, str]]:
    """Return why requests of a batch were refused, by request id, in words that stand alone."""
    return {
        name: {"msg": f"no certificate is signed for {name}: {error.message}", "hint": error.hint, "code": error.code}
        for name, error in result.refused.items()
    }


def authority_lines(outcome: create.Outcome, now: datetime) -> list[str]:
    """Return one line for each new authority, and one for other changes of the CA directory."""
    lines = [
        f"new authority {spec.id}, CN {spec.common_name}, {spec.key_type}, until {renewal.day(now + spec.validity)} "
        "(authority-missing)"
        for spec in outcome.missing
    ]
    others = [reason for reason in outcome.reasons if reason != "authority-missing"]
    return [*lines, f"CA directory put in order ({', '.join(others)})"] if others else lines


def revocations(found: t.Iterable[revocation.Revocation]) -> list[str]:
    """Return one line for each authority that a revoked client has a valid certificate of."""
    return [
        f"authority {one.authority}: {one.issuing or 'a new generation'} signs, {', '.join(one.generations)} has to leave "
        f"(client-revoked: {', '.join(one.clients)})"
        for one in found
    ]


def listed(found: revocation.Outcome) -> list[str]:
    """Return one line for each certificate that is revoked by the list of its authority alone."""
    leaving = {each for one in found.revocations for each in one.generations}
    return [
        f"revocation list of {one.authority}: certificate {one.serial} (client-revoked: {one.client})"
        for one in found.listed
        if one.authority not in leaving
    ]


def certificate_lines(result: sign_batch.BatchResult) -> list[str]:
    """Return one line for each certificate that is (would be) issued: names, issuer, end, fingerprint."""
    return [_certificate_line(name, one) for name, one in result.signed.items()]


def _certificate_line(name: str, one: sign_batch.Signed) -> str:
    wanted = one.approved
    authority = wanted.authority.id if wanted.authority else wanted.request.authority
    shown = [each for each in wanted.subject.names if not each.startswith(CLIENT_PREFIX)]
    named = f", SAN {' '.join(shown)}" if shown else ""
    text = f"{name}: CN {wanted.subject.common_name}{named}, issuer {authority}, until {isoformat(wanted.not_after)}"
    return f"{text}, sha256 {one.view.fingerprint_sha256}" if one.view else text
