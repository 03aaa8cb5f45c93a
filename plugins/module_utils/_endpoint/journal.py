# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""State that must survive a killed run: the journal of a change, the record of the state before the first run, the last good state.

All of it is in one directory (0700, files 0600), and none of it holds a key.
The journal is written and flushed before the first change and removed after the last: while it is there, a change is
unfinished. It holds the exact former bytes, owners and modes, so that ``rollback.py`` needs nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import glob
import json
import os
import time
import typing as t
from dataclasses import MISSING, dataclass, fields, replace

from .._errors import TlsError
from .._files import advice, ensure_directory, fsync_directory, read_bytes_or_none, write_atomic

_STATES = "/var/lib"
_STATE = "-tls"  # behind the name of the service
STATE_DIRECTORY = f"{_STATES}/docker{_STATE}"
BEGUN = "begun"  # files may be changed: to be rolled back
UNCONFIRMED = "unconfirmed"  # verified on the host; rolled back unless it is confirmed
COMMITTED = "committed"  # only the cleanup is left


@dataclass(frozen=True)
class SavedFile:
    """A file as it was (``data`` None: there was none) and as it will be (``after``: SHA-256 hex, "" for no file)."""

    path: str
    data: bytes | None
    mode: int
    uid: int
    gid: int
    after: str


@dataclass(frozen=True)
class SavedCertificates:
    """The certificate store as it was: words of ``_endpoint/certificate_store.py``, a digest, and its mode (None: no directory)."""

    directory: str
    layout: str
    revision: str | None
    digest: str
    mode: int | None


@dataclass(frozen=True)
class Record:
    """The record of a run for later ones. ``original_*``: found before the first change (None: no file).

    ``written``: the daemon.json that we wrote last, whole. ``last_good``: the files of the state before the last change.
    ``rolled_back``: that state is in use. ``confirmation_missed``: an unconfirmed change was rolled back since the last run.
    ``adopted_listen``: where the endpoint of others listened, as entries of docker_daemon_listen.
    ``directory``: of the certificates, and ``directory_mode`` before the first change. ``former``: directories of earlier runs.
    """

    original_config: bytes | None = None
    written_config: bytes | None = None
    config_path: str = ""
    settings: t.Mapping[str, t.Any] | None = None
    last_good: tuple[SavedFile, ...] = ()
    last_good_revision: str | None = None
    rolled_back: bool = False
    confirmation_missed: bool = False
    adopted_listen: tuple[str, ...] = ()
    directory: str = ""
    directory_mode: int | None = None
    former: tuple[str, ...] = ()


@dataclass(frozen=True)
class Journal:
    """A change under way. ``files`` are in the order in which they are swapped; a rollback goes the other way.

    ``process`` names dockerd's former process: while it still runs, nothing needs a restart.
    ``config_for_rollback``: daemon.json for the restart of a rollback, when only ``live-restore`` in it keeps the containers running.
    ``ours``: digests of all that we may write to daemon.json on the way. ``with_socket``: docker.socket changes too.
    ``found_state``: systemd's word for docker.service before, and ``process_started`` of its process: where that is the same,
    it was not started since.
    ``released``: the certificates' directory is restored, ``adopted`` being the revision with another tool's files;
    so are ``former`` directories.
    ``proxy``: the change of the proxy's unit ("": none), which ran before or not.
    """

    action: str
    phase: str
    started: float
    service: str
    socket: str
    config_path: str
    files: tuple[SavedFile, ...]
    directories: tuple[str, ...]
    certificates: SavedCertificates | None
    process: str
    was_active: bool
    config_for_rollback: bytes | None
    ours: tuple[str, ...]
    with_socket: bool
    timeout: int
    record: Record | None
    found_state: str = ""
    process_started: float = 0.0
    released: bool = False
    adopted: str = ""
    directory: str = ""
    directory_mode: int | None = None
    former: tuple[str, ...] = ()
    proxy: str = ""
    proxy_was_active: bool = False


_FORMAT = 1
_PHASES = (BEGUN, UNCONFIRMED, COMMITTED)
_TYPES: dict[str, t.Any] = {"str": str, "int": int, "float": (int, float), "bool": bool}
_BYTES = {"data", "original_config", "written_config", "config_for_rollback"}
_NESTED: dict[str, t.Any] = {"certificates": SavedCertificates, "record": Record}
_LISTS = {"files": SavedFile, "last_good": SavedFile}


def encode(value: t.Any) -> dict[str, t.Any]:
    """Return one of this file's dataclasses as what JSON can hold."""
    encoded: dict[str, t.Any] = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if item is not None and field.name in _BYTES:
            item = base64.b64encode(item).decode("ascii")
        elif item is not None and field.name in _NESTED:
            item = encode(item)
        elif field.name in _LISTS:
            item = [encode(element) for element in item]
        encoded[field.name] = item
    return encoded


def decode(kind: t.Any, encoded: t.Mapping[str, t.Any]) -> t.Any:
    """Return the dataclass ``kind`` that ``encode`` made ``encoded`` from; fields that an older one does not have get their defaults.

    Raises KeyError, TypeError, ValueError.
    """
    values: dict[str, t.Any] = {}
    for field in fields(kind):
        if field.name not in encoded and field.default is not MISSING:
            continue
        item = encoded[field.name]
        if item is not None and field.name in _BYTES:
            item = base64.b64decode(item, validate=True)
        elif item is not None and field.name in _NESTED:
            item = decode(_NESTED[field.name], item)
        elif field.name in _LISTS:
            item = tuple(decode(_LISTS[field.name], element) for element in item)
        elif isinstance(item, list):
            item = tuple(item)
        if not isinstance(item, _TYPES.get(str(field.type), object)):
            raise ValueError(f"{field.name} is {item!r}")
        values[field.name] = item
    return kind(**values)


