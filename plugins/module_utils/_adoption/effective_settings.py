# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings in effect for the endpoint of a host of others, and the files that they name.

Source: moby cmd/dockerd/daemon.go (loadDaemonCliConfig) and options.go (SetDefaultOptions); measured on 20.10.5, 20.10.24, 26.1 and
28.5 with the table of tests/unit/support/hosts/tls_switches.py:

* ``tlsverify``, true or false, turns TLS on. ``tls`` alone verifies clients too. Only ``tlsverify: false`` asks for no certificate.
* ``tlscacert``, ``tlscert`` and ``tlskey`` turn nothing on: without a switch the API is open in plain text.
* Flags for the three files, DOCKER_CERT_PATH and ~/.docker count only if a flag or DOCKER_TLS_VERIFY speaks of TLS; the keys of
  daemon.json always count. DOCKER_TLS_VERIFY alone turns nothing on.
* Without ``tlscacert`` the authorities of the operating system decide which clients are admitted.

Only files that hold a certificate or a private key count, wherever Docker, its documentation, docker-machine and the common
scripts put theirs, and where people leave copies. Nothing is opened that is not a regular file, and nothing is changed.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t
from dataclasses import dataclass

from .._docker.daemon_json import ENDPOINT_KEYS, misspelled_keys
from .._docker.exec_start import FlagUse
from .._errors import TlsError
from .._host.file_owner import MAXIMUM_FILE_BYTES, read_regular
from .._pki import keys, pem, reader

CA, CERTIFICATE, KEY = "tlscacert", "tlscert", "tlskey"
_DEFAULT_NAMES = {CA: "ca.pem", CERTIFICATE: "cert.pem", KEY: "key.pem"}
_HOME = "/root"
_LOCAL = ("fd://", "unix://", "npipe://")
#: Clients that are admitted over TCP: no TCP listener; everyone without TLS; everyone with TLS; clients of ``tlscacert``; of the system's authorities.
LOCAL, PLAIN, UNVERIFIED, CLIENTS, SYSTEM = "local", "plain", "unverified", "clients", "system"


@dataclass(frozen=True)
class Endpoint:
    """Listeners and TLS settings as dockerd takes them together; ``where`` is the file of each.

    ``misspelled``: keys of daemon.json that dockerd refuses, with the correct key. They count here as the correct key: dockerd does not
    start with them, and they were written to admit these clients.
    """

    hosts: tuple[str, ...]
    tls: bool
    verify: bool
    paths: t.Mapping[str, str]
    where: t.Mapping[str, str]
    misspelled: tuple[tuple[str, str], ...] = ()

    @property
    def tcp(self) -> tuple[str, ...]:
        """The TCP listeners; one without a scheme is TCP too."""
        return tuple(host for host in self.hosts if not host.startswith(_LOCAL))

    @property
    def admits(self) -> str:
        """Who is admitted over TCP: ``LOCAL``, ``PLAIN``, ``UNVERIFIED``, ``CLIENTS`` or ``SYSTEM``."""
        if not self.tcp:
            return LOCAL
        if not self.tls:
            return PLAIN
        if not self.verify:
            return UNVERIFIED
        return CLIENTS if self.paths.get(CA) else SYSTEM

    @property
    def is_open(self) -> bool:
        """Whether a TCP listener admits everyone."""
        return self.admits in (PLAIN, UNVERIFIED)


def read_endpoint(
    flags: t.Iterable[FlagUse],
    values: t.Mapping[str, t.Any],
    environment: t.Mapping[str, str],
    config_path: str,
    socket_listeners: t.Iterable[tuple[str, str]] = (),
) -> Endpoint:
    """Return the endpoint that ``flags`` of dockerd, ``values`` of daemon.json and its ``environment`` make.

    ``socket_listeners``: (address, file) of the TCP listeners that docker.socket hands over where dockerd takes them (``fd://``).
    """
    uses = list(flags)
    misspelled = tuple((key, meant) for key, meant in misspelled_keys(values) if _is_refused(key, meant))
    meant_values = {**{meant: values[key] for key, meant in misspelled}, **values}
    where: dict[str, str] = {}
    hosts = _hosts(uses, meant_values, where, config_path, tuple(socket_listeners))
    tls_flag, verify_flag = _flag("tls", uses, where), _flag("tlsverify", uses, where)
    switch = _first(tls_flag, _value("tls", meant_values, where, config_path))
    asked = _first(verify_flag, _value("tlsverify", meant_values, where, config_path))
    tls = asked is not None or bool(switch)
    verify = asked if asked is not None else tls
    beside = bool(tls_flag) or verify_flag is not None or bool(environment.get("DOCKER_TLS_VERIFY"))
    paths = {}
    for key, name in _DEFAULT_NAMES.items():
        given = [use for use in uses if use.name == key and use.value]
        if meant_values.get(key):
            paths[key], where[key] = str(meant_values[key]), config_path
        elif given and (beside or not tls):  # the last one counts; where TLS is off they are shown, and do nothing
            paths[key], where[key] = str(given[-1].value), given[-1].source
        elif tls and beside:
            paths[key] = os.path.join(_certificate_home(environment), name)
            where[key] = "dockerd's default"
    return Endpoint(hosts, tls, verify, paths, where, misspelled)


