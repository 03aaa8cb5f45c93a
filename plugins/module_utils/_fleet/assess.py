# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From facts to a report: authorities, the ledger, client bundles, and valid client certificates that should not be used any more.

The ledger has the certificates and the revoked clients; the wire shows which authorities each daemon admits.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime

from .._ca.access import ClientCertificate
from .._pki import revocation_list
from .._pki.revocation_list import RevocationList
from . import advice, assess_host, certificate_checks
from .model import (
    INVALID,
    MISSING,
    NOT_ASKED,
    NOT_READABLE,
    READ,
    UNREACHABLE,
    Anchor,
    Authorities,
    AuthorityStatus,
    CaStatus,
    Certificate,
    CertificateStatus,
    ClientFacts,
    ClientStatus,
    Finding,
    HostFacts,
    HostStatus,
    Ledger,
    Report,
    Stored,
    order,
    rank,
)

_SITE = "Run portcullis.docker_tls.site."
_NEXT_ANCHOR = (
    "Add the issuer's next root or intermediate certificate to its ca_content, and run portcullis.docker_tls.site."
)
_WITHOUT_CA = "Certificates are compared with the authorities in the clients' ca.pem, and access groups by their names."
_LEDGER = "Restore the CA directory from its backup (portcullis.docker_tls.restore_ca)."
_ROTATE = "It needs a new generation; no certificate that it signed outlives it. Run portcullis.docker_tls.rotate_ca."
_WHOLE_SITE = "Run portcullis.docker_tls.site for the whole inventory."
_HEX = re.compile("[0-9a-f]{1,64}")


def assess_fleet(
    authorities: Authorities,
    ledger: Ledger,
    hosts: t.Iterable[HostFacts],
    clients: t.Sequence[ClientFacts],
    thresholds: certificate_checks.Thresholds,
    now: datetime,
    certificates: t.Sequence[ClientCertificate] = (),
) -> Report:
    """Return the report about a fleet at ``now``; in each part the worst comes first, then by name."""
    known = certificate_checks.gather(authorities, ledger, clients)
    assessed_hosts = [assess_host.assess_host(facts, known, thresholds, now) for facts in hosts]
    assessed_clients = [assess_client(facts, known, thresholds, now, assessed_hosts) for facts in clients]
    return Report(
        now=now,
        warning=thresholds.warning,
        critical=thresholds.critical,
        ca=assess_ca(authorities, ledger),
        authorities=tuple(assess_authority(anchor, thresholds, now) for anchor in authorities.anchors),
        hosts=tuple(sorted(assessed_hosts, key=lambda one: (-rank(one.level), one.facts.name))),
        clients=tuple(sorted(assessed_clients, key=lambda one: (-rank(one.level), one.facts.host, one.facts.id))),
        certificates=assess_certificates(certificates, assessed_hosts),
    )


def assess_authority(anchor: Anchor, thresholds: certificate_checks.Thresholds, now: datetime) -> AuthorityStatus:
    """Assess one generation of an authority: its certificates cannot be valid for longer."""
    if not anchor.current:
        text = "an older generation: it does not sign any more, but is still trusted"
        return AuthorityStatus((Finding("older-generation", "ok", text),), anchor)
    view = anchor.certificate.view
    advice = _NEXT_ANCHOR if anchor.external else _ROTATE
    finding = certificate_checks.validity_finding(view, thresholds, now, f"the authority {anchor.id}", advice)
    return AuthorityStatus(() if finding is None else (finding,), anchor)


def assess_ca(authorities: Authorities, ledger: Ledger) -> CaStatus:
    """Assess whether the CA host could be read and whether its ledger is intact."""
    return CaStatus(order(_ca_findings(authorities, ledger)), authorities, ledger)


def _ca_findings(authorities: Authorities, ledger: Ledger) -> t.Iterator[Finding]:
    where = f"{authorities.path} on {authorities.host}"
    if authorities.state in (NOT_READABLE, UNREACHABLE):
        text = f"the authorities in {where} could not be read: {authorities.problem}"
        yield Finding("ca-not-readable", "unknown", text, _WITHOUT_CA)
    elif authorities.state == MISSING:
        yield Finding("ca-missing", "warning", f"there is no CA in {where}", _SITE)
    if ledger.state == "tampered":
        advice = "Nothing is issued any more until the CA directory is restored from its backup."
        yield Finding("ledger-tampered", "critical", ledger.problem, advice)
    elif ledger.state == "torn":
        yield Finding("ledger-torn", "warning", ledger.problem, "The next run that issues anything repairs it.")
    elif ledger.state == "missing" and any(not anchor.external for anchor in authorities.anchors):
        text = f"there are authorities in {authorities.path}, but no ledger"
        yield Finding("ledger-missing", "warning", text, _LEDGER)
    elif ledger.state == NOT_READABLE and authorities.state == READ:
        advice = "Correct its owner and mode (root or the account of the CA, 0600)."
        yield Finding("ledger-not-readable", "unknown", ledger.problem, advice)


