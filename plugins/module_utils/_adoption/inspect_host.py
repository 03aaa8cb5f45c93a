# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inspection of a host that others have set up, and what its package manager says about Docker's units."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import subprocess
import tarfile
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._docker.daemon_json import parse_daemon_json
from .._docker.exec_start import ENDPOINT_FLAGS
from .._docker.systemd import UNIT_DIRECTORY, Systemd
from .._docker.unit_reader import environment_of
from .._endpoint.desired_files import socket_addresses
from .._endpoint.journal import StateDirectory
from .._endpoint.machine import Machine
from .._endpoint.state import HostState, gather
from .._errors import TlsError
from .._files import read_bytes_or_none
from .._host import commands
from .._pki import renewal
from . import assess, effective_settings, repair, unit_diff
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
            original = _packaged_original(path, text, digest, archived) if edited else ""
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
        original = _packaged_original(path, text, digest, ())
    return Unit(path, package.strip(), changed, f"dnf reinstall {package.strip()}", text, original)


def _packaged_original(path: str, text: str, digest: str, archived: t.Iterable[str]) -> str:
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


@dataclass(frozen=True)
class Inspection:
    """A host's situation, its layout, and the findings."""

    situation: assess.Situation
    layout: str
    findings: tuple[assess.Finding, ...]
    searched: tuple[str, ...] = ()


@dataclass(frozen=True)
class Where:
    """Where to look: our own certificate directory, that of the authorities, and more places for stray files."""

    directory: str
    ca_path: str
    places: tuple[str, ...]


#: The options with the paths, documented by the fragment ``_adoption``.
OPTIONS: dict[str, t.Any] = {
    "directory": {"type": "path", "default": "/etc/docker/certs"},
    "ca_path": {"type": "path", "default": "/etc/docker/ca"},
    "places": {"type": "list", "elements": "str", "default": []},
}


_MOST_SHOWN = 200


def inspect_here(parameters: t.Mapping[str, t.Any], now: datetime) -> Inspection:
    """Return the result of this machine, for the ``OPTIONS``; raises as ``inspect`` does."""
    where = Where(parameters["directory"], parameters["ca_path"], tuple(parameters["places"]))
    return inspect(Machine(Systemd()), StateDirectory(), where, now)


def inspect(machine: Machine, state: StateDirectory, where: Where, now: datetime) -> Inspection:
    """Return the state of this host. Raises TlsError without a Docker that can be managed, or for unreadable files."""
    host = gather(machine, state, now=now, directory=where.directory, strip_endpoint_flags=True)
    if host.refused is not None:
        raise TlsError(host.refused.message, hint=host.refused.hint, code=host.refused.code)
    return assessed(host, where, unit_of(host.services.service.fragment_path))


def assessed(host: HostState, where: Where, unit: assess.Unit) -> Inspection:
    """Return the judgement of a host that was read."""
    endpoint, managed = _endpoint(host, where)
    in_use = {os.path.realpath(path) for path in endpoint.paths.values()} if endpoint.tcp else set()
    if managed:
        in_use |= {os.path.realpath(path) for path in _original(host).paths.values()}
    keeps_ca = os.path.isfile(os.path.join(where.ca_path, "ledger.jsonl"))
    ours = [where.directory] if managed else []
    ours += [where.ca_path] if keeps_ca else []
    ours += ["/var/lib/docker-tls"]
    places = (*effective_settings.PLACES, *where.places)
    named = {*in_use, *endpoint.paths.values()}
    found = effective_settings.search(named, places)
    situation = assess.Situation(
        endpoint=endpoint,
        files=found,
        unit=unit,
        in_use=frozenset(in_use),
        now=host.now,
        managed=managed,
        is_ca_host=keeps_ca,
        ours=tuple(os.path.realpath(path) + "/" for path in ours),
        served_fingerprint=host.served.fingerprint_sha256 if host.served and endpoint.tls else "",
    )
    path = os.path.join(UNIT_DIRECTORY, f"{repair.UNIT}.socket")
    relayed = () if not os.path.exists(path) else (_relay_finding(path),)
    layout = effective_settings.layout_of(endpoint, host.services.service.drop_in_paths, managed=managed)
    return Inspection(
        situation, layout, (*relayed, *assess.assess_host(situation)), effective_settings.directories(named, places)
    )


def _relay_finding(path: str) -> assess.Finding:
    text = "the old plain port is still served (docker_adopt_keep_2375): anyone who reaches it is root on this host"
    way = "Move its clients to the secured endpoint, then run portcullis.docker_tls.adopt with docker_adopt_keep_2375: false"
    return assess.Finding("plain-port-relayed", assess.CRITICAL, path, text, way)


