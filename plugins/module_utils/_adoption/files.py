# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates and keys that lie about on a host, read; and where the private keys of given CAs lie on a machine, with Docker or without.

Only files that hold a certificate or a private key count, wherever Docker, its documentation, docker-machine and the common
scripts put theirs, and where people leave copies. Nothing is opened that is not a regular file, and nothing is changed.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._host.file_owner import MAXIMUM_FILE_BYTES, read_regular
from .._pki import keys, pem, reader

#: Directories that are searched (not below them); patterns are for glob(3).
PLACES = (
    "/etc/docker",
    "/etc/docker/certs",
    "/etc/docker/ssl",
    "/etc/docker/tls",
    "/etc/docker/ca",
    "/etc/pki/docker",
    "/etc/ssl/docker",
    "/certs/*",
    "/var/docker",
    "/var/lib/boot2docker",
    "/opt/docker",
    "/opt/docker/certs",
    "/root",
    "/root/.docker",
    "/root/certs",
    "/root/docker-certs",
    "/root/.docker/machine/certs",
    "/home/*",
    "/home/*/.docker",
    "/home/*/certs",
    "/home/*/docker-certs",
    "/home/*/.docker/machine/certs",
    "/tmp",  # noqa: S108 - to find leftovers there
    "/tmp/*",  # noqa: S108
    "/var/tmp",  # noqa: S108
    "/var/tmp/*",  # noqa: S108
)
_SUFFIXES = (".pem", ".crt", ".cer", ".cert", ".key")
_MOST_IN_A_DIRECTORY = 500
_MOST_BELOW = 50


@dataclass(frozen=True)
class KeyFact:
    """A private key: ``fingerprint`` of its public key, "" where it is encrypted and so is not known."""

    encrypted: bool
    fingerprint: str
    key_type: str


@dataclass(frozen=True)
class FileFact:
    """A file with certificates, a key, or both."""

    path: str
    mode: int
    uid: int
    certificates: tuple[reader.CertificateView, ...]
    content: str
    key: KeyFact | None


def search(named: t.Iterable[str], places: t.Iterable[str] = PLACES) -> tuple[FileFact, ...]:
    """Return the files of interest: those ``named``, those beside them, and those in ``places``; by path."""
    paths = tuple(named)
    wanted = {os.path.realpath(path) for path in paths if os.path.isabs(path)}
    for directory in directories(paths, places):
        wanted.update(os.path.join(directory, name) for name in _candidates(directory))
    found = (read_fact(path) for path in sorted(wanted))
    return tuple(fact for fact in found if fact is not None)


def directories(named: t.Iterable[str], places: t.Iterable[str] = PLACES) -> tuple[str, ...]:
    """Return the directories that are searched: those of the files ``named``, one below and one above them, and ``places``."""
    beside: set[str] = set()
    for path in named:
        if os.path.isabs(path):
            beside.update((os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))))
    found = set(beside)
    for directory in beside:
        above = os.path.dirname(directory)
        if os.path.dirname(above) != above:  # without /etc and /root: their relevant parts are in PLACES
            found.add(above)
        found.update(sorted(filter(os.path.isdir, glob.glob(os.path.join(glob.escape(directory), "*"))))[:_MOST_BELOW])
    for pattern in places:
        found.update(glob.glob(os.path.expanduser(pattern)))
    return tuple(sorted({os.path.realpath(path) for path in found if os.path.isdir(path)}))


def _candidates(directory: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    chosen = [name for name in names if name.endswith(_SUFFIXES) or "key" in name.lower()][:_MOST_IN_A_DIRECTORY]
    return [name for name in chosen if not os.path.islink(os.path.join(directory, name))]


def read_fact(path: str) -> FileFact | None:
    """Return the content of a file, None where that is neither a certificate nor a private key, or cannot be read."""
    try:
        status = os.stat(path)
        data = read_regular(path) if status.st_size <= MAXIMUM_FILE_BYTES else None
    except (OSError, TlsError):
        return None
    if not data:
        return None
    views, content = _certificates(data, path)
    key = _key(data)
    if not views and key is None:
        return None
    return FileFact(path, status.st_mode & 0o7777, status.st_uid, views, content, key)


def _certificates(data: bytes, path: str) -> tuple[tuple[reader.CertificateView, ...], str]:
    try:
        loaded = reader.load_certificates(data, path)
        views = tuple(reader.view_certificate(one, path) for one in loaded)
    except TlsError:
        return (), ""
    return views, "".join(map(reader.certificate_pem, loaded))


def _key(data: bytes) -> KeyFact | None:
    blocks = pem.blocks(data, *pem.PRIVATE_KEY)
    if not blocks:
        return None
    if b"ENCRYPTED" in blocks[0]:
        return KeyFact(True, "", "")
    try:
        public = keys.load_private_key(blocks[0], what="the key").public_key()
    except TlsError:
        return None
    return KeyFact(False, keys.public_key_fingerprint(public), keys.key_type_of(public))


#: Where the one who made the CAs keeps them, beside the usual places.
HOME_PLACES = ("~", "~/.docker", "~/.docker/machine/certs", "~/certs", "~/docker-certs")
_CA_KEY = re.compile(r"(^|[^a-z])(ca|root)([^a-z].*)?key|key.*[^a-z](ca|root)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class CaKeys:
    """The places of keys as (fingerprint of the CA's certificate, path, whether it is encrypted), and which places were searched."""

    keys: tuple[tuple[str, str, bool], ...]
    searched: tuple[str, ...]


def find_ca_keys(certificates: t.Iterable[str], places: t.Iterable[str]) -> CaKeys:
    """Return the keys of ``certificates`` (PEM, a CA each) in the usual places and in ``places``.

    An encrypted key cannot be identified before it is opened: it counts where it is beside the CA's certificate, or where its name
    is that of a CA key and no CA's certificate is beside it. Raises TlsError ``certificate-unreadable``.
    """
    wanted = (*PLACES, *HOME_PLACES, *places)
    facts = search((), wanted)
    keys = []
    for text in certificates:
        view = reader.view_certificate(reader.load_certificate(text, "a CA's certificate"))
        for fact in facts:
            if fact.key is None:
                continue
            known = fact.key.fingerprint == view.public_key_fingerprint
            if known or (fact.key.encrypted and _may_be_ca_key(fact, view.public_key_fingerprint, facts)):
                keys.append((view.fingerprint_sha256, fact.path, fact.key.encrypted))
    return CaKeys(tuple(keys), directories((), wanted))


def _may_be_ca_key(fact: FileFact, fingerprint: str, facts: t.Iterable[FileFact]) -> bool:
    """Return whether an encrypted key may be that of the CA whose key has this fingerprint, by its surroundings."""
    directory = os.path.dirname(fact.path)
    beside = {
        view.public_key_fingerprint
        for other in facts
        for view in other.certificates
        if view.is_authority and os.path.dirname(other.path) == directory
    }
    return fingerprint in beside or (not beside and _CA_KEY.search(os.path.basename(fact.path)) is not None)
