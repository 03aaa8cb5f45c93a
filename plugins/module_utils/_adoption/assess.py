# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The problems of an endpoint of another tool, and their repairs. Pure."""

from __future__ import annotations

import os
import shlex
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._pki import reader, renewal, verify
from .._pki.reader import CertificateView
from .._time import isoformat
from . import effective_settings, unit_diff
from .effective_settings import Endpoint, FileFact

CRITICAL, WARNING, INFO = "critical", "warning", "info"
_ORDER = (CRITICAL, WARNING, INFO)
_TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/")  # noqa: S108 - to find leftovers there
_LEAF_SOON, _AUTHORITY_SOON = timedelta(days=30), timedelta(days=90)
_WEAK_SIGNATURES = ("md5", "sha1")
_SITE = "Adopting the CA and running portcullis.docker_tls.site issues a new one"
_ADOPT = "portcullis.docker_tls.site with docker_daemon_existing_settings: adopt"
_ROTATE = "(portcullis.docker_tls.rotate_ca)"
#: Severity and repair of the findings for which both are always the same.
_KNOWN = {
    "port-open": (CRITICAL, f"{_ADOPT} secures the endpoint, verifies it, and closes this"),
    "clients-not-verified": (CRITICAL, f"{_ADOPT} sets tlsverify"),
    "anchors-missing": (CRITICAL, f"{_ADOPT} sets it"),
    "files-not-lasting": (WARNING, "portcullis.docker_tls.site keeps them in /etc/docker/certs"),
    "one-authority-for-both": (
        WARNING,
        f"It can be adopted for both; rotate away from it when that suits you {_ROTATE}",
    ),
    "names-missing": (WARNING, _SITE),
    "server-is-client": (
        WARNING,
        f"{_SITE} for servers only; the old one continues to be accepted until its CA is rotated away",
    ),
    "key-mismatch": (CRITICAL, _SITE),
    "served-not-stored": (WARNING, "portcullis.docker_tls.site restarts it once, with its own files"),
    "certificate-expired": (CRITICAL, _SITE),
    "authority-expired": (CRITICAL, "Run portcullis.docker_tls.site; an expired CA cannot be adopted"),
    "certificate-expires-soon": (WARNING, _SITE),
    "authority-expires-soon": (WARNING, f"Adopt it and rotate away soon {_ROTATE}"),
    "key-weak": (CRITICAL, "Replace it: run portcullis.docker_tls.site"),
    "signature-weak": (WARNING, _SITE),
}


@dataclass(frozen=True)
class Finding:
    """One thing found; ``action`` is what ``repair`` can do about it: ``mode``, ``move``, ``unit``, or "" for nothing by itself."""

    code: str
    severity: str
    path: str
    message: str
    repair: str
    action: str = ""


def _known(code: str, path: str, message: str) -> Finding:
    severity, repair = _KNOWN[code]
    return Finding(code, severity, path, message, repair)


@dataclass(frozen=True)
class Unit:
    """Docker's unit: its file, the package that it is from, and whether it is as the package has it (None: not known).

    ``text`` is the content of the file; ``original`` that of the package's file, byte for byte ("" where it is not known for certain).
    ``packaged_path``: the package's file, where this one is in /etc and hides it.
    """

    path: str = ""
    package: str = ""
    changed: bool | None = None
    reinstall: str = ""
    text: str = ""
    original: str = ""
    packaged_path: str = ""

    @property
    def endpoint_lines(self) -> tuple[str, ...]:
        """The lines of the file that name a TCP listener or TLS settings: no package of Docker does that."""
        return unit_diff.endpoint_lines(self.text)


