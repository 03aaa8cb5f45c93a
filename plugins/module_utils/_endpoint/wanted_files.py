# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS files that dockerd is to read: the complete set, and what of it has to be installed. Pure."""

from __future__ import annotations

import typing as t

from .._errors import TlsError
from .._pki import keys, reader
from . import certificate_store
from .options import Options
from .state import HostState


def wanted_certificates(state: HostState, options: Options) -> dict[str, bytes]:
    """Return the complete set of TLS files for dockerd; a file without a source is not in it.

    The key is the pending one where that belongs to the certificate, else the one in use.
    """
    found = dict(state.certificates.files())
    given = {
        certificate_store.CERTIFICATE: options.certificate,
        certificate_store.CA: options.ca,
        certificate_store.CLIENT_CA: options.client_ca,
    }
    for name, text in given.items():
        data = (text.strip() + "\n").encode("utf-8") if text.strip() else b""
        if data and data.strip() != found.get(name, b"").strip():
            found[name] = data
    certificate = found.get(certificate_store.CERTIFICATE)
    pending = state.pending_key
    if certificate and pending and (certificate_store.KEY not in found or _belongs(pending, certificate)):
        found[certificate_store.KEY] = pending
    return found


def changed_certificates(state: HostState, files: t.Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of the wanted set whose contents differ from those at their names on the host."""
    have = state.certificates.files()
    return {name: data for name, data in files.items() if data != have.get(name)}


def files_to_install(state: HostState, files: t.Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that a new set has to be written for; {} where the live set is right.

    dockerd reads the files below ``current``. Where plain files are at the names (of another tool, or of a restore that
    followed our links), equal contents there are not enough: the set has to be made and linked.
    """
    if state.certificates.layout in ("plain", "mixed"):
        return dict(files)
    return changed_certificates(state, files)


def _belongs(key: bytes, certificate: bytes) -> bool:
    try:
        public = keys.load_private_key(key, what="the pending key").public_key()
        leaf = reader.load_certificate(certificate, "the certificate")
    except TlsError:
        return False
    return keys.public_key_fingerprint(public) == keys.public_key_fingerprint(leaf.public_key())
