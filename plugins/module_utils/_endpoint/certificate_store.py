# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS files of a host as one set that changes in one rename.

In the directory, ``ca.pem`` and its like are links to ``current/<name>``, and ``current`` is a link to ``revision-<n>``,
a directory with a complete set. So at no moment, even at a power loss, is a key beside another key's
certificate (dockerd would not start; dockerd-facts 2.3). Files of another tool found at these names are adopted: the same
bytes become a revision, then link by link takes the place of a file that reads the same.

dockerd is given ``current/<name>`` (``live_path``): that is a regular file, and docker-bench-security (3.10, 3.12, 3.14) and
tools like it call stat(2) without following a link, so that each link has mode 0777 for them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from .._files import ensure_directory, fsync_directory, read_bytes_or_none, symlink_atomic, write_atomic
from . import certificate_store_files
from .certificate_store_files import SERVER_KEY, insecure_names, mode_of, remove_leftovers, remove_tree, tighten, unlink

CA = "ca.pem"
CLIENT_CA = "client-ca.pem"
CERTIFICATE = "server-cert.pem"
KEY = SERVER_KEY
NAMES = (CA, CLIENT_CA, CERTIFICATE, KEY)
#: daemon.json's settings of the files that dockerd reads.
NAME_OF_SETTING = {"tlscacert": CLIENT_CA, "tlscert": CERTIFICATE, "tlskey": KEY}
PENDING_KEY = "server-key.pem.new"
CURRENT = "current"

_ADOPTED = "adopted.json"  # in a revision: how the files of another tool were found
_LATER = "later.json"  # the same for files of others that have replaced ours since
_PREVIOUS = "previous"  # in a revision: the name of the one that was live before it
_REVISION = re.compile(r"revision-([1-9][0-9]*)")


@dataclass(frozen=True)
class CertificateSet:
    """What dockerd would read now.

    ``layout``: missing (no directory), empty (no set), plain (files of another tool), revisions (ours), mixed (an
    interrupted adoption, or a file in the place of a link).
    """

    ca: bytes | None
    client_ca: bytes | None
    certificate: bytes | None
    key: bytes | None
    layout: str
    revision: str | None = None  # name of the current revision directory
    directory_mode: int | None = None
    insecure: tuple[str, ...] = ()  # of the current revision: open to others than root; "." is the directory
    foreign: tuple[str, ...] = ()  # names that are there and not our links

    def files(self) -> dict[str, bytes]:
        """Return name -> bytes of the files that are there."""
        found = zip(NAMES, (self.ca, self.client_ca, self.certificate, self.key))
        return {name: data for name, data in found if data is not None}


def live_path(directory: str, name: str) -> str:
    """Return the path by which dockerd reads a file of the live set; that is a regular file, not a link."""
    return f"{directory.rstrip('/')}/{CURRENT}/{name}"


def read_set(directory: str) -> CertificateSet:
    """Read the set; never changes anything. Raises TlsError ``file-unreadable``, ``certificate-store-unusable``."""
    if not os.path.isdir(directory):
        return CertificateSet(None, None, None, None, "missing")
    revision = _current(directory)
    ours = [name for name in NAMES if _is_our_link(directory, name)]
    others = [name for name in NAMES if name not in ours and os.path.lexists(os.path.join(directory, name))]
    data = {name: read_bytes_or_none(os.path.join(directory, name)) for name in others}
    if revision is not None:
        data.update({name: read_bytes_or_none(os.path.join(directory, revision, name)) for name in ours})
    layout = _layout(revision, ours, others)
    mode = os.stat(directory).st_mode & 0o7777
    ca, client_ca, certificate, key = (data.get(name) for name in NAMES)
    insecure = () if revision is None else insecure_names(os.path.join(directory, revision), NAMES)
    return CertificateSet(ca, client_ca, certificate, key, layout, revision, mode, insecure, tuple(others))