def state_directory(service: str) -> str:
    """Return the path of the state directory of a Docker service: each has its own."""
    return f"{_STATES}/{service.rpartition('.')[0]}{_STATE}"


class StateDirectory:
    """The directory of journal, record and lock of one Docker service."""

    def __init__(self, path: str = STATE_DIRECTORY) -> None:
        self.path = path
        self.journal_path = os.path.join(path, "journal.json")
        self.record_path = os.path.join(path, "record.json")
        self.lock_path = os.path.join(path, "lock")
        self.guard_path = os.path.join(path, "revert.py")
        self.unverified_path = os.path.join(path, "not-verified")

    def exists(self) -> bool:
        """Return whether there is such a directory."""
        return os.path.isdir(self.path)

    def make(self) -> None:
        """Make the directory, 0700."""
        ensure_directory(self.path, 0o700)

    @contextlib.contextmanager
    def lock(self, timeout: float = 0.0) -> t.Iterator[None]:
        """Hold the host's lock; it is free again when we end, in whatever way.

        Raises TlsError ``host-locked`` when another process still holds it after ``timeout`` seconds.
        """
        try:
            descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"cannot open {self.lock_path}: {error.strerror}"
            raise TlsError(message, hint=advice(error), code="file-unwritable") from error
        try:
            _lock(descriptor, self.lock_path, timeout)
            with contextlib.suppress(OSError):  # the holder's PID is for people only
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
            yield
        finally:
            os.close(descriptor)

    def read_journal(self) -> Journal | None:
        """Return the unfinished change, None where there is none. Raises TlsError ``journal-unreadable``."""
        return t.cast("Journal | None", self._read(Journal, self.journal_path))

    def write_journal(self, journal: Journal) -> Journal:
        """Write the journal and flush it to disk."""
        self._write(self.journal_path, journal)
        return journal

    def move_to(self, journal: Journal, phase: str) -> Journal:
        """Write the journal with another phase."""
        return self.write_journal(replace(journal, phase=phase))

    def remove_journal(self) -> None:
        """Remove the journal: the change is over."""
        self._remove(self.journal_path)

    def read_record(self) -> Record | None:
        """Return the record of earlier runs, None where there is none. Raises TlsError ``record-unreadable``."""
        return t.cast("Record | None", self._read(Record, self.record_path))

    def write_record(self, record: Record | None) -> None:
        """Write the record, or remove it."""
        if record is not None:
            self._write(self.record_path, record)
            return
        self._remove(self.record_path)

    def neighbours(self) -> dict[str, Record]:
        """Return the records of the other Docker services of this host, by service; what is no record is left out."""
        found = {}
        for path in glob.glob(os.path.join(glob.escape(os.path.dirname(self.path)), f"*{_STATE}")):
            if path == self.path:
                continue
            with contextlib.suppress(TlsError):
                record = StateDirectory(path).read_record()
                if record is not None:
                    found[f"{os.path.basename(path)[: -len(_STATE)]}.service"] = record
        return found

    def is_unverified(self) -> bool:
        """Return whether no controller has verified the endpoint since it was last changed."""
        return os.path.exists(self.unverified_path)

    def mark_unverified(self) -> None:
        """Remember that the endpoint is changed and not yet verified from the controller. Raises TlsError ``file-unwritable``."""
        write_atomic(self.unverified_path, b"", 0o600)

    def clear_unverified(self) -> None:
        """Remove the mark: a controller has verified the endpoint, or the endpoint was removed."""
        self._remove(self.unverified_path)

    def _remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            fsync_directory(self.path)

    def _write(self, path: str, value: t.Any) -> None:
        data = json.dumps({"format": _FORMAT, **encode(value)}, indent=1, sort_keys=True)
        write_atomic(path, data.encode("ascii") + b"\n", 0o600)

    def _read(self, kind: t.Any, path: str) -> t.Any:
        data = read_bytes_or_none(path)
        if data is None:
            return None
        try:
            encoded = json.loads(data)
            if encoded.get("format") != _FORMAT:
                raise ValueError(f"its format is {encoded.get('format')!r}")
            found = decode(kind, encoded)
            if kind is Journal and found.phase not in _PHASES:
                raise ValueError(f"its phase is {found.phase!r}")
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._unreadable(kind, path, f"{type(error).__name__} {error}") from error
        return found

    def _unreadable(self, kind: t.Any, path: str, problem: str) -> TlsError:
        if kind is Record:
            return TlsError(
                f"cannot read {path}, the record of what this host's Docker was before the first run: {problem}",
                hint="Another version of this collection may have written it, or someone has edited it. Restore it from a backup of the host, or move it "
                "away and run again. Without it state absent removes hosts and tls* from daemon.json and does not bring back what they were before.",
                code="record-unreadable",
            )
        return TlsError(
            f"cannot read {path}: {problem}",
            hint="Another version of this collection may have written it, or someone has edited it. A journal is an unfinished "
            f"change: `python3 -I {self.guard_path} --timer` rolls it back with the version that wrote it. Otherwise check Docker's configuration on "
            "the host, then move the file away.",
            code="journal-unreadable",
        )


def _lock(descriptor: int, path: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() >= deadline:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            raise TlsError(
                f"another run is changing Docker on this host: {path} is locked"
                + (f" by process {holder}" if holder else ""),
                hint="Wait until it has ended and run again.",
                code="host-locked",
            )
        time.sleep(0.2)