@dataclass(frozen=True)
class Situation:
    """The input of the assessment. ``in_use`` are paths that dockerd reads, or will read again after our removal.

    ``is_ca_host``: the authorities are kept on this host anyway. ``ours``: directories that the collection keeps itself.
    """

    endpoint: Endpoint
    files: tuple[FileFact, ...]
    unit: Unit
    in_use: frozenset[str]
    now: datetime
    managed: bool = False
    is_ca_host: bool = False
    ours: tuple[str, ...] = ()
    served_fingerprint: str = ""

    def file(self, key: str) -> FileFact | None:
        """The file that dockerd's setting ``key`` names."""
        path = os.path.realpath(self.endpoint.paths.get(key, ""))
        return next((fact for fact in self.files if fact.path == path), None)

    @property
    def leaf(self) -> CertificateView | None:
        """The server certificate."""
        fact = self.file(effective_settings.CERTIFICATE)
        return fact.certificates[0] if fact and fact.certificates else None

    @property
    def anchors(self) -> tuple[CertificateView, ...]:
        """The authorities whose clients dockerd admits."""
        fact = self.file(effective_settings.CA)
        return fact.certificates if fact else ()


def assess_host(situation: Situation) -> tuple[Finding, ...]:
    """Return all findings, the worst first."""
    found = [
        *_listeners(situation),
        *_certificates(situation),
        *_strict_clients(situation),
        *_keys(situation),
        *_unit(situation.unit),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (_ORDER.index(one.severity), one.code, one.path)))


def related_keys(situation: Situation) -> dict[str, str]:
    """Return the kinds of the relevant keys: fingerprint of the public key -> ``ca``, ``server`` or ``client``."""
    anchors = [*situation.anchors, *_issuers_of(situation.leaf, situation.files)]
    found = {view.public_key_fingerprint: "ca" for view in anchors if view.is_authority}
    for fact in situation.files:
        for view in fact.certificates[:1]:
            if not view.is_authority and any(renewal.is_below(view, anchor) for anchor in anchors):
                kind = (
                    "client" if "serverAuth" not in view.extended_key_usages and view.extended_key_usages else "server"
                )
                found.setdefault(view.public_key_fingerprint, kind)
    if situation.leaf is not None:
        found[situation.leaf.public_key_fingerprint] = "server"
    return found


def _issuers_of(leaf: CertificateView | None, files: t.Iterable[FileFact]) -> list[CertificateView]:
    if leaf is None:
        return []
    return [view for fact in files for view in fact.certificates if view.is_authority and renewal.is_below(leaf, view)]


def _listeners(situation: Situation) -> t.Iterator[Finding]:
    endpoint = situation.endpoint
    place = endpoint.where.get("hosts", "")
    tcp = ", ".join(endpoint.tcp)
    if endpoint.tcp and not endpoint.tls:
        text = f"Docker's API is open without TLS on {tcp}: anyone who reaches it is root on this host"
        yield _known("port-open", place, text)
    elif endpoint.admits == effective_settings.UNVERIFIED:
        text = f"TLS on {tcp} with tlsverify: false: clients need no certificate, so anyone who reaches it is root on this host"
        yield _known("clients-not-verified", endpoint.where.get("tlsverify", place), text)
    for key, meant in endpoint.misspelled:
        text = f"daemon.json has the key {key}, which dockerd does not know: it does not start with it. {meant} is probably the intended key"
        way = f"{_ADOPT} removes it and sets {meant}; until then Docker fails at its next start"
        yield Finding("daemon-json-misspelled", CRITICAL, endpoint.where.get(meant, place), text, way)
    if endpoint.tcp and endpoint.verify and situation.file(effective_settings.CA) is None:
        text = "tlscacert names no file with certificates, so the authorities of the operating system decide who may connect"
        yield _known("anchors-missing", endpoint.paths.get(effective_settings.CA, ""), text)
    for key, path in endpoint.paths.items():
        if (os.path.realpath(path) + "/").startswith(_TEMPORARY) and endpoint.tcp:
            text = f"dockerd's {key} is in a temporary directory, so Docker may not start after a reboot"
            yield _known("files-not-lasting", path, text)


def _certificates(situation: Situation) -> t.Iterator[Finding]:
    leaf, path, now = situation.leaf, situation.endpoint.paths.get(effective_settings.CERTIFICATE, ""), situation.now
    if situation.endpoint.tcp and leaf is not None:
        yield from _leaf(situation, leaf, path)
    anchor_path = situation.endpoint.paths.get(effective_settings.CA, "")
    for anchor in situation.anchors:
        yield from _dates(anchor, anchor_path, now, _AUTHORITY_SOON, "the CA", "authority")
        yield from _strength(anchor, anchor_path, "the CA")
        if leaf is not None and renewal.is_below(leaf, anchor) and not situation.managed:
            text = f"the CA {anchor.subject} signs servers and clients, so a server certificate that is also valid for clients opens every host"
            yield _known("one-authority-for-both", anchor_path, text)