def _layout(revision: str | None, ours: t.Sequence[str], others: t.Sequence[str]) -> str:
    if others:
        return "mixed" if revision is not None or ours else "plain"
    return "empty" if revision is None else "revisions"


def read_revision(directory: str, revision: str) -> dict[str, bytes]:
    """Return name -> bytes of the files of a revision. Raises TlsError ``file-unreadable``."""
    found = {name: read_bytes_or_none(os.path.join(directory, revision, name)) for name in NAMES}
    return {name: data for name, data in found.items() if data is not None}


def pending_key(directory: str) -> bytes | None:
    """Return the key that waits for its certificate, None where there is none."""
    return read_bytes_or_none(os.path.join(directory, PENDING_KEY))


def discard_pending_key(directory: str) -> None:
    """Remove the pending key (after it has become the live one)."""
    with _reported(directory):
        unlink(os.path.join(directory, PENDING_KEY))


def prepare(directory: str, changes: t.Mapping[str, bytes]) -> str:
    """Write a new complete revision = the live set with ``changes``; return its name. What dockerd reads stays as it is.

    Where nothing differs from the current revision, that one is returned. Files of another tool are adopted first.
    Raises TlsError ``certificate-store-unusable``, ``file-unwritable`` (disk full, read-only), ``file-unreadable``.
    """
    _check_names(changes)
    if not os.path.isdir(directory):
        ensure_directory(directory, 0o700)
    with _reported(directory):
        remove_leftovers(directory)
        _adopt(directory)
        live = read_set(directory)
        wanted = {**live.files(), **changes}
        if live.revision is not None and wanted == live.files():
            return live.revision
        return _write_revision(directory, wanted, {_PREVIOUS: (live.revision or "").encode()}, {})


def activate(directory: str, revision: str) -> None:
    """Switch to a revision in one rename, flushed to disk; the directory becomes 0700, and its files get their modes and links.

    Raises TlsError ``certificate-store-unusable`` (no such revision), ``file-unwritable``.
    """
    with _reported(directory):
        wanted = read_revision(directory, revision) if _REVISION.fullmatch(revision) else {}
        if not wanted:
            raise TlsError(
                f"{directory} has no set of certificates called {revision}",
                hint="It was removed. Run again with state present: that installs a new one.",
                code="certificate-store-unusable",
            )
        ensure_directory(directory, 0o700)
        tighten(os.path.join(directory, revision), NAMES)
        for name in wanted:  # a link to nothing reads as no file, so this changes nothing yet
            if not os.path.lexists(os.path.join(directory, name)):
                symlink_atomic(f"{CURRENT}/{name}", os.path.join(directory, name))
        current = _current(directory)
        for name, data in (read_revision(directory, current) if current else {}).items():
            # A file that reads the same, as after put_back, becomes a link first: no set may be half switched.
            path = os.path.join(directory, name)
            if not _is_our_link(directory, name) and os.path.exists(path) and read_bytes_or_none(path) == data:
                symlink_atomic(f"{CURRENT}/{name}", path)
        if current != revision:
            symlink_atomic(revision, os.path.join(directory, CURRENT))
        for name in NAMES:
            if name in wanted and not _is_our_link(directory, name):
                symlink_atomic(f"{CURRENT}/{name}", os.path.join(directory, name))
            elif name not in wanted and _is_our_link(directory, name):
                unlink(os.path.join(directory, name))
        fsync_directory(directory)


def previous(directory: str) -> str | None:
    """Return the revision that was live before the current one, if it is still there."""
    revision = _current(directory) if os.path.isdir(directory) else None
    data = read_bytes_or_none(os.path.join(directory, revision, _PREVIOUS)) if revision is not None else None
    name = (data or b"").decode("ascii", "replace")
    return name if name and name in revisions(directory) else None


def adopted_revision(directory: str) -> str | None:
    """Return the revision that holds the files of another tool as they were found first, None where there was none."""
    return _last_with(directory, _ADOPTED)


