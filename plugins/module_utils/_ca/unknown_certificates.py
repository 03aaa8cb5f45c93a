# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates on hosts that this CA does not know.

A ledger that is older than the certificates: after an old backup or a snapshot of the CA host came back, hosts have certificates of this CA that its
ledger does not know. Reports of hosts are not trusted: they make a warning, and a certificate is recorded only after a check of its signature.

Certificates of an authority that this CA has never had: a CA that moved without its directory (the group docker_ca was added, the controller is
another one) would make new authorities, and every daemon would change over to them: all clients of the old ones shut out in one run. The same with the
clients' bundles: the hosts still admit those of the old authority only, as they do after the restore of an old backup. So a
certificate that replaces one of an unknown authority is signed only where the user has permitted it.
"""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from . import ledger, store
from .policy import Approved, Replaced

_MOST_NAMED = 20
_UNIT = re.compile(r"(?:^|,)OU=([a-z0-9_-]+)-g([0-9]{1,4})(?:,|$)")
_RESTORE = (
    "set it aside on the CA host, also where a run has just made a new CA in it (mv {path} {path}.aside), then put the right directory in its place, or "
    "restore the newest backup with portcullis.docker_tls.restore_ca"
)
_OF_SERVER = (
    f"If the CA directory is lost, an older state, or has moved (the group docker_ca was added, another controller), {_RESTORE}. "
    "To keep the clients of another authority working, adopt that authority or rotate. To change over at once, with new bundles for all clients, set "
    "docker_server_cert_foreign_authority: replace."
)
_OF_NEWER = (
    "The CA directory is an older state than what has that certificate, or another CA. Nothing is signed for it, so that it keeps working. "
    f"{_RESTORE[0].upper()}{_RESTORE[1:]}: a newer backup than the last one. Where there is none, set docker_server_cert_foreign_authority: replace "
    "for all hosts: they and their clients then change back to this CA's older authorities."
)
_OF_CLIENT = (
    f"The bundle stays as it is. If the CA directory is lost, the wrong one or an older state, {_RESTORE}. To replace this bundle on purpose, move its "
    "directory away; to replace all, set docker_server_cert_foreign_authority: replace for all hosts."
)


@dataclass(frozen=True)
class Installed:
    """A certificate that a host reports to have."""

    requester: str
    serial: str
    issuer: str
    not_before: str = ""
    authority_key_identifier: str = ""


def unknown(
    installed: t.Iterable[Installed], known: t.Container[str], stored: store.Stored
) -> tuple[tuple[Installed, ...], tuple[Installed, ...]]:
    """Return the certificates of our authorities that the ledger lacks, and those of generations that the CA itself lacks."""
    identifiers = {
        one.view.subject: one.view.subject_key_identifier for generations in stored.values() for one in generations
    }
    missing, lost = [], []
    for one in installed:
        if one.issuer in identifiers:
            # Two CAs whose groups are called alike have authorities of one name.
            keys = {identifiers[one.issuer], one.authority_key_identifier} - {""}
            if len(keys) < 2 and one.serial not in known:
                missing.append(one)
            continue
        if _is_newer(one.issuer, stored):
            lost.append(one)
    return tuple(missing), tuple(lost)


def _is_newer(issuer: str, stored: store.Stored) -> bool:
    """Return whether the issuer is called like a newer generation of an authority of this CA."""
    match = _UNIT.search(issuer)
    generations = stored.get(match[1]) if match else None
    return bool(match and generations and int(match[2]) > generations[-1].generation)


def warnings(path: str, found: ledger.Scan, missing: t.Sequence[Installed], lost: t.Sequence[Installed]) -> list[str]:
    """Return the warnings for the user."""
    lines = []
    if missing:
        lines.append(
            f"ledger-behind: the ledger {path} ends at line {found.head.seq}{f' of {found.time}' if found.time else ''} and does not know "
            f"{len(missing)} certificate{'s' if len(missing) > 1 else ''} of this CA that hosts have: {_listed(missing)}. Either the CA "
            "directory is an older state (a backup or snapshot that was restored), or someone else signs with its keys. No serial "
            "will be repeated, they are random numbers of 159 bits. If it was a restore, record them: "
            "ansible-playbook portcullis.docker_tls.record_certificates. If it was not, replace the authorities"
        )
    if lost:
        lines.append(
            f"authority-behind: hosts have certificates of newer authorities than this CA has: {_listed(lost)}. The CA directory is an "
            "older state (restore a newer backup) or another CA. What they have is replaced only with docker_server_cert_foreign_authority: replace"
        )
    return lines


def _listed(found: t.Sequence[Installed]) -> str:
    named = [
        f"{one.requester or 'unnamed'} (serial {one.serial}{f', since {one.not_before}' if one.not_before else ''})"
        for one in found[:_MOST_NAMED]
    ]
    more = len(found) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def serials(approved: t.Iterable[Approved]) -> set[str]:
    """Return the serials of the certificates that would be replaced: the ledger shows which of them are of this CA."""
    return {one.request.replaces.serial for one in approved if one.request.replaces is not None}


def refusals(
    approved: t.Iterable[Approved], found: ledger.Scan, stored: store.Stored, path: str
) -> dict[str, TlsError]:
    """Return, by request id, why a request of ``approved`` must not replace what its host has.

    ``authority-behind`` where the issuer is called like a newer generation of an authority of this CA, else ``authority-foreign``.

    In: ``found``, a reading of the ledger that asked about ``serials``; ``path``, the CA directory for the message.
    """
    known = [one for generations in stored.values() for one in generations]
    return {
        one.request.id: _foreign(one, one.request.replaces, stored, path)
        for one in approved
        if one.request.replaces is not None
        and one.request.replaces.serial not in found.used
        and not any(_is_issuer(each, one.request.replaces) for each in known)
    }


def _is_issuer(stored: store.StoredAuthority, replaced: Replaced) -> bool:
    identifier = stored.view.subject_key_identifier
    if identifier and replaced.authority_key_identifier:
        return identifier == replaced.authority_key_identifier
    return stored.view.subject == replaced.issuer


def _foreign(one: Approved, replaced: Replaced, stored: store.Stored, path: str) -> TlsError:
    newer = _is_newer(replaced.issuer, stored)
    hint = _OF_NEWER if newer else _OF_CLIENT if one.request.profile == "client" else _OF_SERVER
    old = f"sha256 {replaced.authority_fingerprint_sha256}" if replaced.authority_fingerprint_sha256 else "not at hand"
    new = one.authority
    ours = f"{new.id}, sha256 {new.view.fingerprint_sha256}" if new is not None else "yet to be made"
    return TlsError(
        f"it would replace a certificate of the authority {replaced.issuer} (its certificate: {old}, key identifier "
        f"{replaced.authority_key_identifier or 'none'}), which the CA in {path} does not know; its own is {ours}",
        hint=hint.format(path=shlex.quote(path)),
        code="authority-behind" if newer else "authority-foreign",
    )
