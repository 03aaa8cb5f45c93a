# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PEM blocks in a text (RFC 7468).

Files of users hold more than one block, and text around them (``openssl x509 -text``, ``EC PARAMETERS`` before a key);
``cryptography`` differs from version to version in the blocks that it accepts from such a file, so the blocks are cut out here.
"""

from __future__ import annotations

import re

#: Labels of certificates, requests and private keys that are read.
CERTIFICATE = ("CERTIFICATE", "X509 CERTIFICATE")
REQUEST = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
REVOCATION_LIST = ("X509 CRL",)
PRIVATE_KEY = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY")

# Up to the first end line of that label. Written without ".*?", which tries each character: three times as slow.
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*(?:-(?!----END \1-----)[^-]*)*-----END \1-----")


def to_bytes(text: str | bytes) -> bytes:
    """Return the bytes of a PEM text; characters that cannot stand in one become ``?``, so that parsing fails."""
    return text if isinstance(text, bytes) else text.encode("ascii", "replace")


def blocks(text: str | bytes, *labels: str) -> list[bytes]:
    """Return the PEM blocks that have one of ``labels``, in order, each as a text of its own."""
    wanted = {label.encode("ascii") for label in labels}
    return [match.group(0) + b"\n" for match in _BLOCK.finditer(to_bytes(text)) if match.group(1) in wanted]


def holds_private_key(data: bytes) -> bool:
    """Return whether there is a private key in ``data``, also among other things (an archive that is not compressed)."""
    return b"PRIVATE KEY-----" in data
