# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a strict client refuses a self-signed authority, and with it every certificate below. Pure.

Strict are the clients that follow RFC 5280 to the letter: Python from 3.13 on (ssl.VERIFY_X509_STRICT is part of
ssl.create_default_context there) and all that use OpenSSL's X509_V_FLAG_X509_STRICT. Go (the docker CLI, dockerd itself) and older
Pythons are not. Source: OpenSSL crypto/x509/x509_vfy.c, check_extensions; the tests compare with openssl verify -x509_strict.
"""

from __future__ import annotations

import typing as t

from .compat import ExtensionOID, x509

#: What ``openssl req -x509`` and many scripts leave out or do otherwise: code and words.
_FAULTS = {
    "authority-without-key-usage": "has no keyUsage",
    "authority-constraints-not-critical": "has basicConstraints that are not critical",
    "authority-without-identifier": "has no subject key identifier",
}
WAY = "Adopt it, then rotate away from it (portcullis.docker_tls.rotate_ca): the new authority is accepted by strict clients too"


def faults(authority: x509.Certificate) -> tuple[tuple[str, str], ...]:
    """Return (code, words) for each thing that strict clients refuse in a self-signed ``authority``; () where they accept it."""
    found = []
    if _extension(authority, ExtensionOID.KEY_USAGE) is None:
        found.append("authority-without-key-usage")
    constraints = _extension(authority, ExtensionOID.BASIC_CONSTRAINTS)
    if constraints is not None and not constraints.critical:
        found.append("authority-constraints-not-critical")
    if _extension(authority, ExtensionOID.SUBJECT_KEY_IDENTIFIER) is None:
        found.append("authority-without-identifier")
    return tuple((code, _FAULTS[code]) for code in found)


def _extension(certificate: x509.Certificate, oid: t.Any) -> t.Any:
    return next((extension for extension in certificate.extensions if extension.oid == oid), None)
