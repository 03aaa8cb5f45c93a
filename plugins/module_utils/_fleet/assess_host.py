# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The assessment of one Docker host: on the wire, on the disk, and both compared.

dockerd reads its TLS files once, when it starts (measured, 20.10 to 29.7). So a certificate or an anchor on the disk
shows the state after the next restart; only the wire shows the present one.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._pki import revocation_list
from .._time import isoformat
from . import advice, certificate_checks
from .model import (
    INVALID,
    MISSING,
    NOT_READABLE,
    READ,
    UNREACHABLE,
    Certificate,
    Finding,
    HostFacts,
    HostStatus,
    Stored,
    order,
)

_RESTART = "Restart dockerd there: systemctl restart docker, or run portcullis.docker_tls.site."
_NO_ANSWER = (
    "Check systemctl status docker there. If dockerd runs, a firewall on the way may drop the port: portcullis.docker_tls.verify asks "
    "from the host itself too."
)
#: Codes that assess.py gives to client machines too.
REACH = "Bring the machine or its network up, then run this again; ssh has to work from here."
_READABLE = "Read it as root (docker_status_become: true), or correct the mode of the directories above it."
_SITE = "Run portcullis.docker_tls.site."
_ENABLE = "Run systemctl enable docker.service there, or set docker_daemon_listener: systemd."


def readable(problem: str) -> str:
    """Return what makes files readable that could not be read because of ``problem``; sudo's and SSH's reasons have advice of their own."""
    return advice.hint(problem) or _READABLE


def assess_host(
    facts: HostFacts, known: certificate_checks.Trust, thresholds: certificate_checks.Thresholds, now: datetime
) -> HostStatus:
    """Assess one Docker host."""
    if not facts.wanted:
        return HostStatus(order(_unwanted_endpoint(facts)), facts, None)
    findings = [
        *_difference(facts.stored.certificate, facts.served.certificate),
        *_wire(facts, known, thresholds, now),
        *_disk(facts, known, thresholds, now),
        *_boot(facts),
    ]
    access = None
    if facts.served.state == READ:
        access = certificate_checks.compare_access(known, facts.served.authority_names, facts.access_groups)
        findings.extend(_access_findings(facts, access, known))
    checks = _checked_authorities(facts, known)
    findings.extend(_list_findings(facts, known, checks))
    findings.extend(_ended_lists(facts, now))
    return HostStatus(order(findings), facts, access.admits if access else None, checks)


def _checked_authorities(facts: HostFacts, known: certificate_checks.Trust) -> frozenset[str]:
    """Return the ids of the authorities of which the host's proxy refuses everything that the CA has revoked."""
    return frozenset(
        anchor.id
        for anchor in known.anchors
        for one in facts.stored.revocation_lists
        if anchor.revocation_list is not None
        and revocation_list.is_by(one, anchor.certificate.raw)
        and one.serials >= anchor.revocation_list.serials
    )


def _list_findings(facts: HostFacts, known: certificate_checks.Trust, checks: frozenset[str]) -> t.Iterator[Finding]:
    """Name the lists of the CA that revoke something that the host's proxy still admits."""
    behind = [
        anchor.id
        for name in facts.access_groups
        for anchor in known.named(name)
        if anchor.revocation_list is not None and anchor.revocation_list.serials and anchor.id not in checks
    ]
    if facts.stored.revocation_lists and behind:
        text = f"its proxy does not have the newest revocation list of {', '.join(behind)}"
        yield Finding("revocation-list-outdated", "critical", text, _SITE)


def _ended_lists(facts: HostFacts, now: datetime) -> t.Iterator[Finding]:
    """Name lists of other issuers that have ended: the proxy still checks them, and nothing newer (``_proxy.config``)."""
    for one in facts.stored.revocation_lists:
        if one.next_update is not None and one.next_update <= now:
            ended = f"the revocation list of {one.issuer} has ended ({isoformat(one.next_update)})"
            text = f"{ended}: its proxy still refuses the certificates in it, and admits those that were revoked since then"
            yield Finding("revocation-list-ended", "warning", text, _SITE)