def assess_client(
    facts: ClientFacts,
    known: certificate_checks.Trust,
    thresholds: certificate_checks.Thresholds,
    now: datetime,
    hosts: t.Sequence[HostStatus] = (),
) -> ClientStatus:
    """Assess one client bundle: its dates, its key, whom it trusts and which of ``hosts`` admit it."""
    certificate = facts.stored.certificate
    if certificate is None:
        return ClientStatus(order([_no_bundle(facts.stored), *_left_behind(facts, known)]), facts)
    findings: list[Finding | None] = [
        certificate_checks.validity_finding(certificate.view, thresholds, now, "the certificate", _SITE),
        _signed_by_its_group(facts, certificate, known, hosts),
        _trusts_the_servers(facts.stored, known),
        *_left_behind(facts, known),
    ]
    if facts.stored.key_matches is False:
        findings.append(Finding("key-mismatch", "critical", "key.pem is not the key of cert.pem", _SITE))
    return ClientStatus(order(finding for finding in findings if finding is not None), facts)


def _left_behind(facts: ClientFacts, known: certificate_checks.Trust) -> t.Iterator[Finding]:
    """Name former directories of a bundle that have a certificate of ours: no run renews or removes what is in them."""
    ours = [anchor for anchor in known.anchors if anchor.purpose != certificate_checks.SERVER and not anchor.external]
    for one in facts.former:
        if one.certificate is None or known.signer(one.certificate, one.chain, ours) is None:
            continue
        directory, end = one.path.rpartition("/")[0], f"{one.certificate.view.not_after:%Y-%m-%d}"
        also = f"{directory} has a bundle too, whose certificate is valid until {end}"
        text = f"{also}: its directory was changed, and no run renews or removes the former one"
        advice = f"Point what uses it to {facts.stored.path.rpartition('/')[0] or 'the present directory'}, then remove {directory}."
        yield Finding("left-behind", "warning", text, advice)


def _no_bundle(stored: Stored) -> Finding:
    where, problem = stored.path or "the bundle", stored.problem
    if stored.state == MISSING:
        return Finding("missing", "warning", f"{where} is not there", _SITE)
    if stored.state == INVALID:
        return Finding("unreadable", "critical", f"{where}: {problem}", _SITE)
    if stored.state == UNREACHABLE:
        text = f"the machine cannot be reached: {problem}"
        return Finding("host-unreachable", "unknown", text, assess_host.REACH)
    if stored.state == NOT_ASKED:
        return Finding("not-asked", "unknown", "disks were not checked", "docker_status_read_hosts: true reads them.")
    return Finding("not-readable", "unknown", f"{where} is not readable: {problem}", assess_host.readable(problem))


def _signed_by_its_group(
    facts: ClientFacts, certificate: Certificate, known: certificate_checks.Trust, hosts: t.Sequence[HostStatus]
) -> Finding | None:
    if not known.complete:
        return None
    everyone = [anchor for anchor in known.anchors if anchor.purpose != certificate_checks.SERVER]
    signer = known.signer(certificate, facts.stored.chain, everyone)
    if signer is None:
        text = f"its issuer {certificate.view.issuer!r} is not an authority of the CA now: {_admitted_by(certificate, hosts)}"
        return Finding("foreign", "critical", text, _SITE)
    if signer.name != facts.group:
        text = f"it is of the access group {signer.name}, but the inventory has {facts.group}"
        return Finding("wrong-group", "warning", text, _SITE)
    if signer.external:
        return certificate_checks.external_finding(known, signer, certificate, "it")
    if known.is_unrecorded(certificate):
        return certificate_checks.unrecorded_finding(signer, "the certificate")
    return _admitted_nowhere(facts, signer, hosts)


def _admitted_nowhere(facts: ClientFacts, signer: Anchor, hosts: t.Sequence[HostStatus]) -> Finding | None:
    """Name a bundle that opens none of the hosts, as far as all of those could be asked that might admit it."""
    present = [host for host in hosts if host.facts.wanted]
    wanting = [host for host in present if facts.group in host.facts.access_groups]
    if not present or any(host.admits is None for host in wanting) or any(admits(host, signer.id) for host in present):
        return None
    if wanting:
        text = f"it is of {signer.id}, which no host admits now, so it opens none"
        return Finding("admitted-nowhere", "warning", text, _WHOLE_SITE)
    text = f"it opens no host: none of those asked has its access group {facts.group} in docker_daemon_access_groups"
    add = f"Add {facts.group} to docker_daemon_access_groups of the hosts that it should open"
    advice = f"{add}, or remove {facts.client} from docker_client_cert_clients."
    return Finding("admitted-nowhere", "warning", text, advice)


def _admitted_by(certificate: Certificate, hosts: t.Sequence[HostStatus]) -> str:
    """Return which hosts still admit a certificate whose authority the CA has given up: those that had no run since."""
    unit = re.search(r"(?:^|,)OU=([^,]+)", certificate.view.issuer)
    still = [host.facts.name for host in hosts if unit and admits(host, unit[1])]
    if not still:
        return "no host that was asked admits it"
    return f"only {advice.named(still)} {'admits' if len(still) == 1 else 'admit'} it, until the next run there"


