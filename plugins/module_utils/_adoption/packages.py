# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a unit is as its package has it, asked of dpkg and rpm; both know without a network."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import subprocess
import tarfile
import typing as t

from .._errors import TlsError
from .._files import read_bytes_or_none
from .._host import commands
from . import unit_diff
from .assess import Unit

Run = t.Callable[[t.Sequence[str]], t.Any]

#: Where packages have their units; both are one directory since usrmerge.
PACKAGED = ("/usr/lib/systemd/system", "/lib/systemd/system")
_ARCHIVES = "/var/cache/apt/archives"
#: What editors and package managers call the file that was there before.
_NEIGHBOURS = (".bak", ".orig", ".old", ".save", "~", ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".rpmnew", ".rpmorig")
_MOST_BYTES = 256 * 1024
_MOST_ARCHIVES = 5
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


def unit_of(path: str, run: Run | None = None, packaged: t.Sequence[str] = PACKAGED, archives: str = _ARCHIVES) -> Unit:
    """Return the package manager's data about the unit file ``path``; where none knows it, only the path and its text.

    For a file in /etc that hides a package's, ``packaged_path`` is that one; ``original`` is its text if it is as packaged.
    """
    run = run or commands.run
    if not path:
        return Unit(path)
    text = _text(path)
    if path.startswith("/etc/"):
        return _copy(path, text, run, packaged)
    if shutil.which("dpkg"):
        return _dpkg(path, text, run, archives)
    if shutil.which("rpm"):
        return _rpm(path, text, run)
    return Unit(path, text=text)


def _copy(path: str, text: str, run: Run, packaged: t.Sequence[str]) -> Unit:
    """Return a unit of the administrator's, with the package's that it hides."""
    beneath = next(filter(os.path.isfile, (os.path.join(one, os.path.basename(path)) for one in packaged)), "")
    if not beneath or os.path.islink(path):
        return Unit(path, text=text)
    below = unit_of(beneath, run, ())
    original = below.text if below.changed is False else ""
    return Unit(path, below.package, None, below.reinstall, text, original, beneath)


def _text(path: str) -> str:
    """Return a unit's text, "" where it is not a small regular file."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _MOST_BYTES:
            return ""
        return (read_bytes_or_none(path) or b"").decode("utf-8", "surrogateescape")
    except (OSError, TlsError):
        return ""


def _names(path: str) -> tuple[str, ...]:
    """Return the names that one file may have in a package: /lib and /usr/lib are the same since usrmerge."""
    bare = path[len("/usr") :] if path.startswith("/usr/lib/") else path
    return bare, f"/usr{bare}"


def _dpkg(path: str, text: str, run: Run, archives: str) -> Unit:
    for name in _names(path):
        status, found = run(["dpkg", "-S", name])
        if status == 0 and ":" in found:
            package = found.split(":", 1)[0].split(",")[0].strip()
            _status, verified = run(["dpkg", "--verify", package])
            edited = any(line.split()[-1] in _names(path) for line in verified.splitlines() if line.split())
            _status, sums = run(["dpkg-query", "--control-show", package, "md5sums"])
            pairs = (line.split(None, 1) for line in sums.splitlines() if len(line.split(None, 1)) == 2)
            digest = next((one for one, file in pairs if f"/{file.strip()}" in _names(path)), "")
            changed = True if edited else False if digest else None  # a file without a checksum is not verified
            archived = _in_archives(archives, package, _names(path))
            original = _original(path, text, digest, archived) if edited else ""
            return Unit(path, package, changed, f"apt-get install --reinstall {package}", text, original)
    return Unit(path, text=text)


def _rpm(path: str, text: str, run: Run) -> Unit:
    status, package = run(["rpm", "-qf", "--qf", "%{NAME}", path])
    if status != 0:
        return Unit(path, text=text)
    _status, verified = run(["rpm", "-Vf", path])
    changed = any(line.split()[-1] in _names(path) and "5" in line.split()[0] for line in verified.splitlines() if line)
    original = ""
    if changed:
        # path, size, time, digest, ...
        _status, dump = run(["rpm", "-qf", "--dump", path])
        fields = [line.split() for line in dump.splitlines()]
        digest = next((one[3] for one in fields if len(one) > 3 and one[0] in _names(path)), "")
        original = _original(path, text, digest, ())
    return Unit(path, package.strip(), changed, f"dnf reinstall {package.strip()}", text, original)


def _original(path: str, text: str, digest: str, archived: t.Iterable[str]) -> str:
    """Return the text that the package's checksum is of, "" where it is not on this host."""
    algorithm = _ALGORITHMS.get(len(digest))
    if algorithm is None or not text:
        return ""
    for one in (*unit_diff.candidates(text), *(_text(path + suffix) for suffix in _NEIGHBOURS), *archived):
        data = one.encode("utf-8", "surrogateescape")
        if hashlib.new(algorithm, data, usedforsecurity=False).hexdigest() == digest:
            return one
    return ""


def _in_archives(directory: str, package: str, names: t.Sequence[str]) -> t.Iterator[str]:
    """Return the file from each of the package's archives that apt has kept."""
    for archive in sorted(glob.glob(os.path.join(directory, f"{package}_*.deb")), reverse=True)[:_MOST_ARCHIVES]:
        command = ["dpkg-deb", "--fsys-tarfile", archive]
        try:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                try:
                    with tarfile.open(fileobj=process.stdout, mode="r|") as content:
                        for member in content:
                            if member.name.lstrip(".") in names and member.isfile() and member.size <= _MOST_BYTES:
                                stream = content.extractfile(member)
                                yield stream.read().decode("utf-8", "surrogateescape") if stream else ""
                                break
                finally:
                    process.kill()
        except (OSError, tarfile.TarError):
            continue
