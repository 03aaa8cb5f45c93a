# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""make_requests.py COUNT REQUESTS.json: CSRs with P-256 keys, in the form that signed_certificates takes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


def request(number: int) -> dict[str, object]:
    """Return one request of a Docker host."""
    name = f"host-{number:05}.example.test"
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    signed = builder.add_extension(names, False).sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    return {
        "id": f"{name}/server",
        "authority": "server",
        "profile": "server",
        "request_content": signed.public_bytes(Encoding.PEM).decode(),
        "common_name": name,
        "names": [name, "localhost", "127.0.0.1", "::1"],
        "validity": "365d",
        "requester": name,
        "reasons": ["certificate-missing"],
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps({"requests": [request(number) for number in range(int(sys.argv[1]))]}))
