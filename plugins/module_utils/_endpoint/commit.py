# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a committed change; can be repeated after a crash at any point."""

from __future__ import annotations

import contextlib
import os

from .._errors import TlsError
from . import atomic_swap, certificate_store
from .journal import Journal, StateDirectory


def commit(journal: Journal, state: StateDirectory) -> None:
    """Write the record, remove the files that are not needed any more, and the journal last.

    Raises TlsError ``file-unwritable``; the journal stays then, and the next run finishes.
    """
    state.write_record(journal.record)
    for saved in journal.files:
        atomic_swap.discard(saved.path)
    if journal.released:
        restore_directory(
            journal.directory, journal.adopted, journal.directory_mode, all_of_it=journal.action == "absent"
        )
        for directory in journal.former:
            certificate_store.release(directory, certificate_store.adopted_revision(directory) or "")
    elif journal.certificates is not None:
        with contextlib.suppress(TlsError, OSError):
            _tidy(journal, journal.certificates.directory)
    _remove_empty_dropin_directories(journal)
    for directory in {os.path.dirname(saved.path) for saved in journal.files if journal.proxy and not saved.after}:
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    if journal.record is None:
        state.clear_unverified()
        with contextlib.suppress(OSError):
            os.unlink(state.guard_path)
    state.remove_journal()


def restore_directory(directory: str, adopted: str, mode: int | None, *, all_of_it: bool) -> None:
    """Give the directory of the certificates back as it was found; can be repeated.

    ``adopted``: the revision with the files of another tool ("": there were none, and ours stay). ``mode``: of the
    directory then. ``all_of_it``: a key that waits for its certificate goes too, and a directory with nothing in it.
    Raises TlsError ``certificate-store-unusable``, ``file-unwritable``.
    """
    if not os.path.isdir(directory):
        return
    if all_of_it:
        certificate_store.discard_pending_key(directory)
    if adopted:
        certificate_store.release(directory, adopted)
        return
    with contextlib.suppress(OSError):
        if mode is not None and os.stat(directory).st_mode & 0o7777 != mode:
            os.chmod(directory, mode)
        if all_of_it and os.stat(directory).st_mode & 0o7777 == 0o700:  # as certificate_requests makes it
            os.rmdir(directory)


def _tidy(journal: Journal, directory: str) -> None:
    """Keep the live revision and the last good one; drop a pending key that has become the live one."""
    last_good = journal.record.last_good_revision if journal.record else None
    certificate_store.prune(directory, (last_good,) if last_good else ())
    pending = certificate_store.pending_key(directory)
    if pending is not None and pending == certificate_store.read_set(directory).key:
        certificate_store.discard_pending_key(directory)


def _remove_empty_dropin_directories(journal: Journal) -> None:
    for saved in journal.files:
        if saved.path.endswith(".conf") and not saved.after:  # a drop-in that the change took away
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(saved.path))
