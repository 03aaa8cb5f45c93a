# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats of a bundle: their options, the files that they write, and the lines of the plan.

``.formats.json`` in the bundle's directory lists the files that were written there, so that files that are not configured any more
(the context of a removed host, a dropped format) can be removed, and a file of another origin is
kept as ``<name>.<time>.bak`` instead, where it holds no private key.

For example: ``client ci: new bundle in /home/ci/.docker, certificate until 2027-11-22 (directory-missing, certificate-changed)``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import TlsError
from .._files import ensure_directory, file_status, write_atomic
from .._host.file_owner import Owner, acting_as, read_regular
from .._pki import keys, pem, reader
from .._time import isoformat
from . import bundle_files
from .formats.registry import MAKERS
from .formats.tool_files import Endpoint, File, Identity

MANIFEST = ".formats.json"
FILE_MODE, DIRECTORY_MODE = 0o600, 0o700


@dataclass(frozen=True)
class Found:
    """The present files: those that were ours, the contents of those that are wanted, and those that are open to others."""

    ours: frozenset[str]
    contents: dict[str, bytes]
    insecure: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """The files to write, remove and keep below the directory, with the reasons."""

    directory: str
    owner: Owner
    wanted: dict[str, dict[str, File]]
    found: Found
    writes: tuple[str, ...]
    removals: tuple[str, ...]
    backups: tuple[str, ...]
    reasons: tuple[str, ...]
    lost_keys: tuple[str, ...] = ()  # files of others with private keys, that are replaced and not kept

    @property
    def files(self) -> dict[str, File]:
        """All files that are to be there, by their path below the directory."""
        return {path: file for files in self.wanted.values() for path, file in files.items()}


def plan(directory: str, owner: Owner, formats: t.Iterable[str], identity: Identity | None) -> Plan:
    """Return the files for the ``formats`` of ``identity``; None is check mode before there is a certificate.

    Raises TlsError ``endpoint-duplicate``, ``passphrase-missing``, ``owner-not-permitted``.
    """
    makers = {name: MAKERS[name] for name in sorted(set(formats)) if name in MAKERS}
    if identity is None:
        foretold = tuple(_reason(name) for name in makers)
        return Plan(directory, owner, {}, Found(frozenset(), {}, frozenset()), (), (), (), foretold)
    wanted = {name: make(identity) for name, make in makers.items()}
    paths = [path for files in wanted.values() for path in files]
    found = _observe(directory, owner, paths)
    present = found.contents
    stale = {
        name: [path for path, file in files.items() if path not in present or not file.is_current(present[path])]
        for name, files in wanted.items()
    }
    insecure = [path for path in paths if path in found.insecure]
    reasons = [_reason(name) for name in makers if stale[name]]
    reasons += ["permissions-changed"] if insecure else []
    removals = tuple(sorted(path for path in found.ours - set(paths) if _exists(directory, path, owner)))
    reasons += ["format-dropped"] if removals else []
    changed = [path for paths in stale.values() for path in paths]
    foreign = [path for path in changed if path in found.contents and path not in found.ours]
    lost = tuple(path for path in foreign if _holds_key(path, found.contents[path]))
    backups = tuple(path for path in foreign if path not in lost)
    writes = tuple(dict.fromkeys([*changed, *insecure]))
    return Plan(directory, owner, wanted, found, writes, removals, backups, tuple(reasons), lost)


def _holds_key(path: str, data: bytes) -> bool:
    """Return whether a file holds a private key; in PKCS#12 it is encrypted, and cannot be seen."""
    return pem.holds_private_key(data) or path.endswith((".p12", ".pfx"))


def _reason(name: str) -> str:
    return f"{name.replace('_', '-')}-changed"


def _observe(directory: str, owner: Owner, paths: t.Iterable[str]) -> Found:
    contents, insecure = {}, set()
    with acting_as(owner):
        for path in paths:
            place = os.path.join(directory, path)
            with contextlib.suppress(TlsError):
                data = read_regular(place)
                if data is None:
                    continue
                contents[path] = data
                if not bundle_files.is_good(os.stat(place), FILE_MODE, owner):
                    insecure.add(path)
        return Found(_manifest(directory), contents, frozenset(insecure))


