# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of an endpoint."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._errors import TlsError
from .._host.file_owner import CONTROL_CHARACTER
from .journal import state_directory

DEFAULT_DIRECTORY = "/etc/docker/certs"


@dataclass(frozen=True)
class Options:
    """The options of the module ``endpoint``. Times in seconds; certificates as PEM, "" to keep the present ones."""

    state: str = "present"
    listen: tuple[str, ...] = ()  # where the endpoint that is taken over listens, else on all addresses
    port: int = 2376
    directory: str = DEFAULT_DIRECTORY
    certificate: str = ""
    ca: str = ""
    client_ca: str = ""
    config_path: str = ""
    service: str = "docker.service"
    existing_settings: str = "fail"
    allow_public_address: bool = False
    allow_port_2375: bool = False
    live_restore: str = "keep"
    listener: str = "dockerd"
    start_timeout: int = 120
    confirm_timeout: int = 0
    lock_timeout: int = 30
    controller_now: datetime | None = None
    certificate_pending: bool = False
    allow_dual_trust: bool = False
    verify: bool = False
    verification_follows: bool = False  # from the controller, which then confirms
    group_authorities: tuple[tuple[str, str], ...] = ()  # of the listener proxy: group, PEM of its authorities
    group_rights: t.Mapping[str, t.Any] = field(default_factory=dict)
    crl: str = ""
    kept_lists: t.Mapping[str, t.Any] = field(
        default_factory=dict
    )  # groups that keep their lists: why these could not be renewed
    stream_timeout: int = 3600
    allowed_sources: tuple[str, ...] = ()
    haproxy_package: str = ""  # the package that the role installs where HAProxy is missing; "": none

    @property
    def takes_over(self) -> bool:
        """Whether settings of others are taken over, rather than refused."""
        return self.existing_settings in ("adopt", "replace")

    @property
    def socket(self) -> str:
        """The socket unit that belongs to the service."""
        return self.service.rpartition(".")[0] + ".socket"

    @property
    def state_directory(self) -> str:
        """Where journal, record and lock of the service are: ``/var/lib/docker-tls`` for ``docker.service``."""
        return state_directory(self.service)

    def checked(self) -> Options:
        """Return the options. Raises TlsError ``option-invalid`` where one of them makes no sense on any host."""
        if not self.directory.startswith("/") or self.directory.rstrip("/") in ("", "/etc", "/var", "/etc/docker"):
            raise _invalid(
                "directory", self.directory, "Give the certificates an absolute path to a directory of their own."
            )
        for name, text in (("directory", self.directory), ("config_path", self.config_path), ("service", self.service)):
            if CONTROL_CHARACTER.search(text):
                raise _invalid(name, text, "Write it without control characters: units name it.")
        if not self.service.endswith(".service") or "/" in self.service:
            raise _invalid("service", self.service, "Write the unit's whole name, for example docker.service.")
        times = (("start_timeout", self.start_timeout), ("stream_timeout", self.stream_timeout))
        for name, value in (*times, ("port", self.port)):
            if value <= 0:
                raise _invalid(name, str(value), "It must be above zero.")
        for name, value in (("confirm_timeout", self.confirm_timeout), ("lock_timeout", self.lock_timeout)):
            if value < 0:
                raise _invalid(name, str(value), "It must not be below zero.")
        if self.allowed_sources and self.listener == "dockerd":
            raise TlsError(
                "allowed_sources is set, and with the listener dockerd nothing can filter by source address",
                hint="Set docker_daemon_listener: systemd or proxy, or remove docker_daemon_allowed_sources.",
                code="allowed-sources-unsupported",
            )
        limited = [name for name, rights in self.group_rights.items() if rights != "full"]
        if limited and self.listener != "proxy" and self.state == "present":
            raise TlsError(
                f"docker_daemon_group_rights limits the access group{'s' if len(limited) > 1 else ''} {', '.join(map(str, limited))}, and with the "
                f"listener {self.listener} every client has all rights on this host",
                hint="Set docker_daemon_listener: proxy for this host, take the group out of its docker_daemon_access_groups, or give it the right "
                "full on this host.",
                code="rights-need-proxy",
            )
        return self


#: The role's variables of the options that are checked here.
_VARIABLES = {
    "directory": "docker_daemon_certificate_path",
    "stream_timeout": "docker_daemon_proxy_stream_timeout",
    **{
        name: f"docker_daemon_{name}"
        for name in ("port", "config_path", "start_timeout", "confirm_timeout", "allowed_sources")
    },
}


def networks(values: t.Iterable[str]) -> tuple[str, ...]:
    """Return networks as systemd takes them (``10.0.0.0/8``, ``192.0.2.7/32``). Raises TlsError ``option-invalid``."""
    found = []
    for value in values:
        try:
            if "%" in value:
                raise ValueError("systemd takes no zone of an address")
            found.append(str(ipaddress.ip_network(value.strip())))
        except ValueError as error:
            hint = (
                "Write a network or an address, for example 10.0.0.0/8, 192.0.2.7 or fd00::/8, without bits of a host."
            )
            raise _invalid("allowed_sources", value, hint) from error
    return tuple(dict.fromkeys(found))


def options_from(parameters: t.Mapping[str, t.Any]) -> Options:
    """Return the options of a module call. Raises TlsError ``option-invalid``."""
    return Options(
        state=parameters["state"],
        listen=tuple(parameters["listen"]),
        port=parameters["port"],
        directory=parameters["directory"],
        certificate=parameters["certificate_content"],
        certificate_pending=parameters["certificate_pending"],
        ca=parameters["ca_content"],
        client_ca=parameters["client_ca_content"],
        config_path=parameters["config_path"] or "",
        service=parameters["service"],
        existing_settings=parameters["existing_settings"],
        allow_public_address=parameters["allow_public_address"],
        allow_port_2375=parameters["allow_port_2375"],
        allow_dual_trust=parameters["allow_dual_trust"],
        live_restore=parameters["live_restore"],
        listener=parameters["listener"],
        start_timeout=parameters["start_timeout"],
        confirm_timeout=parameters["confirm_timeout"],
        lock_timeout=parameters["lock_timeout"],
        controller_now=parse_time(parameters["controller_time"]),
        verify=parameters["verify"],
        verification_follows=parameters["verification_follows"],
        group_authorities=tuple((str(name), str(text)) for name, text in parameters["group_authorities"].items()),
        group_rights=parameters["group_rights"],
        crl=parameters["crl_content"],
        kept_lists=parameters["kept_lists"],
        stream_timeout=parameters["stream_timeout"],
        allowed_sources=networks(parameters["allowed_sources"]),
        haproxy_package=parameters["haproxy_package"],
    ).checked()


def parse_time(text: str, option: str = "controller_time") -> datetime | None:
    """Return an ISO 8601 time with its zone, None for "". Raises TlsError ``option-invalid``."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise _invalid(option, text, "Write for example 2026-11-22T13:00:00Z.") from error
    if moment.tzinfo is None:
        raise _invalid(option, text, "Add the zone, for example Z at the end for UTC.")
    return moment


def _invalid(option: str, value: str, hint: str) -> TlsError:
    variable = _VARIABLES.get(option)
    return TlsError(f"{option}{f' ({variable})' if variable else ''} is {value!r}", hint=hint, code="option-invalid")
