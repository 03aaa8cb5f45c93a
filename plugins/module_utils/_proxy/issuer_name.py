# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the proxy recognizes the access group of a client: by the issuer's whole name, as HAProxy writes it.

``ssl_c_i_dn`` without arguments writes every attribute as ``/<OpenSSL's short name>=<value>`` in the certificate's order, without any
escape (ssl_sock_get_dn_oneline, read in the source of 2.6 and 3.0). So two different names can be written alike, and only an issuer
that was verified counts: the chain was checked before, and a restricted authority must not permit authorities below it.
"""

from __future__ import annotations

import typing as t

from .._errors import TlsError

#: OpenSSL's short names (obj_dat.h) of the attributes that occur in names of authorities; others are refused.
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "2.5.4.46": "dnQualifier",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}


def issuer_name(certificate: t.Any) -> str:
    """Return the subject of an authority as HAProxy's ``ssl_c_i_dn`` writes it for the clients below it.

    ``certificate`` is one of ``cryptography``. Raises TlsError ``proxy-issuer-unnamed`` where the name cannot be compared.
    """
    written = []
    for attribute in certificate.subject:
        short = _SHORT_NAMES.get(attribute.oid.dotted_string)
        value = attribute.value
        if short is None or not isinstance(value, str) or not value.isprintable():
            raise _unnamed(
                certificate, f"has the attribute {attribute.oid.dotted_string} with a value that cannot be compared"
            )
        written.append(f"/{short}={value}")
    if not written:
        raise _unnamed(certificate, "is empty")
    return "".join(written)


def _unnamed(certificate: t.Any, problem: str) -> TlsError:
    return TlsError(
        f"the name of the client authority {certificate.subject.rfc4514_string()!r} {problem}, so the proxy cannot distinguish its clients from others",
        hint="Give its access group to the listener dockerd or systemd, or create an authority for the group with this collection.",
        code="proxy-issuer-unnamed",
    )
