# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CA keeps of an issued certificate: the fields of its ledger line, and its file, written without one fsync each."""

from __future__ import annotations

import ctypes
import errno
import os
import typing as t

from .. import _files
from .._errors import TlsError
from .._time import isoformat
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