def _endpoint(host: HostState, where: Where) -> tuple[effective_settings.Endpoint, bool]:
    """Return the endpoint, and whether it is ours; then the unit's own flags are out of effect."""
    ours = host.record is not None and host.record.written_config is not None
    path = str(host.config_values.get("tlscert", ""))
    managed = ours and path.startswith(where.directory.rstrip("/") + "/")
    flags = host.derivation.flags if host.derivation else ()
    if managed:
        flags = tuple(use for use in flags if use.name not in ENDPOINT_FLAGS)
    environment = environment_of(host.model) if host.model else {}
    values = {name: variable.value for name, variable in environment.items()}
    sockets = socket_addresses(host)
    return effective_settings.read_endpoint(flags, host.config_values, values, host.config_path, sockets), managed


def _original(host: HostState) -> effective_settings.Endpoint:
    """Return the endpoint that is restored when ours is removed: its files are still needed."""
    values: dict[str, t.Any] = {}
    if host.record is not None and host.record.original_config is not None:
        try:
            values = parse_daemon_json(host.record.original_config, host.config_path).values
        except TlsError:
            values = {}
    flags = host.derivation.flags if host.derivation else ()
    return effective_settings.read_endpoint(flags, values, {}, host.config_path, socket_addresses(host))


def report(inspection: Inspection) -> dict[str, t.Any]:
    """Return the result of the module: plain values, certificates as PEM, never a key."""
    situation = inspection.situation
    endpoint = situation.endpoint
    related = assess.related_keys(situation)
    anchors = {view.fingerprint_sha256 for view in situation.anchors}
    return {
        "layout": inspection.layout,
        "managed": situation.managed,
        "listeners": list(endpoint.hosts),
        "plain_listeners": [] if endpoint.tls else list(endpoint.tcp),
        "tls": endpoint.tls,
        "tlsverify": endpoint.verify,
        "paths": dict(endpoint.paths) if endpoint.tls else {},
        "where": dict(endpoint.where),
        "names": list(situation.leaf.names) if situation.leaf is not None and endpoint.tls else [],
        "searched": list(inspection.searched)[:_MOST_SHOWN],
        "unit": {name: getattr(situation.unit, name) for name in ("path", "package", "changed")},
        "authorities": _authorities(situation, related, anchors),
        "certificates": _certificates(situation, related),
        "findings": [dict(vars(one)) for one in inspection.findings],
    }


def _authorities(
    situation: assess.Situation, related: t.Mapping[str, str], anchors: t.Container[str]
) -> list[dict[str, t.Any]]:
    """Return the CAs that matter here, with where a key of each lies."""
    found: dict[str, dict[str, t.Any]] = {}
    leaf = situation.leaf
    for fact in situation.files:
        for view, content in zip(fact.certificates, _each(fact.content)):
            if not view.is_authority or related.get(view.public_key_fingerprint) != "ca":
                continue
            signs = ["server"] if leaf is not None and renewal.is_below(leaf, view) else []
            signs += ["clients"] if view.fingerprint_sha256 in anchors else []
            authority = {
                "subject": view.subject,
                "fingerprint_sha256": view.fingerprint_sha256,
                "not_after": view.to_dict()["not_after"],
                "certificate_path": fact.path,
                "certificate_content": content,
                "signs": signs,
                "keys": _keys_of(situation, view.public_key_fingerprint, fact.path),
            }
            found.setdefault(view.fingerprint_sha256, authority)
    return list(found.values())


def _each(content: str) -> list[str]:
    """Return the certificates of a PEM text, one by one."""
    end = "-----END CERTIFICATE-----"
    return [f"{part.strip()}\n{end}\n" for part in content.split(end)[:-1]]


def _keys_of(situation: assess.Situation, fingerprint: str, beside: str) -> list[dict[str, t.Any]]:
    """Return where a CA's key lies; an encrypted one counts where it lies beside the certificate."""
    found = []
    for fact in situation.files:
        is_beside = os.path.dirname(fact.path) == os.path.dirname(beside)
        if fact.key and (fact.key.fingerprint == fingerprint or (fact.key.encrypted and is_beside)):
            found.append({"path": fact.path, "encrypted": fact.key.encrypted})
    return found


def _certificates(situation: assess.Situation, related: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """Return the servers' and clients' certificates of these CAs, once each, as recorded_certificates takes them."""
    found: dict[str, dict[str, t.Any]] = {}
    for fact in situation.files:
        for view in fact.certificates[:1]:
            if not view.is_authority and view.public_key_fingerprint in related:
                own = {"content": fact.content, "source": fact.path, "subject": view.subject}
                found.setdefault(view.fingerprint_sha256, {**own, "not_after": view.to_dict()["not_after"]})
    return list(found.values())
