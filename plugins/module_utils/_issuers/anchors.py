# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authorities whose certificates another issuer signs: their anchors beside, or in place of, those of a CA of ours.

What plays read of an authority (``store.describe``) is the same for both kinds, so everything after it needs no second way: what hosts
and bundles trust is ``trusted_content``, and what certificates have to lead to is ``certificate_content``.

A fleet moves from one issuer to another in three steps, and no client is locked out in between: the anchors of the new one are given
while the old one still signs (both are trusted); then the new one signs; then the old one's anchors are removed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import TlsError
from .._pki import reader
from .._pki.compat import x509
from .answer import load_anchors

LOCAL = "local"
KINDS = (LOCAL, "openbao", "acme", "tasks", "files")
SERVER = "server"

#: One entry of ``issuers`` of M(authorities) and M(authority_info).
ANCHOR_OPTIONS: dict[str, t.Any] = {
    "authority": {"type": "str", "required": True},
    "issuer": {"type": "str", "choices": list(KINDS), "default": LOCAL},
    "ca_content": {"type": "str", "default": ""},
    "trust_local_ca": {"type": "bool", "default": True},
    "crl_content": {"type": "str", "default": ""},
}


@dataclass(frozen=True)
class Issuer:
    """Who signs for one authority (``server`` or an access group), and the anchors of that issuer.

    ``trust_local_ca``: whether the generations of the CA of ours, which signed before, are still trusted. ``crl_content``: the revocation
    lists of the anchors, "" where hosts are not to check any.
    """

    authority: str
    issuer: str
    ca_content: str
    trust_local_ca: bool = True
    crl_content: str = ""


def external_names(issuers: t.Iterable[Issuer]) -> set[str]:
    """Return the authorities that no CA of ours has to sign for."""
    return {one.authority for one in issuers if one.issuer != LOCAL}


def with_issuers(
    authorities: t.Mapping[str, dict[str, t.Any]], issuers: t.Iterable[Issuer], now: datetime
) -> dict[str, dict[str, t.Any]]:
    """Return ``authorities`` (of ``store.describe``) with the anchors of ``issuers``; those of ours come first.

    Raises TlsError ``anchor-missing`` for an external issuer without anchors, ``anchor-unsuitable``, ``anchor-expired``,
    ``certificate-unreadable``.
    """
    result = dict(authorities)
    for one in issuers:
        anchors = _anchors(one, now)
        known = result.get(one.authority)
        if one.issuer != LOCAL:
            result[one.authority] = _external(one, anchors, known)
        elif anchors and known is not None:
            joined = _joined(known["trusted_content"], anchors)
            result[one.authority] = {**known, "trusted_content": joined, "crl_content": _lists(one, known)}
    return dict(sorted(result.items(), key=lambda item: (item[0] != SERVER, item[0])))


def _anchors(one: Issuer, now: datetime) -> list[x509.Certificate]:
    what = f"the anchors of the issuer of {one.authority}"
    if not one.ca_content.strip():
        if one.issuer == LOCAL:
            return []
        raise TlsError(
            f"{what} are missing: without them its certificates cannot be recognized",
            hint="Give ca_content of the issuer: the root or intermediate certificates (PEM) that its certificates lead to, for example "
            "with lookup('ansible.builtin.file', 'company-root.pem').",
            code="anchor-missing",
        )
    anchors = load_anchors(one.ca_content, what)
    valid = [anchor for anchor in anchors if reader.view_certificate(anchor).not_after > now]
    if not valid:
        raise TlsError(
            f"{what} have all expired",
            hint="Give the issuer's new root or intermediate certificates as its ca_content.",
            code="anchor-expired",
        )
    return valid


def _external(
    one: Issuer, anchors: t.Sequence[x509.Certificate], known: t.Mapping[str, t.Any] | None
) -> dict[str, t.Any]:
    local = known if known is not None and one.trust_local_ca else None
    return {
        "id": f"{one.authority}-external",
        "name": one.authority,
        "purpose": SERVER if one.authority == SERVER else "client",
        "generation": 0,
        "adopted": False,
        "external": True,
        "issuer": one.issuer,
        "certificate_content": _joined("", anchors),
        "trusted_content": _joined(local["trusted_content"] if local else "", anchors),
        "crl_content": _lists(one, local),
        "certificate": reader.view_certificate(anchors[0]).to_dict(),
        "generations": list(local["generations"]) if local else [],
    }


def _lists(one: Issuer, local: t.Mapping[str, t.Any] | None) -> str:
    """Return the revocation lists of all anchors, "" where those of some are missing: a host with the list of one needs those of all."""
    given = one.crl_content.strip()
    ours = str(local["crl_content"]) if local and local["trusted_content"] else ""
    is_complete = given and (ours or not local or not local["trusted_content"])
    return f"{ours}{given}\n" if is_complete else ""


def _joined(before: str, anchors: t.Sequence[x509.Certificate]) -> str:
    """Return PEM certificates, each once."""
    there = set(reader.load_certificates(before, "the anchors")) if before.strip() else set()
    return before + "".join(reader.certificate_pem(anchor) for anchor in dict.fromkeys(anchors) if anchor not in there)
