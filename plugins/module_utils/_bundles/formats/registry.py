# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All formats of a bundle by their names, and PKCS#12. |.

Written with PBES2 (PBKDF2-HMAC-SHA256, 600,000 rounds, AES-256-CBC) and a MAC with SHA-256: no 3DES or RC2, and yet
read by OpenSSL from 1.1.1, Java from 8u301 and Windows 10. It holds the client's key and certificate and, for the
servers, the certificates of ``ca.pem``.
"""

from __future__ import annotations

import typing as t

from ..._errors import TlsError
from ..._pki import compat, reader
from . import tool_files
from .tool_files import File, Identity

ROUNDS = 600_000


def files(identity: Identity) -> dict[str, File]:
    """Return ``client.p12``. Raises TlsError ``passphrase-missing``."""
    if not identity.passphrase:
        raise TlsError(
            f"the bundle of {identity.client!r} needs a passphrase for client.p12, and none is set",
            hint="Set docker_client_cert_pkcs12_passphrase (the module's pkcs12_passphrase).",
            code="passphrase-missing",
        )
    return {
        "client.p12": File(
            make=lambda: _make(identity), is_current=lambda data: _is_current(data, identity), private=True
        )
    }


def _make(identity: Identity) -> bytes:
    """Return the file; each call gives other bytes (salts), so it is made only when the old one will not do."""
    key, certificate, chain = _parts(identity)
    encryption = compat.pkcs12_encryption(identity.passphrase.encode(), ROUNDS)
    if encryption is None:
        raise TlsError(
            f"client.p12 of {identity.client!r} cannot be made: this host's cryptography knows only outdated encryption for it",
            hint="It takes cryptography 38 or newer (Debian 12 has it). Make it on another host, or leave pkcs12 out there.",
            code="pkcs12-unsupported",
        )
    name = identity.client.encode()
    return bytes(compat.pkcs12.serialize_key_and_certificates(name, key, certificate, chain, encryption))


def _is_current(data: bytes, identity: Identity) -> bool:
    """Return whether ``data`` opens with the passphrase and holds this very key and these very certificates."""
    try:
        found = compat.pkcs12.load_key_and_certificates(data, identity.passphrase.encode())
    except ValueError:
        return False
    return None not in found[:2] and _digestible(*found) == _digestible(*_parts(identity))


def _parts(identity: Identity) -> tuple[t.Any, t.Any, list[t.Any]]:
    first, *chain = reader.load_certificates(identity.certificate, "cert.pem")
    key = compat.load_pem_private_key(identity.key, None)
    return key, first, [*chain, *reader.load_certificates(identity.ca, "ca.pem")]


def _digestible(key: t.Any, certificate: t.Any, chain: t.Sequence[t.Any]) -> tuple[bytes, ...]:
    der = compat.serialization.Encoding.DER
    public = key.public_key().public_bytes(der, compat.serialization.PublicFormat.SubjectPublicKeyInfo)
    return (public, certificate.public_bytes(der), *sorted({each.public_bytes(der) for each in chain}))


#: The bundle itself (always made, named or not), and env.sh; both are written by ``_bundles``.
DOCKER, ENVIRONMENT = "docker", "environment"

MAKERS: dict[str, t.Callable[[Identity], dict[str, File]]] = {
    "context": tool_files.context,
    "context_archive": tool_files.context_archive,
    "direnv": tool_files.direnv,
    "gitlab_runner": tool_files.gitlab_runner,
    "module_defaults": tool_files.module_defaults,
    "pkcs12": files,
    "portainer": tool_files.portainer,
    "prometheus": tool_files.prometheus,
    "terraform": tool_files.terraform,
    "traefik": tool_files.traefik,
}

#: All names that an option takes.
NAMES = (DOCKER, ENVIRONMENT, *MAKERS)