def later_names(directory: str) -> tuple[str, ...]:
    """Return the names where other files have replaced ours since; the last such set is kept."""
    revision = _last_with(directory, _LATER)
    found = {} if revision is None else _found_as(directory, revision, _LATER)
    return tuple(name for name in found if name in NAMES)


def _last_with(directory: str, note: str) -> str | None:
    names = revisions(directory) if os.path.isdir(directory) else []
    found = [name for name in names if os.path.exists(os.path.join(directory, name, note))]
    return found[-1] if found else None


def prune(directory: str, keep: t.Collection[str] = ()) -> tuple[str, ...]:
    """Remove all revisions but the current, the previous, those with files of others and ``keep``; return what went.

    Half-written leftovers of a run that was killed go as well. Raises TlsError ``certificate-store-unusable``.
    """
    if not os.path.isdir(directory):
        return ()
    others = (adopted_revision(directory), _last_with(directory, _LATER))
    kept = {_current(directory), previous(directory), *others, *keep}
    gone = tuple(name for name in revisions(directory) if name not in kept)
    with _reported(directory):
        for name in gone:
            remove_tree(directory, name)
        remove_leftovers(directory)
    return gone


def restore(directory: str, revision: str) -> None:
    """Put the names back as they were found in the adopted ``revision`` (files or links); all revisions stay.

    ``activate`` of another revision takes it back. Raises TlsError ``certificate-store-unusable``, ``file-unwritable``.
    """
    files, found = read_revision(directory, revision), _found_as(directory, revision)
    with _reported(directory):
        certificate_store_files.restore(directory, os.path.join(directory, revision), files, found)


def release(directory: str, revision: str | None) -> tuple[str, ...]:
    """Put the names back as they were found in the adopted ``revision``, and take all away that is ours; can be repeated.

    None: at first no set existed, so our names and revisions are removed, and the directory too if nothing else is in it.
    Files that are not ours stay, and so does a pending key. Returns the paths where files were put aside that somebody had put
    in the place of ours. Raises TlsError ``certificate-store-unusable``, ``file-unwritable``.
    """
    if not os.path.isdir(directory):
        return ()
    aside: tuple[str, ...] = ()
    found = _found_as(directory, revision) if revision is not None else {}
    with _reported(directory):
        if revision is not None and revision in revisions(directory):
            files = read_revision(directory, revision)
            if any(_is_our_link(directory, name) for name in files):
                activate(directory, revision)
            restore(directory, revision)
            aside = _put_later_aside(directory, files)
        unlink(os.path.join(directory, CURRENT))  # from here on, all that is still a link of ours reads as no file
        for name in NAMES:
            if _is_our_link(directory, name):
                unlink(os.path.join(directory, name))
        for name in revisions(directory):
            if name != revision:
                remove_tree(directory, name)
        remove_leftovers(directory)
        if "mode" in found.get(".", {}):
            os.chmod(directory, found["."]["mode"])
        if revision is not None and revision in revisions(directory):  # the last: until then all can be repeated
            remove_tree(directory, revision)
        elif revision is None and not os.listdir(directory):
            os.rmdir(directory)
            return aside
        fsync_directory(directory)
    return aside


def _put_later_aside(directory: str, given: t.Mapping[str, bytes]) -> tuple[str, ...]:
    later = _last_with(directory, _LATER)
    if later is None:
        return ()
    found, files = _found_as(directory, later, _LATER), read_revision(directory, later)
    return certificate_store_files.put_aside(directory, os.path.join(directory, later), files, found, given)


def _check_names(changes: t.Mapping[str, bytes]) -> None:
    unknown = sorted(set(changes) - set(NAMES))
    if unknown:
        raise TlsError(
            f"no file of a set of certificates is called {', '.join(unknown)}",
            hint="This should not happen: please report it.",
            code="certificate-store-unusable",
        )


