# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bundles of clients that are revoked, removed.

Only a bundle whose certificate is that client's is removed; another certificate in the same place stays.
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import TlsError
from .._files import fsync_directory
from .._host.file_owner import Owner, acting_as, check_links, expand_path, owner_of_place, read_regular, resolve_owner
from .._pki import reader, renewal, verify
from .._pki.compat import x509
from . import format_files
from .bundle_files import CA, CERTIFICATE, ENVIRONMENT, KEY, PENDING_KEY

# The key goes first: a run that is cut off leaves no bundle that works.
_FILES = (KEY, PENDING_KEY, ENVIRONMENT, CA, CERTIFICATE)


@dataclass(frozen=True)
class RevokedBundle:
    """A bundle that is there and has to go."""

    id: str
    directory: str
    owner: Owner
    certificate: x509.Certificate
    view: reader.CertificateView
    #: The option ``keep_if_issued_by``.
    authorities: str = ""

    def report(self) -> dict[str, t.Any]:
        """Return the bundle as the module reports it."""
        return {
            "id": self.id,
            "directory": self.directory,
            "reasons": ["client-revoked"],
            "certificate": None,
            "backup_files": [],
            "formats": {},
        }


def is_unrecorded(bundle: RevokedBundle, now: datetime) -> bool:
    """Return whether the bundle's certificate is valid and one of its ``authorities`` (PEM, may be "") has signed it.

    The ledger does not have such a certificate, so the CA cannot revoke it: the bundle is the only record of it.
    """
    issuers = reader.load_certificates(bundle.authorities, "keep_if_issued_by") if bundle.authorities else []
    return bundle.view.not_after > now and any(verify.issued_by(bundle.certificate, one) for one in issuers)


def find(options: t.Iterable[t.Mapping[str, t.Any]]) -> list[RevokedBundle]:
    """Return which of the module's ``bundles`` with ``state: absent`` are there.

    A user that does not exist (any more) has none. Raises TlsError ``path-invalid``, ``directory-unsafe``.
    """
    found = []
    for each in options:
        try:
            owner = resolve_owner(each["owner"] or "", each["group"] or "")
            directory = expand_path(each["directory"], owner, f"directory of {each['id']!r}")
        except TlsError as error:
            if error.code in ("user-unknown", "home-missing"):
                continue
            raise
        if not each["owner"]:
            owner = owner_of_place(directory, owner)
        certificate = _certificate(directory, owner)
        view = reader.view_certificate(certificate) if certificate else None
        if certificate and view and view.common_name == each["common_name"] and renewal.has_profile(view, "client"):
            found.append(RevokedBundle(each["id"], directory, owner, certificate, view, each["keep_if_issued_by"]))
    return found


def _certificate(directory: str, owner: Owner) -> x509.Certificate | None:
    path = os.path.join(directory, CERTIFICATE)
    check_links(directory, owner)
    try:
        with acting_as(owner):
            data = read_regular(path)
        if not data:
            return None
        found = reader.load_certificate(data, path)
        reader.view_certificate(found, path)  # a certificate with fields that cannot be read is none
        return found
    except TlsError:
        return None


def remove(bundle: RevokedBundle) -> None:
    """Remove the bundle's files, and its directory when nothing else is in it. Raises TlsError ``file-unwritable``."""
    try:
        with acting_as(bundle.owner):
            format_files.remove_all(bundle.directory)
            for name in _FILES:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(bundle.directory, name))
            fsync_directory(bundle.directory)
            with contextlib.suppress(OSError):
                os.rmdir(bundle.directory)
    except OSError as error:
        raise TlsError(
            f"cannot remove the bundle of the revoked client in {bundle.directory}: {error.strerror}",
            hint="Remove it by hand; hosts refuse it anyway.",
            code="file-unwritable",
        ) from error