def _unwanted_endpoint(facts: HostFacts) -> t.Iterator[Finding]:
    if facts.served.state in (READ, INVALID):
        text = f"something listens on {endpoint(facts)}, though docker_daemon_state is absent"
        yield Finding("still-open", "warning", text, _SITE)
    else:
        yield Finding("absent", "ok", "no endpoint, as set by docker_daemon_state")


def endpoint(facts: HostFacts) -> str:
    """Return ``address:port`` of a host's endpoint as people write it."""
    return f"[{facts.address}]:{facts.port}" if ":" in facts.address else f"{facts.address}:{facts.port}"


def _wire(
    facts: HostFacts, known: certificate_checks.Trust, thresholds: certificate_checks.Thresholds, now: datetime
) -> t.Iterator[Finding]:
    served = facts.served
    rewritten = facts.stored.configured is False
    where = endpoint(facts)
    if served.state == UNREACHABLE and rewritten:
        text = f"{where} is closed: daemon.json does not have its settings; another tool may have rewritten the file"
        yield Finding("endpoint-closed", "critical", text, _SITE)
    elif served.state == UNREACHABLE:
        yield Finding("unreachable", "critical", f"{where} does not answer: {served.problem}", _NO_ANSWER)
    elif served.state == INVALID:
        yield Finding("no-tls", "critical", f"{where}: {served.problem}", _SITE)
    if served.state != READ or served.certificate is None:
        return
    if rewritten and not [*_difference(facts.stored.certificate, served.certificate)]:
        text = "daemon.json was rewritten without the settings of the endpoint: the next restart of dockerd closes it"
        yield Finding("restart-closes", "warning", text, _SITE)
    if not served.asks_for_certificate:
        text = "the daemon asks for no client certificate: ANYONE WHO REACHES IT IS ROOT on this host"
        yield Finding("open", "critical", text, _SITE)
    elif not served.authority_names:
        text = "the daemon names no client authority: it admits everyone with a certificate of any public CA"
        yield Finding("any-authority", "critical", text, "Its tlscacert is missing. " + _SITE)
    yield from _issuer(served.certificate, served.chain, known, "the certificate that it serves")
    validity = certificate_checks.validity_finding(
        served.certificate.view, thresholds, now, "the certificate that it serves", _SITE
    )
    if validity is not None:
        yield validity
    if not certificate_checks.covers(served.certificate.view.names, facts.address):
        text = f"the certificate that it serves is not for {facts.address}, by which the inventory reaches it"
        advice = "Clients that use this address refuse it. Add it to docker_server_cert_names."
        yield Finding("name-not-covered", "warning", text, advice)


def _issuer(
    certificate: Certificate, chain: t.Iterable[Certificate], known: certificate_checks.Trust, what: str
) -> t.Iterator[Finding]:
    servers = known.named(certificate_checks.SERVER)
    if not servers:
        return
    signer = known.signer(certificate, chain, servers)
    if signer is None:
        text = f"{what} is of a foreign authority ({certificate.view.issuer}): no client of ours accepts it"
        advice = f"Another tool configured this daemon, or another machine answers. {_SITE}"
        yield Finding("foreign", "critical", text, advice)
        return
    if signer.external:
        yield certificate_checks.external_finding(known, signer, certificate, what)
    elif known.is_unrecorded(certificate):
        yield certificate_checks.unrecorded_finding(signer, what)
    if not signer.current:
        yield Finding("older-generation", "ok", f"{what} is signed by the older generation {signer.id}")


