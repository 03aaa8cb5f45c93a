# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates read, and shown as plain values."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import TlsError
from .._time import isoformat
from . import compat, keys, names, pem
from .compat import ExtensionOID, NameOID, hashes, serialization, x509
from .der_name import SHORT_NAMES

#: Bits of keyUsage (RFC 5280 §4.2.1.3) by their attribute names in ``cryptography``.
_KEY_USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "contentCommitment",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
_EXTENDED_KEY_USAGES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
_HINT = "A certificate in PEM form begins with -----BEGIN CERTIFICATE-----. Take it again from where it was issued."


@dataclass(frozen=True)
class CertificateView:
    """A certificate as plain values; all hex is lower-case without colons, all times are aware and in UTC."""

    subject: str
    issuer: str
    common_name: str
    names: tuple[str, ...]
    serial: str
    not_before: datetime
    not_after: datetime
    key_type: str
    public_key_fingerprint: str
    fingerprint_sha256: str
    is_authority: bool
    extended_key_usages: tuple[str, ...]
    key_usages: tuple[str, ...]
    subject_key_identifier: str
    authority_key_identifier: str
    signature_algorithm: str

    def to_dict(self) -> dict[str, t.Any]:
        """Return what modules report: the fields in their order, times as ISO 8601 text, tuples as lists."""
        return {name: _plain(value) for name, value in self.__dict__.items()}


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return isoformat(value)
    return list(value) if isinstance(value, tuple) else value


def load_certificates(text: str | bytes, what: str) -> list[x509.Certificate]:
    """Return every certificate in a PEM text, in order. Raises TlsError ``certificate-unreadable`` naming ``what``."""
    found = pem.blocks(text, *pem.CERTIFICATE)
    if not found:
        raise TlsError(f"{what} holds no certificate in PEM form", hint=_HINT, code="certificate-unreadable")
    certificates = []
    for number, block in enumerate(found, start=1):
        try:
            certificates.append(x509.load_pem_x509_certificate(block))
        except compat.UNREADABLE as error:
            message = f"certificate {number} in {what} cannot be read"
            raise TlsError(message, hint=_HINT, code="certificate-unreadable") from error
    return certificates


def load_certificate(text: str | bytes, what: str) -> x509.Certificate:
    """Return the first certificate of a PEM text: the leaf in every chain file. Errors as ``load_certificates``."""
    return load_certificates(text, what)[0]


def certificate_pem(certificate: x509.Certificate) -> str:
    """Return one certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def canonical_pem(text: str | bytes, what: str) -> bytes:
    """Return the certificates of a PEM text in their order and nothing else. Errors as ``load_certificates``."""
    return "".join(map(certificate_pem, load_certificates(text, what))).encode("ascii")


def subjects(data: bytes) -> list[str]:
    """Return the subjects of the certificates in a file, none where it cannot be read."""
    try:
        return [name_text(certificate.subject) for certificate in load_certificates(data, "the file")]
    except TlsError:
        return []


def view_certificate(certificate: x509.Certificate, what: str = "the certificate") -> CertificateView:
    """Return ``certificate`` as plain values.

    Raises TlsError ``certificate-unreadable`` naming ``what`` where it breaks the rules of X.509.
    """
    try:
        return _view(certificate)
    except compat.UNREADABLE as error:
        raise TlsError(f"{what} cannot be read: {error}", hint=_HINT, code="certificate-unreadable") from error


def _view(certificate: x509.Certificate) -> CertificateView:
    extensions = {extension.oid.dotted_string: extension.value for extension in certificate.extensions}
    public_key = certificate.public_key()
    serial = f"{certificate.serial_number:x}"
    return CertificateView(
        subject=name_text(certificate.subject),
        issuer=name_text(certificate.issuer),
        common_name=_common_name(certificate.subject),
        names=_names(extensions),
        serial=serial.zfill(len(serial) + len(serial) % 2),
        not_before=compat.not_before(certificate),
        not_after=compat.not_after(certificate),
        key_type=keys.key_type_of(public_key),
        public_key_fingerprint=keys.public_key_fingerprint(public_key),
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        is_authority=bool(getattr(extensions.get(ExtensionOID.BASIC_CONSTRAINTS.dotted_string), "ca", False)),
        extended_key_usages=_extended_key_usages(extensions),
        key_usages=_key_usages(extensions),
        subject_key_identifier=_hex(extensions, ExtensionOID.SUBJECT_KEY_IDENTIFIER, "digest"),
        authority_key_identifier=_hex(extensions, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, "key_identifier"),
        signature_algorithm=_signature_algorithm(certificate),
    )


def name_text(name: x509.Name) -> str:
    """Return a Subject or Issuer as RFC 4514 text, most specific part first: ``CN=Docker CA,OU=server-g1``.

    Written here because ``cryptography`` changed its order and its names over the versions.
    """
    parts = [
        "+".join(
            f"{SHORT_NAMES.get(a.oid.dotted_string, a.oid.dotted_string)}={names.escape_value(str(a.value))}"
            for a in rdn
        )
        for rdn in name.rdns
    ]
    return ",".join(reversed(parts))


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[-1].value) if found else ""


def _names(extensions: dict[str, t.Any]) -> tuple[str, ...]:
    alternative = extensions.get(ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string, ())
    return tuple(_general_name_text(name) for name in alternative)


def request_names(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """Return the subject alternative names that a request asks for, written as ``CertificateView.names``.

    Raises TlsError ``request-invalid``.
    """
    try:
        return _names({extension.oid.dotted_string: extension.value for extension in request.extensions})
    except compat.UNREADABLE as error:
        hint = "Nothing was signed. Run the play again, so that the host makes a new request."
        raise TlsError(
            f"the names in the request cannot be read: {error}", hint=hint, code="request-invalid"
        ) from error


@functools.lru_cache(maxsize=1024)
def _address_text(address: t.Any) -> str:
    """Return an address or network in the spelling of RFC 5952; the hosts of a batch share some of them."""
    return str(address)


def _general_name_text(name: x509.GeneralName) -> str:
    if isinstance(name, x509.DNSName):
        return name.value.lower()
    if isinstance(name, x509.IPAddress):
        return _address_text(name.value)
    if isinstance(name, x509.UniformResourceIdentifier):
        # Without a scheme it would read like a DNS name, and like an IP address without an authority.
        return name.value if "://" in name.value or name.value.startswith("urn:") else f"uri:{name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    if isinstance(name, x509.DirectoryName):
        return f"dirname:{name_text(name.value)}"
    return type(name).__name__.lower()


def _extended_key_usages(extensions: dict[str, t.Any]) -> tuple[str, ...]:
    usages = extensions.get(ExtensionOID.EXTENDED_KEY_USAGE.dotted_string, ())
    return tuple(_EXTENDED_KEY_USAGES.get(oid.dotted_string, oid.dotted_string) for oid in usages)


def _key_usages(extensions: dict[str, t.Any]) -> tuple[str, ...]:
    usage = extensions.get(ExtensionOID.KEY_USAGE.dotted_string)
    return tuple(text for attribute, text in _KEY_USAGES.items() if usage is not None and getattr(usage, attribute))


def _hex(extensions: dict[str, t.Any], oid: t.Any, attribute: str) -> str:
    value = getattr(extensions.get(oid.dotted_string), attribute, None)
    return value.hex() if value else ""


def _signature_algorithm(certificate: x509.Certificate) -> str:
    oid = certificate.signature_algorithm_oid
    return str(getattr(oid, "_name", None) or oid.dotted_string)
