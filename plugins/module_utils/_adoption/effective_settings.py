# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS settings of this host's dockerd from all their sources, and the clients that have access. Pure.

Source: moby cmd/dockerd/daemon.go (loadDaemonCliConfig) and options.go (SetDefaultOptions); measured on 20.10.5, 20.10.24, 26.1 and
28.5 with the table of tests/unit/support/hosts/tls_switches.py:

* ``tlsverify``, true or false, turns TLS on. ``tls`` alone verifies clients too. Only ``tlsverify: false`` asks for no certificate.
* ``tlscacert``, ``tlscert`` and ``tlskey`` turn nothing on: without a switch the API is open in plain text.
* Flags for the three files, DOCKER_CERT_PATH and ~/.docker count only if a flag or DOCKER_TLS_VERIFY speaks of TLS; the keys of
  daemon.json always count. DOCKER_TLS_VERIFY alone turns nothing on.
* Without ``tlscacert`` the authorities of the operating system decide which clients are admitted.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._docker.daemon_json import ENDPOINT_KEYS, misspelled_keys
from .._docker.exec_start import FlagUse

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
