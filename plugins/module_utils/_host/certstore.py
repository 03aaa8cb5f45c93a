# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS files of a host as one set that changes in one rename. PRIVATE: may change without notice.

In the directory, ``ca.pem`` and its like are links to ``current/<name>``, and ``current`` is a link to ``generation-<n>``,
a directory with a complete set. So there is no moment, even at a power loss, in which a key stands beside another key's
certificate (dockerd would not start; dockerd_facts 2.b). Files of another tool found at these names are adopted: the same
bytes become a generation, then link by link takes the place of a file that reads the same.

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
from .._files import ensure_directory, file_status, fsync_directory, read_bytes_or_none, symlink_atomic, write_atomic

CA = "ca.pem"
CLIENT_CA = "client-ca.pem"
CERTIFICATE = "server-cert.pem"
KEY = "server-key.pem"
NAMES = (CA, CLIENT_CA, CERTIFICATE, KEY)
PENDING_KEY = "server-key.pem.new"
CURRENT = "current"

_ADOPTED = "adopted.json"  # in a generation: how the files of another tool were found
_PREVIOUS = "previous"  # in a generation: the name of the one that was live before it
_GENERATION = re.compile(r"generation-([1-9][0-9]*)")
_LEFTOVER = re.compile(r"\.staging-[0-9a-f]+|\.(?:current|[a-z-]+\.pem(?:\.new)?)\.[0-9a-f]{12}")


@dataclass(frozen=True)
class CertificateSet:
    """What dockerd would read now.

    ``layout``: missing (no directory), empty (no set), plain (files of another tool), generations (ours), mixed (an
    adoption that was cut off, or somebody put a file in the place of a link).
    """

    ca: bytes | None
    client_ca: bytes | None
    certificate: bytes | None
    key: bytes | None
    layout: str
    generation: str | None = None  # name of the current generation directory
    directory_mode: int | None = None
    loose: tuple[
        str, ...
    ] = ()  # of the current generation: files that others could read or change; "." is the directory

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
    generation = _current(directory)
    ours = [name for name in NAMES if _is_our_link(directory, name)]
    others = [name for name in NAMES if name not in ours and os.path.lexists(os.path.join(directory, name))]
    data = {name: read_bytes_or_none(os.path.join(directory, name)) for name in others}
    if generation is not None:
        data.update({name: read_bytes_or_none(os.path.join(directory, generation, name)) for name in ours})
    layout = _layout(generation, ours, others)
    mode = os.stat(directory).st_mode & 0o7777
    ca, client_ca, certificate, key = (data.get(name) for name in NAMES)
    loose = () if generation is None else _loose(os.path.join(directory, generation))
    return CertificateSet(ca, client_ca, certificate, key, layout, generation, mode, loose)


def _layout(generation: str | None, ours: t.Sequence[str], others: t.Sequence[str]) -> str:
    if others:
        return "mixed" if generation is not None or ours else "plain"
    return "empty" if generation is None else "generations"


def read_generation(directory: str, generation: str) -> dict[str, bytes]:
    """Return name -> bytes of the files of a generation. Raises TlsError ``file-unreadable``."""
    found = {name: read_bytes_or_none(os.path.join(directory, generation, name)) for name in NAMES}
    return {name: data for name, data in found.items() if data is not None}


def pending_key(directory: str) -> bytes | None:
    """Return the key that waits for its certificate, None where there is none."""
    return read_bytes_or_none(os.path.join(directory, PENDING_KEY))


def discard_pending_key(directory: str) -> None:
    """Remove the pending key (after it has become the live one)."""
    with _reported(directory):
        _unlink(os.path.join(directory, PENDING_KEY))


def prepare(directory: str, changes: t.Mapping[str, bytes]) -> str:
    """Write a new complete generation = the live set with ``changes``; return its name. What dockerd reads stays as it is.

    Where nothing differs from the current generation, that one is returned. Files of another tool are adopted first.
    Raises TlsError ``certificate-store-unusable``, ``file-unwritable`` (disk full, read-only), ``file-unreadable``.
    """
    _check_names(changes)
    if not os.path.isdir(directory):
        ensure_directory(directory, 0o700)
    with _reported(directory):
        _remove_leftovers(directory)
        _adopt(directory)
        live = read_set(directory)
        wanted = {**live.files(), **changes}
        if live.generation is not None and wanted == live.files():
            return live.generation
        return _write_generation(directory, wanted, {_PREVIOUS: (live.generation or "").encode()}, {})