@contextlib.contextmanager
def _reported(directory: str) -> t.Iterator[None]:
    """Turn an OSError into a TlsError."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise TlsError(
            f"cannot change the certificates in {directory}: {error.strerror}{place}",
            hint=f"dockerd still reads the set that it had. {_files.advice(error)}",
            code="certificate-store-unusable",
        ) from error


def _current(directory: str) -> str | None:
    """Return the name of the current revision. Raises TlsError where ``current`` is something of someone else."""
    path = os.path.join(directory, CURRENT)
    try:
        target = os.readlink(path)
    except FileNotFoundError:
        return None
    except OSError:
        target = "not a link"
    if not _REVISION.fullmatch(target):
        raise TlsError(
            f"{path} is there and not ours ({target})",
            hint="Move it away, or give the certificates a directory of their own (docker_daemon_certificate_path).",
            code="certificate-store-unusable",
        )
    return target


def _is_our_link(directory: str, name: str) -> bool:
    try:
        return os.readlink(os.path.join(directory, name)) == f"{CURRENT}/{name}"
    except OSError:
        return False


def revisions(directory: str) -> list[str]:
    """Return the names of the revisions in a directory that is there, oldest first."""
    numbers = [int(match[1]) for match in map(_REVISION.fullmatch, os.listdir(directory)) if match]
    return [f"revision-{number}" for number in sorted(numbers)]


def _adopt(directory: str) -> None:
    """Make files found at our names a revision of ours. At each step every name reads the bytes that it read before."""
    live = read_set(directory)
    if live.layout not in ("plain", "mixed"):
        return
    revision = live.revision
    if revision is None or read_revision(directory, revision) != live.files():
        first = revision is None and live.layout == "plain"
        theirs = [name for name in NAMES if not _is_our_link(directory, name)]
        note = json.dumps(certificate_store_files.describe(directory, theirs), indent=1, sort_keys=True).encode()
        extra = {_PREVIOUS: (revision or "").encode(), _ADOPTED if first else _LATER: note}
        modes = {name: os.stat(os.path.join(directory, name)) for name in live.files()} if first else {}
        revision = _write_revision(directory, live.files(), extra, modes, theirs)
        symlink_atomic(revision, os.path.join(directory, CURRENT))
    for name in live.files():
        if not _is_our_link(directory, name):
            symlink_atomic(f"{CURRENT}/{name}", os.path.join(directory, name))


def _found_as(directory: str, revision: str, note: str = _ADOPTED) -> dict[str, dict[str, t.Any]]:
    """Return how the files of ``revision`` were found when they were adopted; nothing where they were not."""
    data = read_bytes_or_none(os.path.join(directory, revision, note))
    return json.loads(data) if data else {}


def _write_revision(
    directory: str,
    files: t.Mapping[str, bytes],
    extra: t.Mapping[str, bytes],
    modes: t.Mapping[str, os.stat_result],
    adopt: t.Collection[str] = (),
) -> str:
    """Write a complete revision, flushed, under a name of its own; return the name.

    ``modes``: as found, for adopted files. ``adopt``: names of files of others, which are kept as they are.
    """
    existing = revisions(directory)
    number = int(existing[-1].split("-")[1]) + 1 if existing else 1
    staging = os.path.join(directory, f".staging-{secrets.token_hex(6)}")
    os.mkdir(staging, 0o700)
    try:
        for name, data in files.items():
            found = modes.get(name)
            if found is None:
                write_atomic(os.path.join(staging, name), data, mode_of(name))
            else:
                write_atomic(os.path.join(staging, name), data, found.st_mode & 0o7777, found.st_uid, found.st_gid)
        for name, data in extra.items():
            write_atomic(os.path.join(staging, name), data, 0o400)
        certificate_store_files.keep(directory, adopt, staging)
        os.rename(staging, os.path.join(directory, f"revision-{number}"))
    except Exception:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    fsync_directory(directory)
    return f"revision-{number}"