def _manifest(directory: str) -> frozenset[str]:
    """Return the paths that are listed as ours; only such as cannot leave the directory."""
    try:
        listed = json.loads(read_regular(os.path.join(directory, MANIFEST)) or b"{}").get("files", [])
    except (TlsError, ValueError, AttributeError):
        return frozenset()
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    return frozenset(name for name in names if _stays_inside(name))


def _stays_inside(path: str) -> bool:
    return bool(path) and not os.path.isabs(path) and not {"", ".", ".."} & set(path.split("/"))


def _exists(directory: str, path: str, owner: Owner) -> bool:
    with acting_as(owner):
        return os.path.lexists(os.path.join(directory, path))


def install(planned: Plan, now: datetime) -> list[str]:
    """Write and remove the planned files as the owner, each file in one rename; return the paths of the backups.

    Raises TlsError ``directory-unusable``, ``file-unwritable``, ``pkcs12-unsupported``.
    """
    files, directory, gid = planned.files, planned.directory, planned.owner.gid
    contents = {path: files[path].make() for path in planned.writes}
    stamp = isoformat(now).replace(":", "").replace("-", "")
    kept = {path: os.path.join(directory, f"{path.replace('/', '-')}.{stamp}.bak") for path in planned.backups}
    with acting_as(planned.owner):
        _list(planned, planned.found.ours | set(files))
        for path, backup in kept.items():
            write_atomic(backup, planned.found.contents[path], FILE_MODE, gid=gid)
        for path, data in contents.items():
            _make_parents(directory, path, gid)
            write_atomic(os.path.join(directory, path), data, FILE_MODE, gid=gid)
        for path in planned.removals:
            _remove(directory, path)
        _list(planned, set(files))
    return list(kept.values())


def _list(planned: Plan, paths: set[str] | frozenset[str]) -> None:
    """Write the manifest: before the files, so that a run that is cut off leaves nothing unlisted, and after them."""
    place = os.path.join(planned.directory, MANIFEST)
    if not paths:
        _remove(planned.directory, MANIFEST)
        return
    data = (json.dumps({"files": sorted(paths)}, indent=1) + "\n").encode()
    if _manifest(planned.directory) != paths:
        write_atomic(place, data, FILE_MODE, gid=planned.owner.gid)


def _make_parents(directory: str, path: str, gid: int | None) -> None:
    """Make missing directories between the directory and the file; existing ones (the CLI's own ``contexts``) are not changed."""
    place = directory
    for part in os.path.dirname(path).split("/"):
        place = os.path.join(place, part)
        if part and file_status(place) is None:
            ensure_directory(place, DIRECTORY_MODE, gid=gid)


def _remove(directory: str, path: str) -> None:
    """Remove a file and the directories that it leaves empty. Raises TlsError ``file-unwritable``."""
    place = os.path.join(directory, path)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)
    except OSError as error:
        raise TlsError(
            f"cannot remove {place}: {error.strerror}",
            hint="It was written by an earlier run and is no longer configured. Find out who changed it.",
            code="file-unwritable",
        ) from error
    parent = os.path.dirname(path)
    with contextlib.suppress(OSError):
        while parent:
            os.rmdir(os.path.join(directory, parent))
            parent = os.path.dirname(parent)


def remove_all(directory: str) -> None:
    """Remove every file that is listed as ours; as the owner. Raises TlsError ``file-unwritable``."""
    for path in (*sorted(_manifest(directory)), MANIFEST):
        _remove(directory, path)


def report(planned: Plan) -> dict[str, list[str]]:
    """Return the files of each format, as absolute paths."""
    return {name: [os.path.join(planned.directory, path) for path in files] for name, files in planned.wanted.items()}


def describe(planned: Plan, *, after: bool) -> dict[str, str]:
    """Return one side of the diff by path, only of files that change: the text of those without secrets, else whether it is there."""
    sides: dict[str, str] = {}
    files = planned.files
    for path in planned.writes:
        found = planned.found.contents.get(path)
        if files[path].private:
            sides[path] = "private, written again\n" if after else ("private\n" if found is not None else "")
        else:
            data = files[path].make() if after else found
            sides[path] = "" if data is None else data.decode("utf-8", "replace")
    return {**sides, **dict.fromkeys(planned.removals, "removed\n" if after else "no longer wanted\n")}