def _is_refused(key: str, meant: str) -> bool:
    """Return whether dockerd refuses ``key`` as unknown; ``host`` is a flag's name, and is accepted and ignored."""
    return meant in ENDPOINT_KEYS and key != "host"


def _hosts(
    uses: t.Sequence[FlagUse],
    values: t.Mapping[str, t.Any],
    where: dict[str, str],
    config_path: str,
    socket_listeners: t.Sequence[tuple[str, str]],
) -> tuple[str, ...]:
    """Return all listeners; ``fd://`` stands for what docker.socket hands over too."""
    hosts = []
    for use in uses:
        if use.name == "host":
            hosts.append(use.value or "")
            where["hosts"] = use.source
    listed = values.get("hosts")
    if isinstance(listed, list):
        hosts += [str(host) for host in listed]
        where["hosts"] = config_path
    if socket_listeners and any(host.startswith("fd://") for host in hosts):
        hosts += [f"tcp://{address}" for address, _path in socket_listeners]
        where["hosts"] = socket_listeners[-1][1]
    return tuple(dict.fromkeys(hosts))


def _flag(name: str, uses: t.Sequence[FlagUse], where: dict[str, str]) -> bool | None:
    """Return a switch among the flags, None where there is none; the last one counts."""
    given = [use for use in uses if use.name == name]
    if not given:
        return None
    where[name] = given[-1].source
    return (given[-1].value or "true").lower() in ("true", "1", "t")


def _value(name: str, values: t.Mapping[str, t.Any], where: dict[str, str], config_path: str) -> bool | None:
    """Return a switch of daemon.json, None where it is not set; null is not set."""
    if not isinstance(values.get(name), bool):
        return None
    where.setdefault(name, config_path)
    return bool(values[name])


def _first(*switches: bool | None) -> bool | None:
    """Return the first switch that is set."""
    return next((switch for switch in switches if switch is not None), None)


def _certificate_home(environment: t.Mapping[str, str]) -> str:
    """Return dockerd's default directory of its files."""
    return environment.get("DOCKER_CERT_PATH") or os.path.join(environment.get("HOME") or _HOME, ".docker")


def layout_of(endpoint: Endpoint, unit_paths: t.Iterable[str], *, managed: bool) -> str:
    """Return the tool or recipe that an endpoint resembles.

    ``portcullis`` (ours), ``local`` (no TCP), ``open`` (TCP without client certificates), ``docker-machine``, ``docker-recipe``
    (the names of Docker's documentation), ``dind``, ``docker-home`` (dockerd's defaults in ~/.docker), or ``other``.
    """
    if managed:
        return "portcullis"
    if not endpoint.tcp:
        return "local"
    names = tuple(os.path.basename(endpoint.paths.get(key, "")) for key in (CA, CERTIFICATE, KEY))
    if any(os.path.basename(path) == "10-machine.conf" for path in unit_paths) and endpoint.tls:
        return "docker-machine"
    if endpoint.is_open:
        return "open"
    if names == ("ca.pem", "server.pem", "server-key.pem"):
        return "docker-machine"
    if names == ("ca.pem", "server-cert.pem", "server-key.pem"):
        return "docker-recipe"
    if names == ("ca.pem", "cert.pem", "key.pem"):
        directory = os.path.dirname(endpoint.paths.get(CERTIFICATE, ""))
        return "dind" if directory == "/certs/server" else "docker-home"
    return "other"


#: Directories that are searched (not below them); patterns are for glob(3).
PLACES = (
    "/etc/docker",
    "/etc/docker/certs",
    "/etc/docker/ssl",
    "/etc/docker/tls",
    "/etc/docker/ca",
    "/etc/pki/docker",
    "/etc/ssl/docker",
    "/certs/*",
    "/var/docker",
    "/var/lib/boot2docker",
    "/opt/docker",
    "/opt/docker/certs",
    "/root",
    "/root/.docker",
    "/root/certs",
    "/root/docker-certs",
    "/root/.docker/machine/certs",
    "/home/*",
    "/home/*/.docker",
    "/home/*/certs",
    "/home/*/docker-certs",
    "/home/*/.docker/machine/certs",
    "/tmp",  # noqa: S108 - to find leftovers there
    "/tmp/*",  # noqa: S108
    "/var/tmp",  # noqa: S108
    "/var/tmp/*",  # noqa: S108
)
_SUFFIXES = (".pem", ".crt", ".cer", ".cert", ".key")
_MOST_IN_A_DIRECTORY = 500
_MOST_BELOW = 50


@dataclass(frozen=True)
class KeyFact:
    """A private key: ``fingerprint`` of its public key, "" where it is encrypted and so is not known."""

    encrypted: bool
    fingerprint: str
    key_type: str


@dataclass(frozen=True)
class FileFact:
    """A file with certificates, a key, or both."""

    path: str
    mode: int
    uid: int
    certificates: tuple[reader.CertificateView, ...]
    content: str
    key: KeyFact | None


