# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""raw_loop.py REQUESTS.json AUTHORITY-DIRECTORY RESULT.json: sign every request; the passphrase is in BENCH_PASSPHRASE.

The floor for a signing call: the same reading, checking of the CSR's signature, extensions and PEM, with nothing around
it: no policy, no check of what was signed, no ledger, no files of certificates, no fsync.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NO_USAGE = dict.fromkeys(
    [
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ],
    False,
)


def general_name(text: str) -> x509.GeneralName:
    """Return an address for an address, else a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def main(requests: Path, authority: Path, result: Path) -> None:
    """Sign all of them and write the certificates as JSON."""
    certificate = x509.load_pem_x509_certificate((authority / "certificate.pem").read_bytes())
    key = load_pem_private_key((authority / "key.pem").read_bytes(), os.environb[b"BENCH_PASSPHRASE"])
    now = datetime.now(timezone.utc)
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    signed = {}
    for wanted in json.loads(requests.read_bytes())["requests"]:
        request = x509.load_pem_x509_csr(wanted["request_content"].encode())
        if not request.is_signature_valid:
            raise SystemExit(f"{wanted['id']}: wrong signature")
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted["common_name"])]))
            .issuer_name(certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.KeyUsage(digital_signature=True, **NO_USAGE), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.SubjectAlternativeName([general_name(name) for name in wanted["names"]]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), False)
            .add_extension(issuer, False)
        )
        signed[wanted["id"]] = builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()
    result.write_text(json.dumps(signed))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