def _strict_clients(situation: Situation) -> t.Iterator[Finding]:
    """Report which CAs of dockerd strict clients refuse, before anything depends on them."""
    fact = situation.file(effective_settings.CA)
    path = situation.endpoint.paths.get(effective_settings.CA, "")
    for certificate in reader.load_certificates(fact.content, fact.path) if fact and fact.certificates else ():
        if not reader.view_certificate(certificate).is_authority:
            continue
        for code, words in verify.strict_faults(certificate):
            who = f"the CA {reader.name_text(certificate.subject)} {words}"
            text = f"{who}: strict clients (Python from 3.13 on) refuse every certificate that it signs"
            yield Finding(code, WARNING, path, text, verify.STRICT_WAY)


def _leaf(situation: Situation, leaf: CertificateView, path: str) -> t.Iterator[Finding]:
    yield from _dates(leaf, path, situation.now, _LEAF_SOON, "the server certificate", "certificate")
    yield from _strength(leaf, path, "the server certificate")
    if not leaf.names:
        text = "the server certificate has no subject alternative name; clients of today refuse it, so some are configured not to verify"
        yield _known("names-missing", path, text)
    if "clientAuth" in leaf.extended_key_usages or not leaf.extended_key_usages:
        text = (
            "the server certificate is also valid for clients: this host's key opens every host that admits the same CA"
        )
        yield _known("server-is-client", path, text)
    key = situation.file(effective_settings.KEY)
    if key is not None and key.key is not None and key.key.fingerprint not in ("", leaf.public_key_fingerprint):
        yield _known("key-mismatch", key.path, "dockerd's key is not that of its certificate")
    if situation.served_fingerprint not in ("", leaf.fingerprint_sha256):
        text = "dockerd still serves another certificate than the one in the file: it was not restarted"
        yield _known("served-not-stored", path, text)


def _dates(
    view: CertificateView, path: str, now: datetime, soon: timedelta, what: str, code: str
) -> t.Iterator[Finding]:
    end = isoformat(view.not_after)
    if now >= view.not_after:
        yield _known(f"{code}-expired", path, f"{what} ({view.subject}) expired at {end}")
    elif view.not_after - now < soon:
        text = f"{what} ({view.subject}) ends {end}, in {(view.not_after - now).days} days"
        yield _known(f"{code}-expires-soon", path, text)


def _strength(view: CertificateView, path: str, what: str) -> t.Iterator[Finding]:
    kind, _dash, size = view.key_type.partition("-")
    if kind == "rsa" and size.isdigit() and int(size) < 2048:
        yield _known("key-weak", path, f"{what} ({view.subject}) has a key of type {view.key_type}")
    if not view.is_authority and any(word in view.signature_algorithm.lower() for word in _WEAK_SIGNATURES):
        text = f"{what} is signed with {view.signature_algorithm}, which clients refuse"
        yield _known("signature-weak", path, text)


def _keys(situation: Situation) -> t.Iterator[Finding]:
    related = related_keys(situation)
    ca_directories = {
        os.path.dirname(fact.path)
        for fact in situation.files
        if any(related.get(view.public_key_fingerprint) == "ca" for view in fact.certificates)
    }
    for fact in situation.files:
        if fact.key is None or fact.path.startswith(situation.ours):
            continue
        kind = related.get(fact.key.fingerprint, "")
        if fact.key.encrypted and os.path.dirname(fact.path) in ca_directories:
            kind = "ca"  # what else would have a passphrase there: dockerd and its clients read none
        if fact.path in situation.in_use:
            kind = kind or "server"
        if kind:
            yield from _key(situation, fact, kind)