def activate(directory: str, generation: str) -> None:
    """Switch to a generation in one rename, flushed to disk; the directory becomes 0700, and its files what they should be.

    Raises TlsError ``certificate-store-unusable`` (no such generation), ``file-unwritable``.
    """
    with _reported(directory):
        wanted = read_generation(directory, generation) if _GENERATION.fullmatch(generation) else {}
        if not wanted:
            raise TlsError(
                f"{directory} has no set of certificates called {generation}",
                hint="Somebody has removed it. Run again with state present: that installs a new one.",
                code="certificate-store-unusable",
            )
        ensure_directory(directory, 0o700)
        _tighten(os.path.join(directory, generation))
        for name in wanted:  # a link to nothing reads as no file, so this changes nothing yet
            if not os.path.lexists(os.path.join(directory, name)):
                symlink_atomic(f"{CURRENT}/{name}", os.path.join(directory, name))
        if _current(directory) != generation:
            symlink_atomic(generation, os.path.join(directory, CURRENT))
        for name in NAMES:
            if name in wanted and not _is_our_link(directory, name):
                symlink_atomic(f"{CURRENT}/{name}", os.path.join(directory, name))
            elif name not in wanted and _is_our_link(directory, name):
                _unlink(os.path.join(directory, name))
        fsync_directory(directory)


def previous(directory: str) -> str | None:
    """Return the generation that was live before the current one, if it is still there."""
    generation = _current(directory) if os.path.isdir(directory) else None
    if generation is None:
        return None
    name = (read_bytes_or_none(os.path.join(directory, generation, _PREVIOUS)) or b"").decode("ascii", "replace")
    return name if name in _generations(directory) else None


def adopted_generation(directory: str) -> str | None:
    """Return the generation that holds the files of another tool as they were found, None where there was none."""
    if not os.path.isdir(directory):
        return None
    found = [name for name in _generations(directory) if os.path.exists(os.path.join(directory, name, _ADOPTED))]
    return found[-1] if found else None


def prune(directory: str, keep: t.Collection[str] = ()) -> tuple[str, ...]:
    """Remove all generations but the current, the previous, the adopted one and ``keep``; return what went.

    Half-written leftovers of a run that was killed go as well. Raises TlsError ``certificate-store-unusable``.
    """
    if not os.path.isdir(directory):
        return ()
    kept = {_current(directory), previous(directory), adopted_generation(directory), *keep}
    gone = tuple(name for name in _generations(directory) if name not in kept)
    with _reported(directory):
        for name in gone:
            _remove_tree(directory, name)
        _remove_leftovers(directory)
    return gone


def release(directory: str, generation: str | None) -> None:
    """For state absent: put the names back as they were found in the adopted ``generation`` (files or links, with modes).

    None: there was no set at first, so our names and generations go, and the directory too if nothing else is in it.
    Files that are not ours stay, and so does a pending key (see ``discard_pending_key``). Raises TlsError ``certificate-store-unusable``, ``file-unwritable``.
    """
    if not os.path.isdir(directory):
        return
    found = _found_as(directory, generation) if generation is not None else {}
    with _reported(directory):
        if generation is not None:
            activate(directory, generation)
            _put_back(directory, generation, found)
        _unlink(os.path.join(directory, CURRENT))  # from here on, all that is still a link of ours reads as no file
        for name in NAMES:
            if _is_our_link(directory, name):
                _unlink(os.path.join(directory, name))
        for name in _generations(directory):
            _remove_tree(directory, name)
        _remove_leftovers(directory)
        if "mode" in found.get(".", {}):
            os.chmod(directory, found["."]["mode"])
        elif generation is None and not os.listdir(directory):
            os.rmdir(directory)
            return
        fsync_directory(directory)


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
        raise TlsError(
            f"cannot change the certificates in {directory}: {error.strerror}"
            + (f" ({error.filename})" if error.filename else ""),
            hint=f"dockerd still reads the set that it had. {_files.advice(error)}",
            code="certificate-store-unusable",
        ) from error


def _current(directory: str) -> str | None:
    """Return the name of the current generation. Raises TlsError where ``current`` is something of someone else."""
    path = os.path.join(directory, CURRENT)
    try:
        target = os.readlink(path)
    except FileNotFoundError:
        return None
    except OSError:
        target = "not a link"
    if not _GENERATION.fullmatch(target):
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


def _generations(directory: str) -> list[str]:
    """Return the names of the generations, oldest first."""
    numbers = [int(match[1]) for match in map(_GENERATION.fullmatch, os.listdir(directory)) if match]
    return [f"generation-{number}" for number in sorted(numbers)]


