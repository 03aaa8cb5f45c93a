# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the dockerd of this host was told about TLS, whoever told it. Pure. PRIVATE: may change without notice.

Source: moby cmd/dockerd/options.go (flags, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, and ~/.docker where no path is given) and
dockerd_facts 1.2 (the silent fail-opens).
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._daemon.unit import FlagUse

CA, CERTIFICATE, KEY = "tlscacert", "tlscert", "tlskey"
_DEFAULT_NAMES = {CA: "ca.pem", CERTIFICATE: "cert.pem", KEY: "key.pem"}
_HOME = "/root/.docker"


@dataclass(frozen=True)
class Endpoint:
    """Listeners and TLS settings as dockerd takes them together; ``where`` says which file each comes from."""

    hosts: tuple[str, ...]
    tls: bool
    verify: bool
    paths: t.Mapping[str, str]
    where: t.Mapping[str, str]

    @property
    def tcp(self) -> tuple[str, ...]:
        """The TCP listeners; one without a scheme is TCP too."""
        return tuple(host for host in self.hosts if not host.startswith(("fd://", "unix://", "npipe://")))

    @property
    def is_open(self) -> bool:
        """Whether a TCP listener lets everybody in: TLS alone asks for no certificate up to Docker 19.03."""
        return bool(self.tcp) and not (self.tls and self.verify)


def read_endpoint(
    flags: t.Iterable[FlagUse],
    values: t.Mapping[str, t.Any],
    environment: t.Mapping[str, str],
    config_path: str,
) -> Endpoint:
    """Return the endpoint that ``flags`` of dockerd, ``values`` of daemon.json and its ``environment`` make."""
    uses = list(flags)
    where: dict[str, str] = {}
    hosts = [use.value or "" for use in uses if use.name == "host"]
    for use in uses:
        if use.name == "host":
            where["hosts"] = use.source
    listed = values.get("hosts")
    if isinstance(listed, list):
        hosts += [str(host) for host in listed]
        where["hosts"] = config_path
    verify = _switch("tlsverify", uses, values, where, config_path)
    if verify is None and environment.get("DOCKER_TLS_VERIFY"):
        verify, where["tlsverify"] = True, "DOCKER_TLS_VERIFY"
    tls = bool(_switch("tls", uses, values, where, config_path)) or bool(verify)
    paths = {}
    for key, name in _DEFAULT_NAMES.items():
        given = next((use for use in uses if use.name == key and use.value), None)
        if given is not None:
            paths[key], where[key] = str(given.value), given.source
        elif values.get(key):
            paths[key], where[key] = str(values[key]), config_path
        elif tls:
            paths[key] = os.path.join(environment.get("DOCKER_CERT_PATH") or _HOME, name)
            where[key] = "dockerd's default"
    return Endpoint(tuple(dict.fromkeys(hosts)), tls, bool(verify), paths, where)


def _switch(
    name: str,
    uses: t.Sequence[FlagUse],
    values: t.Mapping[str, t.Any],
    where: dict[str, str],
    config_path: str,
) -> bool | None:
    """Return a switch, None where nobody has set it."""
    for use in uses:
        if use.name == name:
            where[name] = use.source
            return (use.value or "true").lower() in ("true", "1", "t")
    if isinstance(values.get(name), bool):
        where[name] = config_path
        return bool(values[name])
    return None


def layout_of(endpoint: Endpoint, unit_paths: t.Iterable[str], *, managed: bool) -> str:
    """Return which tool or recipe an endpoint looks like.

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