def search(named: t.Iterable[str], places: t.Iterable[str] = PLACES) -> tuple[FileFact, ...]:
    """Return the files of interest: those ``named``, those beside them, and those in ``places``; by path."""
    paths = tuple(named)
    wanted = {os.path.realpath(path) for path in paths if os.path.isabs(path)}
    for directory in directories(paths, places):
        wanted.update(os.path.join(directory, name) for name in _candidates(directory))
    found = (read_fact(path) for path in sorted(wanted))
    return tuple(fact for fact in found if fact is not None)


def directories(named: t.Iterable[str], places: t.Iterable[str] = PLACES) -> tuple[str, ...]:
    """Return the directories that are searched: those of the files ``named``, one below and one above them, and ``places``."""
    beside: set[str] = set()
    for path in named:
        if os.path.isabs(path):
            beside.update((os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))))
    found = set(beside)
    for directory in beside:
        above = os.path.dirname(directory)
        if os.path.dirname(above) != above:  # without /etc and /root: their relevant parts are in PLACES
            found.add(above)
        found.update(sorted(filter(os.path.isdir, glob.glob(os.path.join(glob.escape(directory), "*"))))[:_MOST_BELOW])
    for pattern in places:
        found.update(glob.glob(os.path.expanduser(pattern)))
    return tuple(sorted({os.path.realpath(path) for path in found if os.path.isdir(path)}))


def _candidates(directory: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    chosen = [name for name in names if name.endswith(_SUFFIXES) or "key" in name.lower()][:_MOST_IN_A_DIRECTORY]
    return [name for name in chosen if not os.path.islink(os.path.join(directory, name))]


def read_fact(path: str) -> FileFact | None:
    """Return the content of a file, None where that is neither a certificate nor a private key, or cannot be read."""
    try:
        status = os.stat(path)
        data = read_regular(path) if status.st_size <= MAXIMUM_FILE_BYTES else None
    except (OSError, TlsError):
        return None
    if not data:
        return None
    views, content = _certificates(data, path)
    key = _key(data)
    if not views and key is None:
        return None
    return FileFact(path, status.st_mode & 0o7777, status.st_uid, views, content, key)


def _certificates(data: bytes, path: str) -> tuple[tuple[reader.CertificateView, ...], str]:
    try:
        loaded = reader.load_certificates(data, path)
        views = tuple(reader.view_certificate(one, path) for one in loaded)
    except TlsError:
        return (), ""
    return views, "".join(map(reader.certificate_pem, loaded))


def _key(data: bytes) -> KeyFact | None:
    blocks = pem.blocks(data, *pem.PRIVATE_KEY)
    if not blocks:
        return None
    if b"ENCRYPTED" in blocks[0]:
        return KeyFact(True, "", "")
    try:
        public = keys.load_private_key(blocks[0], what="the key").public_key()
    except TlsError:
        return None
    return KeyFact(False, keys.public_key_fingerprint(public), keys.key_type_of(public))


#: Where the one who made the CAs keeps them, beside the usual places.
HOME_PLACES = ("~", "~/.docker", "~/.docker/machine/certs", "~/certs", "~/docker-certs")
_CA_KEY = re.compile(r"(^|[^a-z])(ca|root)([^a-z].*)?key|key.*[^a-z](ca|root)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class CaKeys:
    """The places of keys as (fingerprint of the CA's certificate, path, whether it is encrypted), and which places were searched."""

    keys: tuple[tuple[str, str, bool], ...]
    searched: tuple[str, ...]


def find_ca_keys(certificates: t.Iterable[str], places: t.Iterable[str]) -> CaKeys:
    """Return the keys of ``certificates`` (PEM, a CA each) in the usual places and in ``places``.

    An encrypted key cannot be identified before it is opened: it counts where it is beside the CA's certificate, or where its name
    is that of a CA key and no CA's certificate is beside it. Raises TlsError ``certificate-unreadable``.
    """
    wanted = (*PLACES, *HOME_PLACES, *places)
    facts = search((), wanted)
    keys = []
    for text in certificates:
        view = reader.view_certificate(reader.load_certificate(text, "a CA's certificate"))
        for fact in facts:
            if fact.key is None:
                continue
            known = fact.key.fingerprint == view.public_key_fingerprint
            if known or (fact.key.encrypted and _may_be_ca_key(fact, view.public_key_fingerprint, facts)):
                keys.append((view.fingerprint_sha256, fact.path, fact.key.encrypted))
    return CaKeys(tuple(keys), directories((), wanted))


def _may_be_ca_key(fact: FileFact, fingerprint: str, facts: t.Iterable[FileFact]) -> bool:
    """Return whether an encrypted key may be that of the CA whose key has this fingerprint, by its surroundings."""
    directory = os.path.dirname(fact.path)
    beside = {
        view.public_key_fingerprint
        for other in facts
        for view in other.certificates
        if view.is_authority and os.path.dirname(other.path) == directory
    }
    return fingerprint in beside or (not beside and _CA_KEY.search(os.path.basename(fact.path)) is not None)
