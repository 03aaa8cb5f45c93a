# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of an authority that this CA has never had.

A CA that moved without its directory (the group docker_ca was added, the controller is another one) would make new
authorities, and every daemon would change over to them: all clients of the old ones shut out in one run. The same with the
clients' bundles: the hosts still admit those of the old authority only, as they do after the restore of an old backup. So a
certificate that replaces one of an unknown authority is signed only where the user has permitted it.
"""

from __future__ import annotations

import typing as t

from .._errors import TlsError
from . import ledger, store
from .policy import Approved, Replaced

_OF_SERVER = (
    "If the CA has moved (the group docker_ca was added, another controller), put the old CA directory in the place of {path} first; to keep the "
    "clients of the other authority working, adopt that authority or rotate. To change over at once, with new bundles for all clients, set "
    "docker_server_cert_foreign_authority: replace."
)
_OF_CLIENT = (
    "The bundle stays as it is. If the CA directory {path} is lost, the wrong one or an older state, put the right one in its place, or restore the "
    "newest backup with portcullis.docker_tls.restore_ca. To replace this bundle on purpose, move its directory away; to replace all, set "
    "docker_server_cert_foreign_authority: replace for all hosts."
)


def serials(approved: t.Iterable[Approved]) -> set[str]:
    """Return the serials of the certificates that would be replaced: the ledger shows which of them are of this CA."""
    return {one.request.replaces.serial for one in approved if one.request.replaces is not None}


def refusals(
    approved: t.Iterable[Approved], found: ledger.Scan, stored: store.Stored, path: str
) -> dict[str, TlsError]:
    """Return, by request id, why a request of ``approved`` must not replace what its host has (``authority-foreign``).

    In: ``found``, a reading of the ledger that asked about ``serials``; ``path``, the CA directory for the message.
    """
    known = [one for generations in stored.values() for one in generations]
    return {
        one.request.id: _foreign(one, one.request.replaces, path)
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


def _foreign(one: Approved, replaced: Replaced, path: str) -> TlsError:
    old = f"sha256 {replaced.authority_fingerprint_sha256}" if replaced.authority_fingerprint_sha256 else "not at hand"
    new = one.authority
    ours = f"{new.id}, sha256 {new.view.fingerprint_sha256}" if new is not None else "yet to be made"
    return TlsError(
        f"it would replace a certificate of the authority {replaced.issuer} (its certificate: {old}, key identifier "
        f"{replaced.authority_key_identifier or 'none'}), which the CA in {path} does not know; its own is {ours}",
        hint=(_OF_CLIENT if one.request.profile == "client" else _OF_SERVER).format(path=path),
        code="authority-foreign",
    )
