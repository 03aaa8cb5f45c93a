# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CA directory has beside the ledger: a file for each certificate, and the revocation lists.

The ledger has the revocations (``certificate-revoked``, one line a serial, written first); a list is made of it and can be made again at any
time. So a killed run leaves at worst a list that is older than the ledger, and the next run completes it. Serials are never taken out.

Its number is the time in seconds, or one more than before where that is higher: it increases also after a backup came back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .. import _files
from .._errors import TlsError
from .._pki import names, revocation_list
from .._time import isoformat
from . import access, layout, ledger, store
from .access import ClientCertificate
from .layout import FILE_MODE, CaDirectory

if t.TYPE_CHECKING:
    from .._pki.reader import CertificateView


# Up to this many files, one fsync each is quicker than waiting for everything that a busy file system has to write.
_FEW = 32


def sync_file_system(path: str) -> None:
    """Flush the file system that holds ``path`` to disk (Linux syncfs(2), which Python does not offer; else sync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            failed = ctypes.CDLL(None, use_errno=True).syncfs(descriptor)
        except (OSError, AttributeError):
            os.sync()
            return
        if failed:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def write_issued(place: CaDirectory, certificates: t.Mapping[str, str]) -> None:
    """Write ``issued/<serial>.pem`` for every serial, each either whole or not there, and flush them all.

    Only under the lock and after the ledger. Raises TlsError ``file-unwritable``: the ledger then has certificates
    that no host got, which is harmless; the next run signs new ones.
    """
    few = len(certificates) <= _FEW
    try:
        for serial, content in certificates.items():
            _write(place, f"{serial}.pem", content.encode("ascii"), flush=few)
        if few:
            _files.fsync_directory(place.issued)
        else:
            sync_file_system(place.issued)
    except OSError as error:
        raise TlsError(
            f"cannot write the issued certificates to {place.issued}: {error.strerror}. No certificate was released",
            hint="Check the free space and the modes there, then run again.",
            code="file-unwritable",
        ) from error


def _write(place: CaDirectory, name: str, data: bytes, *, flush: bool) -> None:
    half_made = os.path.join(place.staging, name)
    descriptor = os.open(half_made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if flush:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(half_made, os.path.join(place.issued, name))


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


#: The reason of a change: a list was missing, ended, or lacked a revocation.
SIGNED = "revocation-list-signed"


def stage(path: str, certificate: t.Any, key: t.Any, now: datetime) -> None:
    """Write the first list, which revokes nothing, of an authority that is made in the directory ``path``; none for one of servers."""
    name, _generation = store.split_identifier(os.path.basename(path)) or ("", 0)
    if store.purpose_of(name) == "client" and revocation_list.can_sign(certificate):
        content = revocation_list.sign_list(certificate, key, (), number=int(now.timestamp()), now=now)
        _files.write_atomic(os.path.join(path, store.LIST), content.encode("ascii"), layout.FILE_MODE)


def has_list(one: store.StoredAuthority) -> bool:
    """Return whether an authority has a list: one of clients that may sign lists (one of another tool perhaps may not)."""
    return one.purpose == "client" and revocation_list.can_sign(one.certificate)


def due(stored: store.Stored, found: ledger.Scan, now: datetime) -> list[store.StoredAuthority]:
    """Return the generations whose list is missing, cannot be used, or lacks a revocation of the ledger."""
    return [
        one
        for generations in stored.values()
        for one in generations
        if has_list(one) and one.view.not_after > now and not _is_good(one, found.revoked.get(one.id, frozenset()), now)
    ]


def _is_good(one: store.StoredAuthority, serials: frozenset[str], now: datetime) -> bool:
    try:
        lists = revocation_list.check_lists(one.crl_content, one.certificate_content, now)
    except TlsError:
        return False
    return lists[0].serials >= {int(serial, 16) for serial in serials}


@dataclass(frozen=True)
class Listed:
    """A certificate for a list. ``authority`` is the id of a generation, ``group`` the access group that it is of."""

    serial: str
    authority: str
    client: str
    group: str

    def to_dict(self) -> dict[str, str]:
        """Return it as modules report it."""
        return dict(vars(self))


def to_list(
    entries: t.Iterable[access.Entry],
    revoked: t.Iterable[str],
    ended: t.Iterable[ClientCertificate],
    there: t.Mapping[str, str],
    now: datetime,
) -> list[Listed]:
    """Return the valid certificates in the ledger that are to be refused, each once.

    Those are all certificates of the clients ``revoked``, and of the others exactly the certificates ``ended``: a client can have one
    that the inventory does not list beside one that it does. ``there`` has the access group of each generation that is trusted.
    """
    names_of = {names.client_identity(client): client for client in revoked}
    keys = {access.key_of(one) for one in ended}
    found: dict[str, Listed] = {}
    for entry in filter(access.is_client_certificate, entries):
        generation = str(entry.get("authority", ""))
        if generation not in there or access.end_of(entry) <= now:
            continue
        key = access.key_of_entry(entry)
        known = [names_of[each] for each in access.identities_of(entry) if each in names_of]
        client = known[0] if known else key[0] if key in keys else ""
        if client:
            found[entry["serial"]] = Listed(entry["serial"], generation, client, there[generation])
    return list(found.values())


def all_have_lists(stored: store.Stored) -> bool:
    """Return whether every client authority has a list: a proxy with the list of one authority refuses the clients of all that have none."""
    return all(has_list(one) for each in stored.values() for one in each if one.purpose == "client")


def covers(generations: t.Iterable[store.StoredAuthority], entries: t.Iterable[access.Entry]) -> bool:
    """Return whether lists can refuse everything that these generations have signed.

    False where one of them may sign no list, or has signed certificates that the ledger does not know (an adopted CA, a restored or restarted ledger).
    """
    created: set[str] = set()
    for entry in entries:
        if entry.get("event") == "authority-created":
            created.add(str(entry.get("authority", "")))
        elif entry.get("event") == "ledger-restored":
            created.clear()
    return all(has_list(one) and one.id in created for one in generations)


def renew(wanted: t.Iterable[store.StoredAuthority], found: ledger.Scan, passphrase: bytes, now: datetime) -> None:
    """Sign the lists of ``wanted`` again and write them. Only under the lock, after the ledger has their revocations."""
    for one in wanted:
        serials = {int(serial, 16) for serial in found.revoked.get(one.id, frozenset())}
        number = int(now.timestamp())
        for before in _readable(one):
            number = max(number, before.number + 1)
            serials |= before.serials
        key = store.open_key(one, passphrase)
        content = revocation_list.sign_list(one.certificate, key, serials, number=number, now=now)
        revocation_list.check_lists(content, one.certificate_content, now)
        path = os.path.join(one.directory, store.LIST)
        _files.remove_half_written(path)
        _files.write_atomic(path, content.encode("ascii"), layout.FILE_MODE)


def _readable(one: store.StoredAuthority) -> list[revocation_list.RevocationList]:
    """Return the list that is there, where the authority has signed it: a serial in it was revoked, also if a restored ledger lacks it."""
    try:
        lists = revocation_list.read_lists(one.crl_content, one.directory)
    except TlsError:
        return []
    return [each for each in lists if revocation_list.is_by(each, one.certificate)]
