# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests, authorities and leaves made."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._errors import TlsError
from .._time import isoformat
from . import compat, keys, names, pem
from .compat import NameOID, ec, ed25519, hashes, serialization, x509

if t.TYPE_CHECKING:
    from .compat import PrivateKey

#: A request of RSA-4096 with a hundred names has about 8 KiB; more than this is not a request of ours.
MAXIMUM_REQUEST_BYTES = 65_536


def build_request(key: PrivateKey, subject: names.SubjectNames) -> bytes:
    """Return a certificate signing request (PKCS#10, PEM) with the common name and the SANs of ``subject``."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)])
    )
    if subject.names:
        alternative = x509.SubjectAlternativeName(names.general_names(subject.names))
        builder = builder.add_extension(alternative, critical=False)
    request = builder.sign(key, hash_for(key))
    return request.public_bytes(serialization.Encoding.PEM)


def load_request(data: bytes | str, what: str = "the request") -> x509.CertificateSigningRequest:
    """Return the one request in a PEM text, checked.

    Checked are its size, that it is one block, its self-signature (proof of possession) and its key type. Only its
    public key is used. Raises TlsError ``request-invalid``.
    """
    raw = pem.to_bytes(data)
    if len(raw) > MAXIMUM_REQUEST_BYTES:
        raise _request_invalid(what, f"has {len(raw)} bytes; at most {MAXIMUM_REQUEST_BYTES} are read")
    found = pem.blocks(raw, *pem.REQUEST)
    if len(found) != 1:
        raise _request_invalid(what, f"holds {len(found)} certificate requests in PEM form instead of one")
    try:
        request = x509.load_pem_x509_csr(found[0])
        genuine = request.is_signature_valid
        key_type = keys.key_type_of(request.public_key())
    except compat.UNREADABLE as error:
        raise _request_invalid(what, "cannot be read") from error
    if not genuine:
        raise _request_invalid(what, "is not signed by its own key")
    if key_type not in keys.KEY_TYPES:
        raise _request_invalid(what, f"is for a key of type {key_type}; known are {', '.join(keys.KEY_TYPES)}")
    return request


def _request_invalid(what: str, problem: str) -> TlsError:
    return TlsError(
        f"{what} {problem}",
        hint="Nothing was signed. Run the play again, so that the host makes a new request.",
        code="request-invalid",
    )


def self_sign_authority(
    key: PrivateKey,
    *,
    common_name: str,
    organization: str,
    unit: str,
    purpose: str,
    not_before: datetime,
    not_after: datetime,
) -> x509.Certificate:
    """Return the self-signed certificate of an authority; Subject is O (if any), OU (if any), CN.

    ``unit`` holds the generation (``server-g1``): two authorities with one name and two keys confuse OpenSSL when their
    certificates stand in one file (measured), so each generation has a name of its own.
    Raises TlsError ``common-name-invalid``, ``purpose-unknown``.
    """
    for option, text in (("common_name", common_name), ("organization", organization), ("unit", unit)):
        if text or option == "common_name":
            names.check_common_name(text, option)
    attributes = [
        x509.NameAttribute(oid, text)
        for oid, text in (
            (NameOID.ORGANIZATION_NAME, organization),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            (NameOID.COMMON_NAME, common_name),
        )
        if text
    ]
    subject = x509.Name(attributes)
    extensions = names.authority(purpose, key.public_key())
    builder = _extended(x509.CertificateBuilder().issuer_name(subject), extensions)
    builder = _completed(builder, subject, key.public_key(), not_before, not_after, None)
    return builder.sign(key, hash_for(key))


@dataclass(frozen=True)
class Signer:
    """An authority ready to sign; what its certificates share is made once. Made by ``signer``."""

    certificate: x509.Certificate
    key: t.Any
    not_after: datetime
    hash: t.Any
    started: dict[tuple[str, bool], x509.CertificateBuilder] = field(default_factory=dict)

    def start(self, profile: str, public_key: t.Any) -> x509.CertificateBuilder:
        """Return the beginning of a certificate: the issuer, and the extensions that depend on the profile alone."""
        enciphers_keys = names.enciphers_keys(profile, public_key)
        builder = self.started.get((profile, enciphers_keys))
        if builder is None:
            identifier = names.authority_key_identifier(self.certificate)
            shared = names.leaf_shared(profile, enciphers_keys=enciphers_keys, authority_key_identifier=identifier)
            builder = _extended(x509.CertificateBuilder().issuer_name(self.certificate.subject), shared)
            self.started[(profile, enciphers_keys)] = builder
        return builder


def signer(certificate: x509.Certificate, key: PrivateKey) -> Signer:
    """Return an authority that is ready to sign. Raises TlsError ``authority-key-mismatch``."""
    if keys.public_key_fingerprint(key.public_key()) != keys.public_key_fingerprint(certificate.public_key()):
        raise TlsError(
            "the authority's key does not belong to its certificate",
            hint="Restore the CA directory from a backup, in which both are of one time.",
            code="authority-key-mismatch",
        )
    return Signer(certificate, key, compat.not_after(certificate), hash_for(key))


def sign_leaf(
    authority: Signer,
    *,
    public_key: t.Any,
    profile: str,
    subject: names.SubjectNames,
    not_before: datetime,
    not_after: datetime,
    serial: int | None = None,
) -> x509.Certificate:
    """Return a certificate of ``profile`` (``server`` or ``client``) for ``public_key`` and ``subject``.

    ``serial`` is random (159 bits, RFC 5280 §4.1.2.2) unless given. The caller backdates ``not_before``.
    Raises TlsError ``validity-too-long``, ``validity-invalid``, ``profile-unknown``, ``common-name-invalid``,
    ``name-invalid``.
    """
    _check_end(authority.not_after, not_after)
    names.check_common_name(subject.common_name)
    if not subject.names:
        raise TlsError(
            f"the certificate for {subject.common_name!r} would have no names",
            hint="Give at least one DNS name or IP address.",
            code="name-invalid",
        )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)])
    own = names.leaf_own(public_key, names.general_names(subject.names))
    builder = _extended(authority.start(profile, public_key), own)
    return _completed(builder, name, public_key, not_before, not_after, serial).sign(authority.key, authority.hash)


def _check_end(last: datetime, end: datetime) -> None:
    if end > last:
        raise TlsError(
            f"the certificate would end {isoformat(end)}, after its authority, which ends {isoformat(last)}",
            hint="Ask for a shorter validity, or renew the authority first.",
            code="validity-too-long",
        )


def _extended(builder: x509.CertificateBuilder, extensions: t.Iterable[names.Extension]) -> x509.CertificateBuilder:
    for extension in extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder


def _completed(
    builder: x509.CertificateBuilder,
    subject: x509.Name,
    public_key: t.Any,
    begin: datetime,
    end: datetime,
    serial: int | None,
) -> x509.CertificateBuilder:
    """Return a builder with the fields of one certificate; times are cut to whole seconds (RFC 5280 §4.1.2.5)."""
    if end <= begin:
        raise TlsError(
            f"the certificate would end {isoformat(end)}, before it begins ({isoformat(begin)})",
            hint="Ask for a longer validity, and check the clock of the host that signs.",
            code="validity-invalid",
        )
    return (
        builder.subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(begin.replace(microsecond=0))
        .not_valid_after(end.replace(microsecond=0))
    )


def hash_for(key: PrivateKey) -> t.Any:
    """Return the hash that goes with a signing key: SHA-384 for P-384, none for Ed25519 (RFC 8410), else SHA-256."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1":
        return hashes.SHA384()
    return hashes.SHA256()
