# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a change and of its rollback: files swapped by renames, the restart of dockerd, signals held back in between.

New contents are staged beside their files, and the old ones get a second name (a hard link). So neither the swap nor
its rollback needs space on the disk, and a rolled back file is the same inode as before, with its times and labels.
Names that begin with a dot and do not end in ``.conf`` mean nothing to systemd.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import typing as t
from dataclasses import dataclass, replace

from .._errors import TlsError
from .._files import advice, fsync_directory, read_bytes_or_none
from .journal import SavedFile
from .machine import Machine

_STAGED = ".docker-tls-new"
_KEPT = ".docker-tls-old"
_ROLLBACK_CONFIG = ".docker-tls-rollback"


def digest(data: bytes | None) -> str:
    """Return the SHA-256 (hex) of ``data``, "" for no file."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def staged_path(path: str) -> str:
    """Return where the new contents of ``path`` wait."""
    return _beside(path, _STAGED)


def kept_path(path: str) -> str:
    """Return the second name of the old file."""
    return _beside(path, _KEPT)


def save(path: str, after: bytes | None, default_mode: int = 0o644) -> SavedFile:
    """Return what ``path`` is now and will be; writes nothing. The new file gets the old one's mode and owner."""
    data = read_bytes_or_none(path)
    if data is None:
        return SavedFile(path, None, default_mode, 0, 0, digest(after))
    status = os.stat(path)
    return SavedFile(path, data, status.st_mode & 0o7777, status.st_uid, status.st_gid, digest(after))


def missing_directories(paths: t.Iterable[str]) -> tuple[str, ...]:
    """Return the directories that have to be made for ``paths``, outermost first."""
    missing: list[str] = []
    for path in paths:
        chain = []
        directory = os.path.dirname(path)
        while directory not in missing and not os.path.isdir(directory):
            chain.append(directory)
            directory = os.path.dirname(directory)
        missing.extend(reversed(chain))
    return tuple(missing)


def make_directories(directories: t.Iterable[str]) -> None:
    """Make them, 0755. Raises TlsError ``file-unwritable``."""
    for directory in directories:
        try:
            os.mkdir(directory, 0o755)
            fsync_directory(os.path.dirname(directory))
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritable(directory, error) from error


def stage(saved: SavedFile, after: bytes | None) -> None:
    """Write the new contents beside the file and give the old one its second name. Raises TlsError ``file-unwritable``."""
    discard(saved.path)
    try:
        if saved.data is not None:
            try:
                os.link(saved.path, kept_path(saved.path))
            except OSError:  # a file system without hard links, or a file that is a mount point
                _copy(saved)
        if after is not None:
            _write(staged_path(saved.path), after, _without_insecure_mode(saved))
        fsync_directory(os.path.dirname(saved.path))
    except OSError as error:
        raise _unwritable(saved.path, error) from error


def stage_rollback_config(saved: SavedFile, data: bytes) -> None:
    """Write other contents beside the file, for ``swap_rollback_config``. Raises TlsError ``file-unwritable``."""
    try:
        _write(_beside(saved.path, _ROLLBACK_CONFIG), data, saved)
    except OSError as error:
        raise _unwritable(saved.path, error) from error


def swap_rollback_config(saved: SavedFile, data: bytes) -> None:
    """Put the contents of ``stage_rollback_config`` in place; where that was done already, or they are gone, see to it anyhow."""
    staged = _beside(saved.path, _ROLLBACK_CONFIG)
    if digest(read_bytes_or_none(staged)) != digest(data):
        if digest(read_bytes_or_none(saved.path)) != digest(data):
            replace_contents(saved, data)
        return
    try:
        os.rename(staged, saved.path)
        fsync_directory(os.path.dirname(saved.path))
    except OSError as error:
        raise _unwritable(saved.path, error) from error


def swap(saved: SavedFile) -> None:
    """Put the staged contents in place (or take the file away where none are staged), in one rename, flushed to disk."""
    try:
        if os.path.exists(staged_path(saved.path)):
            os.rename(staged_path(saved.path), saved.path)
        elif saved.after:  # someone has tidied up: without its new contents the file must not go
            raise FileNotFoundError(2, "its new contents are gone", staged_path(saved.path))
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(saved.path)
        fsync_directory(os.path.dirname(saved.path))
    except OSError as error:
        raise _unwritable(saved.path, error) from error