def _trusts_the_servers(stored: Stored, known: certificate_checks.Trust) -> Finding | None:
    if not known.complete:
        return None
    servers = known.named(certificate_checks.SERVER)
    trusted = {anchor.view.fingerprint_sha256 for anchor in stored.anchors}
    current = [anchor for anchor in servers if anchor.current]
    if not current or all(anchor.certificate.view.fingerprint_sha256 in trusted for anchor in current):
        return None
    partly = any(anchor.certificate.view.fingerprint_sha256 in trusted for anchor in servers)
    text = f"its ca.pem does not hold {', '.join(anchor.id for anchor in current)}"
    return Finding("ca-outdated", "warning" if partly else "critical", text, _SITE)


def assess_certificates(
    certificates: t.Iterable[ClientCertificate], hosts: t.Sequence[HostStatus]
) -> tuple[CertificateStatus, ...]:
    """Return the findings about each certificate, the worst first. Those that are refused everywhere for good are left out."""
    assessed = (_assess(facts, hosts) for facts in certificates)
    found = [one for one in assessed if one is not None]
    return tuple(sorted(found, key=lambda one: (-rank(one.level), one.facts.client, one.facts.generation)))


def _assess(facts: ClientCertificate, hosts: t.Sequence[HostStatus]) -> CertificateStatus | None:
    admitting = [host for host in hosts if admits(host, facts.generation)]
    # The lists of a host that could not be read are not known.
    unread = [host for host in admitting if facts.listed and host.facts.stored.state != READ]
    opens = tuple(host.facts.name for host in admitting if host not in unread and not _refuses(host, facts))
    finding = _revoked(facts, opens, hosts, unread) if facts.is_revoked else _unlisted(facts, opens)
    return None if finding is None else CertificateStatus((finding,), facts, opens)


def _refuses(host: HostStatus, facts: ClientCertificate) -> bool:
    """Return whether the host's proxy has the certificates in its revocation list.

    The CA has no list of a generation that it has given up. There the list that the proxy still has is read for the serial numbers.
    """
    if facts.listed and facts.generation in host.checks:
        return True
    if not facts.serials or not all(_HEX.fullmatch(serial) for serial in facts.serials):
        return False
    serials = {int(serial, 16) for serial in facts.serials}
    return any(serials <= one.serials for one in _lists_of(host, facts.generation))


def _lists_of(host: HostStatus, generation: str) -> t.Iterator[RevocationList]:
    """Yield the lists of a generation that the host's proxy checks, each signed by an authority that the host admits."""
    anchors = host.facts.stored.client_anchors or ()
    for one in host.facts.stored.revocation_lists:
        is_of_generation = f"OU={generation}" in one.issuer.split(",")
        if is_of_generation and any(revocation_list.is_by(one, anchor.raw) for anchor in anchors):
            yield one


def admits(host: HostStatus, generation: str) -> bool:
    """Return whether the running daemon names an authority: by its id, or, of one that was given up, by its organizational unit."""
    return any(name == generation or f"OU={generation}" in name.split(",") for name in host.admits or ())


def _revoked(
    facts: ClientCertificate, opens: t.Sequence[str], hosts: t.Sequence[HostStatus], unread: t.Sequence[HostStatus]
) -> Finding | None:
    who = f"{facts.client} is revoked"
    if opens:
        still = f"{advice.named(opens)} still {'admits' if len(opens) == 1 else 'admit'} {facts.generation}"
        text = f"{who}, and {still}: its certificate is admitted until {facts.not_after:%Y-%m-%d}"
        return Finding("revoked-admitted", "critical", text, _WHOLE_SITE)
    if unread:
        named = advice.named([host.facts.name for host in unread])
        text = f"{who}, and whether {named} has the revocation list with its certificate could not be seen"
        return Finding("revoked-not-seen", "unknown", text, _WHOLE_SITE)
    if not facts.trusted:
        return None
    unseen = [host.facts.name for host in hosts if host.admits is None and facts.group in host.facts.access_groups]
    if unseen:
        text = f"{who}, and whether {advice.named(unseen)} admits {facts.generation} could not be seen"
        return Finding("revoked-not-seen", "unknown", text, _WHOLE_SITE)
    if facts.listed:
        return None
    text = f"{who}, and {facts.generation} is still an authority of the CA; no host admits it now"
    return Finding("revocation-pending", "warning", text, _WHOLE_SITE)


def _unlisted(facts: ClientCertificate, opens: t.Sequence[str]) -> Finding:
    # An adopted certificate never was in the inventory; a host that does not admit its authority does not matter.
    level = "warning" if opens and facts.source != "adopted" else "ok"
    certificate = facts.to_dict()
    text = f"{advice.what(certificate)} {advice.opens(certificate, opens)}: {advice.why(certificate)}"
    how = advice.how_to_end(certificate)
    return Finding("unlisted", level, text, f"To end it, {how}.")
