# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The situation of one authority's rotation, from the data of a fleet."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta

from .._ca.access import ledger_time
from .._errors import TlsError
from .._fleet import collect, model
from .._pki import der_name, verify
from . import phases

Mapping = t.Mapping[str, t.Any]
_UNIT = re.compile(r"(?:^|,)OU=(?P<id>[a-z0-9][a-z0-9_-]*-g[0-9]+)(?:,|$)")
_TEMPORARY = "temporary-client"


class Known:
    """The generations of one authority: recognised by their certificates, and the retired ones by the unit in their name."""

    def __init__(self, name: str, generations: t.Sequence[Mapping]) -> None:
        self.name = name
        self.by_print: dict[str, str] = {}
        self.by_subject: dict[bytes, str] = {}
        self.certificates: list[tuple[str, model.Certificate]] = []
        for one in generations:
            certificate = collect.certificates_from_pem(one["certificate_content"], f"the authority {one['id']}")[0]
            self.by_print[certificate.view.fingerprint_sha256] = one["id"]
            self.by_subject[certificate.raw.subject.public_bytes()] = one["id"]
            self.certificates.append((one["id"], certificate))

    def end_of(self, identifier: str) -> datetime:
        """Return until when a generation is valid."""
        return next(one.view.not_after for name, one in self.certificates if name == identifier)

    def anchors(self, found: t.Iterable[model.Certificate]) -> frozenset[str]:
        """Return which generations are among the certificates of a file; those of other authorities do not count."""
        ids = (self.by_print.get(one.view.fingerprint_sha256) or self._unit(one.view.subject) for one in found)
        return frozenset(one for one in ids if one)

    def advertised(self, names: t.Iterable[bytes]) -> frozenset[str]:
        """Return which generations a daemon names to its clients."""
        ids = (self.by_subject.get(der) or self._own(der_name.unit(der)) for der in names)
        return frozenset(one for one in ids if one)

    def issuer(self, certificate: model.Certificate, chain: t.Iterable[model.Certificate] = ()) -> str:
        """Return which generation has signed a certificate; an unknown one keeps the name of its issuer."""
        links = [link.raw for link in chain]
        for identifier, anchor in self.certificates:
            if verify.leads_to(certificate.raw, links, [anchor.raw]):
                return identifier
        return self._unit(certificate.view.issuer) or certificate.view.issuer

    def _unit(self, text: str) -> str:
        match = _UNIT.search(text)
        return self._own(match["id"]) if match else ""

    def _own(self, identifier: str) -> str:
        return identifier if identifier.rpartition("-g")[0] == self.name else ""


def situation(
    name: str,
    ca: Mapping,
    hosts: t.Iterable[model.HostFacts],
    clients: t.Iterable[model.ClientFacts],
    held: t.Iterable[Mapping],
    revoked: t.Iterable[str],
    now: datetime,
    again_after: timedelta,
) -> phases.Situation:
    """Return the input of ``rotation.decide``.

    ``ca`` is what authority_info reported by name, ``held`` the entries of ledger_info that are valid now.
    Raises TlsError ``authority-unknown``, ``authority-external``.
    """
    if name not in ca:
        raise TlsError(
            f"there is no authority {name!r} in the CA; there are: {', '.join(sorted(ca)) or 'none'}",
            hint="Set docker_rotate_ca_authority to server, to the name of an access group, or to all.",
            code="authority-unknown",
        )
    if ca[name].get("external"):
        raise authority_external(name, str(ca[name].get("issuer")))
    generations = ca[name]["generations"]
    known = Known(name, generations)
    concerned = [one for one in hosts if one.wanted and (name == phases.SERVER or name in one.access_groups)]
    bundles = [one for one in clients if name in (phases.SERVER, one.group) and one.stored.state != model.MISSING]
    return phases.Situation(
        name=name,
        generations=tuple(
            phases.Generation(one["id"], one["stage"], ledger_time(one["not_before"]), known.end_of(one["id"]))
            for one in generations
        ),
        hosts=tuple(_host(one, known) for one in concerned),
        bundles=tuple(_bundle(one, known) for one in bundles),
        held=tuple(_held(one) for one in held if _counts(one)),
        revoked=frozenset(revoked),
        now=now,
        again_after=again_after,
    )


def authority_external(name: str, issuer: str) -> TlsError:
    """Return the error for an authority that another issuer signs for: its CA is not ours to replace."""
    return TlsError(
        f"the certificates of {name} are issued by {issuer}, whose CA this playbook cannot replace",
        hint="Put the new CA of the issuer beside the old one into its ca_content and run portcullis.docker_tls.site, so that all hosts and clients "
        "trust both; let the issuer sign with the new one; when portcullis.docker_tls.status shows no certificate of the old one, take it "
        "out of ca_content and run portcullis.docker_tls.site.",
        code="authority-external",
    )


def _host(facts: model.HostFacts, known: Known) -> phases.Place:
    stored, served = facts.stored, facts.served
    problem = _problem(stored)
    if not problem and served.state != model.READ:
        problem = f"the endpoint {facts.address}:{facts.port}: {served.problem or served.state}"
    if problem or stored.certificate is None or served.certificate is None:
        return phases.Place(facts.name, facts.name, problem=problem or "no certificate")
    on_disk = known.anchors(stored.client_anchors or ())
    if known.name == phases.SERVER:
        trusted = known.anchors(stored.anchors)
        issuers = frozenset({known.issuer(stored.certificate), known.issuer(served.certificate, served.chain)})
        return phases.Place(facts.name, facts.name, issuers=issuers, trusts=trusted, still_trusts=trusted)
    on_wire = known.advertised(served.authority_names)
    return phases.Place(facts.name, facts.name, trusts=on_disk & on_wire, still_trusts=on_disk | on_wire)


def _bundle(facts: model.ClientFacts, known: Known) -> phases.Place:
    name = f"{facts.host}: bundle of {facts.id}"
    problem = _problem(facts.stored)
    if problem or facts.stored.certificate is None:
        return phases.Place(name, facts.host, facts.client, problem or "no certificate")
    if known.name == phases.SERVER:
        trusted = known.anchors(facts.stored.anchors)
        return phases.Place(name, facts.host, facts.client, trusts=trusted, still_trusts=trusted)
    return phases.Place(name, facts.host, facts.client, issuers=frozenset({known.issuer(facts.stored.certificate)}))


def _problem(stored: model.Stored) -> str:
    if stored.state == model.READ:
        return ""
    return f"{stored.state}: {stored.problem}" if stored.problem else stored.state


def _counts(entry: Mapping) -> bool:
    """Whether an entry of the ledger is a client's certificate that nothing has taken the place of."""
    temporary = _TEMPORARY in (entry.get("reasons") or ())
    return entry.get("profile") == "client" and not entry.get("superseded") and not temporary


def _held(entry: Mapping) -> phases.Held:
    subject = str(entry.get("subject", ""))
    return phases.Held(
        owner=str(entry.get("request") or entry.get("requester") or ""),  # an adopted certificate has no request
        client=subject[3:] if subject.startswith("CN=") else subject,
        generation=str(entry.get("authority", "")),
        not_after=str(entry.get("not_after", "")),
    )