def restore(saved: SavedFile, ours: t.Collection[str] = ()) -> str:
    """Restore the file; return "" or the path where a third party's version of it was put aside.

    ``ours``: digests of other contents that we may have written there. Does nothing where the file already is what it
    was, so it can be repeated after a crash at any point.
    """
    current = read_bytes_or_none(saved.path)
    if digest(current) == digest(saved.data) and (current is None or _same_status(saved)):
        return ""
    aside = ""
    try:
        if current is not None and digest(current) not in (saved.after, digest(saved.data), *ours):
            aside = _free_name(saved.path + ".docker-tls-saved")
            os.rename(saved.path, aside)
        if saved.data is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(saved.path)
        else:
            if digest(read_bytes_or_none(kept_path(saved.path))) != digest(saved.data):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(kept_path(saved.path))
                _copy(saved)
            os.rename(kept_path(saved.path), saved.path)
            if not _same_status(saved):
                os.chown(saved.path, saved.uid, saved.gid)
                os.chmod(saved.path, saved.mode)
        fsync_directory(os.path.dirname(saved.path))
    except OSError as error:
        raise _unwritable(saved.path, error) from error
    return aside


def replace_contents(saved: SavedFile, data: bytes) -> None:
    """Write other contents in one rename, with the file's mode and owner; its second name stays."""
    temporary = staged_path(saved.path) + ".1"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        _write(temporary, data, saved)
        os.rename(temporary, saved.path)
        fsync_directory(os.path.dirname(saved.path))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise _unwritable(saved.path, error) from error


def discard(path: str) -> None:
    """Remove the staged and kept files of ``path``, if there are any."""
    for extra in (staged_path(path), staged_path(path) + ".1", kept_path(path), _beside(path, _ROLLBACK_CONFIG)):
        with contextlib.suppress(OSError):
            os.unlink(extra)


def remove_empty(directories: t.Sequence[str]) -> None:
    """Remove the directories that were made for a change, where they are empty again."""
    for directory in reversed(directories):
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def _beside(path: str, ending: str) -> str:
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}{ending}")


def _free_name(path: str) -> str:
    """Return ``path``, or ``path`` with a number where something of an earlier time is there."""
    number, free = 1, path
    while os.path.lexists(free):
        number, free = number + 1, f"{path}-{number}"
    return free


def _without_insecure_mode(saved: SavedFile) -> SavedFile:
    """A drop-in is a command that root runs: only root may write it, whatever file was there before (a link to /dev/null)."""
    return replace(saved, mode=saved.mode & 0o755) if saved.path.endswith(".conf") else saved


