# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Valid client certificates that should not be used any more, compared with the groups that the running daemons admit.

The ledger has the certificates and the revoked clients; the wire shows which authorities each daemon admits.
"""

from __future__ import annotations

import re
import typing as t

from .._ca.client_certificate import ClientCertificate
from .._pki import revocation_list
from .._pki.revocation_list import RevocationList
from . import access_text
from .model import READ, CertificateStatus, Finding, HostStatus, rank

_SITE = "Run portcullis.docker_tls.site for the whole inventory."
_HEX = re.compile("[0-9a-f]{1,64}")


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
    for one in host.facts.stored.revocation_lists:
        anchors = (anchor.raw for anchor in host.facts.stored.client_anchors or ())
        if f"OU={generation}" in one.issuer.split(",") and any(
            revocation_list.is_by(one, anchor) for anchor in anchors
        ):
            yield one


def admits(host: HostStatus, generation: str) -> bool:
    """Return whether the running daemon names an authority: by its id, or, of one that was given up, by its organizational unit."""
    return any(name == generation or f"OU={generation}" in name.split(",") for name in host.admits or ())


def _revoked(
    facts: ClientCertificate, opens: t.Sequence[str], hosts: t.Sequence[HostStatus], unread: t.Sequence[HostStatus]
) -> Finding | None:
    who = f"{facts.client} is revoked"
    if opens:
        still = f"{access_text.named(opens)} still {'admits' if len(opens) == 1 else 'admit'} {facts.generation}"
        text = f"{who}, and {still}: its certificate is admitted until {facts.not_after:%Y-%m-%d}"
        return Finding("revoked-admitted", "critical", text, _SITE)
    if unread:
        named = access_text.named([host.facts.name for host in unread])
        text = f"{who}, and whether {named} has the revocation list with its certificate could not be seen"
        return Finding("revoked-not-seen", "unknown", text, _SITE)
    if not facts.trusted:
        return None
    unseen = [host.facts.name for host in hosts if host.admits is None and facts.group in host.facts.access_groups]
    if unseen:
        text = f"{who}, and whether {access_text.named(unseen)} admits {facts.generation} could not be seen"
        return Finding("revoked-not-seen", "unknown", text, _SITE)
    if facts.listed:
        return None
    text = f"{who}, and {facts.generation} is still an authority of the CA; no host admits it now"
    return Finding("revocation-pending", "warning", text, _SITE)


def _unlisted(facts: ClientCertificate, opens: t.Sequence[str]) -> Finding:
    # An adopted certificate never was in the inventory; a host that does not admit its authority does not matter.
    level = "warning" if opens and facts.source != "adopted" else "ok"
    certificate = facts.to_dict()
    text = f"{access_text.what(certificate)} {access_text.opens(certificate, opens)}: {access_text.why(certificate)}"
    advice = access_text.how_to_end(certificate)
    return Finding("unlisted", level, text, f"To end it, {advice}.")