def _adopt(directory: str) -> None:
    """Make files found at our names a generation of ours. At each step every name reads the bytes that it read before."""
    live = read_set(directory)
    if live.layout not in ("plain", "mixed"):
        return
    generation = live.generation
    if generation is None or read_generation(directory, generation) != live.files():
        first = generation is None and live.layout == "plain"
        extra = {_PREVIOUS: (generation or "").encode()}
        if first:
            extra[_ADOPTED] = json.dumps(_describe(directory), indent=1, sort_keys=True).encode()
        modes = {name: os.stat(os.path.join(directory, name)) for name in live.files()} if first else {}
        generation = _write_generation(directory, live.files(), extra, modes)
        symlink_atomic(generation, os.path.join(directory, CURRENT))
    for name in live.files():
        if not _is_our_link(directory, name):
            symlink_atomic(f"{CURRENT}/{name}", os.path.join(directory, name))


def _describe(directory: str) -> dict[str, dict[str, t.Any]]:
    """Return how the names were found: the target of a link, or mode and owner of a file; "." is the directory."""
    found: dict[str, dict[str, t.Any]] = {".": {"mode": os.stat(directory).st_mode & 0o7777}}
    for name in NAMES:
        path = os.path.join(directory, name)
        if os.path.islink(path):
            found[name] = {"link": os.readlink(path)}
        elif os.path.exists(path):
            status = os.stat(path)
            found[name] = {"mode": status.st_mode & 0o7777, "uid": status.st_uid, "gid": status.st_gid}
    return found


def _found_as(directory: str, generation: str) -> dict[str, dict[str, t.Any]]:
    """Return what ``_describe`` said when the files of ``generation`` were adopted; nothing where they were not."""
    data = read_bytes_or_none(os.path.join(directory, generation, _ADOPTED))
    return json.loads(data) if data else {}


def _put_back(directory: str, generation: str, found: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
    """Replace our links by the files or links that were found at first; each reads the same before and after."""
    for name, data in read_generation(directory, generation).items():
        path, was = os.path.join(directory, name), found.get(name, {})
        if "link" in was:
            symlink_atomic(str(was["link"]), path)
        else:
            write_atomic(path, data, was.get("mode", _mode(name)), was.get("uid"), was.get("gid"))


def _mode(name: str) -> int:
    return {KEY: 0o400, ".": 0o700}.get(name, 0o444)


def _loose(path: str) -> tuple[str, ...]:
    """Return the names in a generation that more people than root could read (the key) or change; "." is the directory."""
    found = []
    for name in (".", *NAMES):
        status = file_status(os.path.join(path, name))
        allowed = {KEY: 0o600, ".": 0o700}.get(name, 0o755)
        foreign = status is not None and os.geteuid() == 0 and status.st_uid != 0
        if status is not None and (foreign or status.st_mode & 0o7777 & ~allowed):
            found.append(name)
    return tuple(found)


def _tighten(path: str) -> None:
    """Give what is loose in a generation its owner and mode; what dockerd reads stays the same."""
    for name in _loose(path):
        file = os.path.join(path, name)
        if os.geteuid() == 0:
            os.chown(file, 0, 0, follow_symlinks=False)
        os.chmod(file, _mode(name))


def _write_generation(
    directory: str, files: t.Mapping[str, bytes], extra: t.Mapping[str, bytes], modes: t.Mapping[str, os.stat_result]
) -> str:
    """Write a complete generation, flushed, under a name of its own; return the name. ``modes``: as found, for adopted files."""
    existing = _generations(directory)
    number = int(existing[-1].split("-")[1]) + 1 if existing else 1
    staging = os.path.join(directory, f".staging-{secrets.token_hex(6)}")
    os.mkdir(staging, 0o700)
    try:
        for name, data in files.items():
            found = modes.get(name)
            if found is None:
                write_atomic(os.path.join(staging, name), data, _mode(name))
            else:
                write_atomic(os.path.join(staging, name), data, found.st_mode & 0o7777, found.st_uid, found.st_gid)
        for name, data in extra.items():
            write_atomic(os.path.join(staging, name), data, 0o400)
        os.rename(staging, os.path.join(directory, f"generation-{number}"))
    except Exception:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    fsync_directory(directory)
    return f"generation-{number}"


def _remove_tree(directory: str, name: str) -> None:
    """Remove a generation; it stops being one at the first step, so a half-removed one is never taken for a set."""
    doomed = os.path.join(directory, f".staging-{secrets.token_hex(6)}")
    os.rename(os.path.join(directory, name), doomed)
    shutil.rmtree(doomed)


def _remove_leftovers(directory: str) -> None:
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if _LEFTOVER.fullmatch(name):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                _unlink(path)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