def _same_status(saved: SavedFile) -> bool:
    status = os.stat(saved.path)
    return (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (saved.mode, saved.uid, saved.gid)


def _copy(saved: SavedFile) -> None:
    _write(kept_path(saved.path), saved.data or b"", saved)
    with contextlib.suppress(OSError):
        shutil.copystat(saved.path, kept_path(saved.path))


def _write(path: str, data: bytes, saved: SavedFile) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        if os.geteuid() == 0:
            os.fchown(stream.fileno(), saved.uid, saved.gid)
        os.fchmod(stream.fileno(), saved.mode)
        os.fsync(stream.fileno())


def _unwritable(path: str, error: OSError) -> TlsError:
    return TlsError(f"cannot change {path}: {error.strerror}", hint=advice(error), code="file-unwritable")


_STOP_TIMEOUT = 120.0  # systemd itself gives up stopping after TimeoutStopSec (90 s by default)
_POLL = 0.1
_LOOK_EVERY = 0.5  # while systemd restarts: a look is a process, and dockerd needs the processor to start
_HUNG_TIMEOUT = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a restart ended: ``problem`` is "" when dockerd runs and answers on its local socket."""

    problem: str = ""
    pid: int = 0


def restart(machine: Machine, timeout: float, *, with_socket: bool = False) -> Outcome:
    """Restart dockerd once and wait until it answers on the local socket.

    ``timeout`` is dockerd's time to start; the old one may take up to two minutes more to stop its containers.
    A dockerd that dies while starting counts as failed at its first death: the old one is wanted back soon.
    """
    before = machine.services().service
    old = machine.identity(before.main_pid)
    hung = before.active_state == "activating"
    try:
        restarting = machine.restart(with_socket=with_socket)
    except TlsError as error:
        return Outcome(error.message, before.main_pid)
    begun = machine.monotonic()
    started: float | None = None
    ended = False
    while True:
        if ended:
            machine.sleep(_POLL)
        else:
            ended = restarting.wait(_LOOK_EVERY)
        if restarting.refusal:  # for example: a unit that dockerd's requires is masked; nothing was stopped then
            return Outcome(restarting.refusal, before.main_pid)
        service = machine.services().service
        now = machine.monotonic()
        same = bool(old) and machine.identity(service.main_pid) == old
        if started is None and not same:
            started = now
        if hung and same and now - begun > _HUNG_TIMEOUT:
            machine.kill(service.main_pid)
        problem = _failure(service.active_state, service.sub_state, service.job, service.restarts)
        if problem and now - begun > 2 * _POLL:
            return Outcome(f"dockerd did not start: {problem} ({service.result or 'no result'})", service.main_pid)
        if service.active_state == "active" and not service.job and not same:
            return _wait_for_answer(machine, service.main_pid, begun, started or now, timeout)
        if _is_late(now, begun, started, timeout):
            word = "stop" if started is None else "start"
            return Outcome(f"dockerd did not {word} within {timeout:.0f} seconds", service.main_pid)


def _failure(active: str, sub: str, job: bool, restarts: int) -> str:
    """Return systemd's failure of the start, "" while it may still succeed."""
    if active == "failed" and not job:
        return "the unit has failed"
    if active == "inactive" and not job:
        return "a unit that it needs is missing"
    if sub == "auto-restart" or (restarts > 0 and active == "activating"):
        return "it ended while starting"
    return ""


def _wait_for_answer(machine: Machine, pid: int, begun: float, started: float, timeout: float) -> Outcome:
    while True:
        problem = machine.ping()
        if not problem:
            return Outcome(pid=pid)
        service = machine.services().service
        if not service.is_active or service.main_pid != pid:
            why = service.active_state if service.result in ("", "success") else service.result
            return Outcome(f"dockerd started and ended again ({why})", pid)
        if _is_late(machine.monotonic(), begun, started, timeout):
            return Outcome(f"dockerd runs but does not answer: {problem}", pid)
        machine.sleep(_POLL)


def _is_late(now: float, begun: float, started: float | None, timeout: float) -> bool:
    return now - begun > timeout + _STOP_TIMEOUT if started is None else now - started > timeout


def set_live_restore(machine: Machine, pid: int, wanted: bool, timeout: float = 10.0) -> bool:
    """Make the running dockerd read daemon.json (SIGHUP) and wait until /info shows ``live-restore`` as wanted."""
    machine.hang_up(pid)
    deadline = machine.monotonic() + timeout
    while machine.monotonic() < deadline:
        facts = machine.engine_facts()
        if facts is not None and facts.live_restore == wanted:
            return True
        machine.sleep(_POLL)
    return False


class Interrupted(Exception):
    """A signal asks us to end. It is not a TlsError, which would be handled as a failed step."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the run was ended by {signal.Signals(number).name}")


@contextlib.contextmanager
def orderly_end() -> t.Iterator[None]:
    """Inside, a lost SSH connection changes nothing (the change continues), and SIGTERM or SIGINT end it with a rollback."""
    handlers: dict[t.Any, t.Any] = {
        signal.SIGHUP: signal.SIG_IGN,
        signal.SIGPIPE: signal.SIG_IGN,
        signal.SIGTERM: _interrupted,
        signal.SIGINT: _interrupted,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    except Interrupted as error:
        raise TlsError(f"{error} before anything was changed", hint="Run again.", code="interrupted") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, _frame: t.Any) -> None:
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)  # the rollback that follows is not to be interrupted as well
    raise Interrupted(number)
