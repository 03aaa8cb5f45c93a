# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of a certificate in the ledger, for every issuer."""

from __future__ import annotations

import typing as t

from .._time import isoformat

if t.TYPE_CHECKING:
    from .._pki.reader import CertificateView


def fields(view: CertificateView) -> dict[str, t.Any]:
    """Return subject, names, validity and fingerprints, in the order in which an entry of the ledger has them."""
    return {
        "subject": view.subject,
        "names": list(view.names),
        "not_before": isoformat(view.not_before),
        "not_after": isoformat(view.not_after),
        "fingerprint_sha256": view.fingerprint_sha256,
        "public_key_fingerprint": view.public_key_fingerprint,
    }