@dataclass(frozen=True)
class FormatOptions:
    """The options of the module about formats."""

    directory: str
    owner: Owner
    formats: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    consumer_directory: str
    passphrase: str


def resolve(options: t.Mapping[str, t.Any], bundle: bundle_files.Bundle) -> FormatOptions:
    """Return what ``options`` of the module's ``bundles`` wish for. Raises TlsError ``docker-host-invalid``."""
    endpoints = [Endpoint(each["name"], each["docker_host"]) for each in options["endpoints"] or []]
    for endpoint in endpoints:
        bundle_files.check_docker_host(
            endpoint.docker_host, f"docker_host of the endpoint {endpoint.name!r} of {bundle.id!r}"
        )
    if not endpoints and bundle.docker_host:
        endpoints = [Endpoint(_host_of(bundle.docker_host), bundle.docker_host)]
    return FormatOptions(
        directory=bundle.directory,
        owner=bundle.owner,
        formats=tuple(options["formats"] or ()),
        endpoints=tuple(endpoints),
        consumer_directory=options["consumer_directory"] or bundle.directory,
        passphrase=options["pkcs12_passphrase"] or "",
    )


def _host_of(docker_host: str) -> str:
    return re.sub(r"^tcp://\[?|\]?:\d+$", "", docker_host)


def plan_options(options: FormatOptions, bundle: bundle_files.Plan) -> Plan:
    """Return the plan of the formats for the planned bundle. Raises the errors of ``place.plan``."""
    files = {**bundle.found.files, **bundle.wanted}
    return plan(options.directory, options.owner, options.formats, _identity(options, files))


def _identity(options: FormatOptions, files: t.Mapping[str, bytes]) -> Identity | None:
    """Return the identity that the bundle will hold; None where a part is only going to be made (check mode)."""
    if not all(name in files for name in (bundle_files.CA, bundle_files.CERTIFICATE, bundle_files.KEY)):
        return None
    try:
        certificate = reader.load_certificate(files[bundle_files.CERTIFICATE], bundle_files.CERTIFICATE)
        keys.load_private_key(files[bundle_files.KEY], what=bundle_files.KEY)
    except TlsError:
        return None
    return Identity(
        client=reader.view_certificate(certificate).common_name,
        directory=options.consumer_directory,
        ca=files[bundle_files.CA],
        certificate=files[bundle_files.CERTIFICATE],
        key=files[bundle_files.KEY],
        endpoints=options.endpoints,
        passphrase=options.passphrase,
    )


def diffs(placed: t.Sequence[Plan]) -> list[dict[str, str]]:
    """Return a diff for each file of the formats that changes, in the order of the bundles; never a secret."""
    found = []
    for files in placed:
        before, after = describe(files, after=False), describe(files, after=True)
        for path in before:
            name = os.path.join(files.directory, path)
            found.append({"before_header": name, "after_header": name, "before": before[path], "after": after[path]})
    return found


def lines(bundles: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """Return one line for each of the module's RV(bundles) that is written; never a key."""
    return [_line(bundle) for bundle in bundles if bundle["reasons"]]


def _line(bundle: t.Mapping[str, t.Any]) -> str:
    reasons, certificate = bundle["reasons"], bundle["certificate"]
    if "client-revoked" in reasons:
        return f"client {bundle['id']}: bundle in {bundle['directory']} removed (client-revoked)"
    parts = [f"{'new bundle' if 'directory-missing' in reasons else 'bundle'} in {bundle['directory']}"]
    if certificate is not None and "certificate-changed" in reasons:
        parts.append(f"certificate until {certificate['not_after'][:10]}")
    if bundle["backup_files"]:
        parts.append(f"the former files are kept as {' '.join(bundle['backup_files'])}")
    return f"client {bundle['id']}: {', '.join(parts)} ({', '.join(reasons)})"