def _disk(
    facts: HostFacts, known: certificate_checks.Trust, thresholds: certificate_checks.Thresholds, now: datetime
) -> t.Iterator[Finding]:
    stored, served = facts.stored, facts.served.certificate
    if stored.certificate is None:
        yield from _no_disk(stored, served is not None)
        return
    if stored.key_matches is False:
        text = "the key on disk is not that of the certificate: dockerd will not start again"
        yield Finding("key-mismatch", "critical", text, _SITE)
    if served is not None and served.view.fingerprint_sha256 == stored.certificate.view.fingerprint_sha256:
        return
    yield from _issuer(stored.certificate, stored.chain, known, "the certificate on disk")
    validity = certificate_checks.validity_finding(
        stored.certificate.view, thresholds, now, "the certificate on disk", _SITE
    )
    if validity is not None:
        yield validity


def _boot(facts: HostFacts) -> t.Iterator[Finding]:
    if facts.stored.starts_at_boot is False:
        text = "Docker's unit is not enabled: after a boot the endpoint is closed until a local client starts dockerd"
        yield Finding("not-started-at-boot", "warning", text, _ENABLE)


def _no_disk(stored: Stored, is_served: bool) -> t.Iterator[Finding]:
    if stored.state == UNREACHABLE:
        yield Finding("host-unreachable", "warning", f"Ansible cannot reach the host: {stored.problem}", REACH)
    elif stored.state == MISSING:
        yield Finding("missing", "warning", f"{stored.path} is not there", _SITE)
    elif stored.state == INVALID:
        text = f"{stored.path}: {stored.problem}. dockerd will not start again"
        yield Finding("unreadable", "critical", text, _SITE)
    elif stored.state == NOT_READABLE:
        level = "ok" if is_served else "unknown"
        yield Finding("not-readable", level, f"on disk not readable: {stored.problem}", readable(stored.problem))


def _difference(stored: Certificate | None, served: Certificate | None) -> t.Iterator[Finding]:
    if stored is None or served is None or stored.view.fingerprint_sha256 == served.view.fingerprint_sha256:
        return
    old, new = served.view, stored.view
    on_disk = f"{new.fingerprint_sha256[:8]}, until {certificate_checks.end_text(new)}"
    on_wire = f"{old.fingerprint_sha256[:8]}, until {certificate_checks.end_text(old)}"
    if new.not_before > old.not_before:
        text = f"renewed ({on_disk}) but never restarted: dockerd still serves the old certificate ({on_wire})"
    else:
        text = f"dockerd serves another certificate ({on_wire}) than the one on disk ({on_disk})"
    text = f"SERVED IS NOT STORED: {text}"
    yield Finding("served-not-stored", "warning", text, _RESTART)


def _access_findings(
    facts: HostFacts, access: certificate_checks.Access, known: certificate_checks.Trust
) -> t.Iterator[Finding]:
    served = facts.served
    if not (facts.access_groups and served.asks_for_certificate and served.authority_names):
        return
    level = "critical" if known.complete else "warning"
    advice = _RESTART if _restart_mends(facts, known) else _SITE
    if access.unwanted:
        unwanted = ", ".join(access.unwanted)
        text = f"the running daemon admits {unwanted}, which docker_daemon_access_groups does not have"
        yield Finding("admits-unwanted", level, text, advice)
    if access.missing:
        text = f"the running daemon does not admit {', '.join(access.missing)}: its clients cannot connect"
        yield Finding("refuses-wanted", level, text, advice)
    if not access.unwanted and not access.missing and _restart_changes(facts):
        text = "client-ca.pem on disk has other authorities than the running daemon: they count after its next restart"
        yield Finding("restart-pending", "warning", text, _RESTART)


def _on_disk(facts: HostFacts) -> list[bytes] | None:
    """Return the authorities that the daemon would advertise after a restart, None where that is not known."""
    anchors = facts.stored.client_anchors
    return None if anchors is None else [anchor.raw.subject.public_bytes() for anchor in anchors]


def _restart_mends(facts: HostFacts, known: certificate_checks.Trust) -> bool:
    names = _on_disk(facts)
    if not names:
        return False
    after = certificate_checks.compare_access(known, names, facts.access_groups)
    return not after.unwanted and not after.missing


def _restart_changes(facts: HostFacts) -> bool:
    names = _on_disk(facts)
    return names is not None and set(names) != set(facts.served.authority_names)
