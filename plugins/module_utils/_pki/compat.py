# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: implicit-reexport

"""The one place that imports ``cryptography`` and knows its versions (3.3.2 to 50).

Everything else here takes its names from this file. Where the library is missing or broken the names stand for nothing:
the files can still be imported (ansible-test does that), and whatever uses one of them fails with the library's problem.
"""

from __future__ import annotations

import sys
import typing as t
from datetime import datetime, timezone

from .._errors import TlsError

MINIMUM_CRYPTOGRAPHY = (3, 3)
MISSING, TOO_OLD, BROKEN = "cryptography-missing", "cryptography-too-old", "cryptography-broken"
_HINTS = {
    BROKEN: "Reinstall it where it came from (on Debian and Ubuntu: apt-get install --reinstall python3-cryptography "
    "python3-cffi-backend), or remove the copy that pip put before the distribution's; nothing is installed over a broken one. "
    "Or point ansible_python_interpreter at another Python."
}
_HINT = (
    "Install the distribution's package (python3-cryptography on Debian, Ubuntu, Fedora and their like), "
    "or point ansible_python_interpreter at a Python that has it."
)


class _NeverRaised(Exception):
    """Stands for the library's exceptions where the library is missing."""


class _Unusable:
    """Stands for a name of the library that could not be imported."""

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("__"):  # tools that inspect modules ask for these
            raise AttributeError(name)
        raise library_error(IMPORT_ERROR)


def is_of_library(error: BaseException) -> bool:
    """Return whether an error means that the library itself does not work.

    Its native parts raise pyo3's PanicException (a BaseException), and parts that are imported at their first use ImportError.
    """
    named = f"{getattr(error, 'name', None) or ''} {error}"
    lacking = isinstance(error, ImportError) and ("cryptography" in named or "cffi" in named)
    return lacking or type(error).__module__ == "pyo3_runtime"


def library_error(error: BaseException | None) -> TlsError:
    """Return what keeps this Python from using the library: ``cryptography-missing``, ``-too-old`` or ``-broken``.

    ``error`` is what its import or its use has raised.
    """
    found = sys.modules.get("cryptography")
    if found is None:
        try:
            import cryptography as found
        except BaseException as failure:
            _let_pass(failure)
            error = failure
    if found is None and isinstance(error, ModuleNotFoundError) and error.name == "cryptography":
        text, code = f"the Python library cryptography cannot be imported by {sys.executable}: {error}", MISSING
    else:
        text, code = _unusable(found, error)
    return TlsError(text, hint=_HINTS.get(code, _HINT), code=code)


def _unusable(found: t.Any, error: BaseException | None) -> tuple[str, str]:
    """Return message and code for a library that is there."""
    version = str(getattr(found, "__version__", "of an unknown version"))
    path = getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", ())), None) or "an unknown place"
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < MINIMUM_CRYPTOGRAPHY:
        wanted = ".".join(map(str, MINIMUM_CRYPTOGRAPHY))
        return f"cryptography {version} in {path} is older than {wanted}", TOO_OLD
    reason = " ".join(str(error).split()) or "no reason given"
    return (
        f"cryptography {version} in {path} is there and does not work in {sys.executable}: {type(error).__name__}: {reason}",
        BROKEN,
    )


def library_problem() -> TlsError | None:
    """Return why the library cannot be used, None where it can. A version that is too old may well have been imported."""
    found = sys.modules.get("cryptography")
    numbers = str(getattr(found, "__version__", "")).split(".")[:2]
    old = tuple(int(part) for part in numbers if part.isdigit()) < MINIMUM_CRYPTOGRAPHY
    return library_error(IMPORT_ERROR) if found is None or IMPORT_ERROR is not None or old else None


def _let_pass(error: BaseException) -> None:
    """Raise what only happens to come while something is imported."""
    if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
        raise error


IMPORT_ERROR: BaseException | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

    # Before version 42 the native part is loaded at the first use only: here, so that a broken one shows here.
    hashes.Hash(hashes.SHA256()).finalize()