def _key(situation: Situation, fact: FileFact, kind: str) -> t.Iterator[Finding]:
    whose = {"ca": "the CA's", "server": "the server's", "client": "a client's"}[kind]
    encrypted = fact.key is not None and fact.key.encrypted
    in_use = fact.path in situation.in_use
    others = fact.mode & 0o077
    if others:
        who = "every user" if others & 0o007 else "its group"
        severity = CRITICAL if others & 0o007 and not encrypted else WARNING
        text = f"{whose} private key has mode {fact.mode:04o}: {who} on this host can read it"
        change = f"chmod {0o400 if fact.uid == 0 else 0o600:04o} {shlex.quote(fact.path)}"
        way = f"{change}; treat the key as known to others if this matters"
        yield Finding("key-readable", severity, fact.path, text, way, "mode")
    temporary = fact.path.startswith(_TEMPORARY)
    if kind == "ca" and not situation.is_ca_host and not temporary:
        key = f"the CA's private key{'' if encrypted else ', without a passphrase,'}"
        text = f"{key} is on a Docker host: root on this host can make clients for all hosts"
        way, action = "Once the CA is adopted, this copy is not needed here any more", "" if in_use else "move"
        yield Finding("authority-key-on-host", WARNING if encrypted else CRITICAL, fact.path, text, way, action)
    elif (temporary or kind == "ca" or _is_insecure(fact, kind)) and not in_use:
        severity = CRITICAL if temporary and not encrypted else WARNING
        text = f"{whose} private key was left {'in a temporary directory' if temporary else 'where it was made'}"
        way = "It is not used from there; it can be moved to a private directory"
        yield Finding("key-left-behind", severity, fact.path, text, way, "move")


def _is_insecure(fact: FileFact, kind: str) -> bool:
    """Return whether a key lies where it was made, and not where a program reads it: a client's belongs in ~/.docker."""
    directory = os.path.dirname(fact.path)
    home = directory == "/root" or os.path.dirname(directory) == "/home"
    return home or (kind == "server" and not directory.startswith(("/etc/", "/var/docker", "/opt/", "/certs/")))


def _unit(unit: Unit) -> t.Iterator[Finding]:
    suspect = unit.endpoint_lines if unit.package and not unit.packaged_path else ()
    if unit.changed or (unit.changed is None and suspect):
        where = unit_diff.changed_lines(unit.original, unit.text) if unit.original else suspect
        lines = f": {', '.join(where)}" if where else ""
        edited = f"the unit of the package {unit.package} was edited{lines}"
        text = f"{edited}; the package's next upgrade removes the edit or asks about it"
        code, severity = "unit-edited", WARNING
    elif unit.packaged_path:
        where = unit_diff.changed_lines(unit.original, unit.text) if unit.original else ()
        lines = f" It differs in {', '.join(where)}." if where else ""
        text = f"the whole unit was copied to /etc, so changes of the package's ({unit.packaged_path}) no longer reach it.{lines}"
        code, severity = "unit-replaced", INFO
    else:
        return
    action, way = _unit_repair(unit)
    yield Finding(code, severity, unit.path, text, way, action)


def _unit_repair(unit: Unit) -> tuple[str, str]:
    """Return the action for an edited or copied unit, and what to do in words."""
    if not unit.original:
        reinstall = unit.reinstall or "Reinstall the package"
        kept = "Its settings of TLS and listeners are taken over by a drop-in"
        if unit.packaged_path:
            unknown = f"{unit.packaged_path} is not known to be the package's own either"
            return "", f"{unknown}: {reinstall}, then run again. {kept}"
        return "", f"{reinstall} (the package's own text is not on this host). {kept}"
    dropin, obstacles = unit_diff.as_dropin(unit.original, unit.text, unit.path)
    if obstacles:
        by_hand = f"remove {unit.path}" if unit.packaged_path else unit.reinstall
        return "", (
            f"No drop-in can contain its settings of {', '.join(obstacles)}: decide which of them are needed, write them into a drop-in "
            f"(systemctl edit docker.service), then {by_hand} and systemctl daemon-reload"
        )
    done = "takes the copy away" if unit.packaged_path else "restores the package's text, byte for byte,"
    kept = f" and keeps the edits in the drop-in {unit_diff.DROPIN_NAME}" if dropin else ""
    return "unit", f"docker_adopt_repair with units {done}{kept}; Docker is not restarted"