except BaseException as _error:  # also a RuntimeError of OpenSSL's, and pyo3's PanicException
    _let_pass(_error)
    IMPORT_ERROR = _error
    x509 = hashes = serialization = ec = ed25519 = padding = rsa = _Unusable()  # type: ignore[assignment]
    Cipher = algorithms = modes = pkcs12 = _Unusable()  # type: ignore[assignment,misc]
    ExtendedKeyUsageOID = ExtensionOID = NameOID = _Unusable()  # type: ignore[assignment,misc]
    InvalidSignature = UnsupportedAlgorithm = _NeverRaised  # type: ignore[assignment,misc]

#: What ``cryptography`` raises for bytes that are not a certificate or request; the last two are not ValueError.
UNREADABLE: tuple[type[BaseException], ...] = (ValueError, TypeError, UnsupportedAlgorithm)
if IMPORT_ERROR is None:
    UNREADABLE += (x509.DuplicateExtension, x509.InvalidVersion)

if t.TYPE_CHECKING:
    PrivateKey = t.Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]


def not_before(certificate: x509.Certificate) -> datetime:
    """Return the start of validity, aware and in UTC (``not_valid_before_utc`` exists from 42 on)."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=timezone.utc)


def not_after(certificate: x509.Certificate) -> datetime:
    """Return the end of validity, aware and in UTC (``not_valid_after_utc`` exists from 42 on)."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=timezone.utc)


def this_update(crl: x509.CertificateRevocationList) -> datetime:
    """Return when a revocation list begins, aware and in UTC (``last_update_utc`` exists from 42 on)."""
    if hasattr(crl, "last_update_utc"):
        return crl.last_update_utc
    return crl.last_update.replace(tzinfo=timezone.utc)


def next_update(crl: x509.CertificateRevocationList) -> datetime | None:
    """Return when a revocation list ends, None where it has no end (``next_update_utc`` exists from 42 on)."""
    if hasattr(crl, "next_update_utc"):
        return crl.next_update_utc
    return crl.next_update.replace(tzinfo=timezone.utc) if crl.next_update else None


def load_pem_private_key(data: bytes, passphrase: bytes | None) -> t.Any:
    """Load a private key, without the slow RSA consistency check where the library can leave it out (39 and later).

    The check costs 0.1 to 0.5 s for RSA-4096 and protects against keys of an attacker; these files are the host's own.
    Raises what ``cryptography`` raises.
    """
    try:
        return serialization.load_pem_private_key(data, passphrase, unsafe_skip_rsa_key_validation=True)
    except TypeError as error:
        if "unsafe_skip_rsa_key_validation" not in str(error):
            raise
    return serialization.load_pem_private_key(data, passphrase)


def pkcs12_encryption(passphrase: bytes, rounds: int) -> t.Any:
    """Return how a PKCS#12 file is encrypted: AES-256 and SHA-256 throughout; None before cryptography 38 (3DES and SHA-1)."""
    builder = getattr(serialization.PrivateFormat, "PKCS12", None)
    if builder is None:
        return None
    return (
        builder.encryption_builder()
        .kdf_rounds(rounds)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(passphrase)
    )


def signature_is_by(signed: x509.Certificate | x509.CertificateRevocationList, public_key: t.Any) -> bool:
    """Return whether ``public_key`` made the signature on a certificate or a revocation list.

    By hand, because ``verify_directly_issued_by`` exists only from 40 on, and lists know no Ed25519 before 40. RSA-PSS is known only where
    the library exposes its parameters (41 and later); False elsewhere.
    """
    try:
        hash_algorithm = signed.signature_hash_algorithm
        data = signed.tbs_certificate_bytes if isinstance(signed, x509.Certificate) else signed.tbs_certlist_bytes
        if isinstance(public_key, rsa.RSAPublicKey) and hash_algorithm is not None:
            scheme = getattr(signed, "signature_algorithm_parameters", None)
            if not isinstance(scheme, padding.PSS):
                scheme = padding.PKCS1v15()
            public_key.verify(signed.signature, data, scheme, hash_algorithm)
        elif isinstance(public_key, ec.EllipticCurvePublicKey) and hash_algorithm is not None:
            public_key.verify(signed.signature, data, ec.ECDSA(hash_algorithm))
        elif isinstance(public_key, ed25519.Ed25519PublicKey) and hash_algorithm is None:
            public_key.verify(signed.signature, data)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
