# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of an endpoint, and the plan that is made from them: values without decisions.

The order of the swaps matters: dockerd must be able to start after every one of them, be it because the power failed or
because it crashed before ``daemon-reload``. Two rules give that order (dockerd-facts 1.4, 1.5, 2.2):

* daemon.json never has ``hosts`` while the unit still has ``-H`` (dockerd would refuse to start). The other way round,
  neither of the two, is fine: dockerd then listens on its default local socket.
* systemd never holds the TCP socket while daemon.json has no TLS keys, and never without the start guard in the unit.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field, fields
from datetime import datetime

from .._docker import daemon_json, our_units
from .._docker.listeners import is_on_host
from .._docker.our_units import unit_reasons
from .._docker.systemd import streams_of
from .._errors import TlsError
from .._host.file_owner import CONTROL_CHARACTER
from .journal import Record, state_directory
from .state import HostState

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
            hint = "Give the certificates an absolute path to a directory of their own."
            raise _invalid("directory", self.directory, hint)
        for name in ("directory", "config_path", "service"):
            if CONTROL_CHARACTER.search(getattr(self, name)):
                raise _invalid(name, getattr(self, name), "Write it without control characters: units name it.")
        if not self.service.endswith(".service") or "/" in self.service:
            raise _invalid("service", self.service, "Write the unit's whole name, for example docker.service.")
        for name in ("start_timeout", "stream_timeout", "port"):
            if getattr(self, name) <= 0:
                raise _invalid(name, str(getattr(self, name)), "It must be above zero.")
        for name in ("confirm_timeout", "lock_timeout"):
            if getattr(self, name) < 0:
                raise _invalid(name, str(getattr(self, name)), "It must not be below zero.")
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


#: The module's options that have another name here.
_PARAMETERS = {
    "certificate": "certificate_content",
    "ca": "ca_content",
    "client_ca": "client_ca_content",
    "crl": "crl_content",
    "controller_now": "controller_time",
}
#: The role's variables of the options that are checked here.
_VARIABLES = {
    "directory": "docker_daemon_certificate_path",
    "stream_timeout": "docker_daemon_proxy_stream_timeout",
    "port": "docker_daemon_port",
    "config_path": "docker_daemon_config_path",
    "start_timeout": "docker_daemon_start_timeout",
    "confirm_timeout": "docker_daemon_confirm_timeout",
    "allowed_sources": "docker_daemon_allowed_sources",
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
    given = {field.name: parameters[_PARAMETERS.get(field.name, field.name)] for field in fields(Options)}
    given.update(
        listen=tuple(given["listen"]),
        config_path=given["config_path"] or "",
        controller_now=parse_time(given["controller_now"]),
        group_authorities=tuple((str(name), str(text)) for name, text in given["group_authorities"].items()),
        allowed_sources=networks(given["allowed_sources"]),
    )
    return Options(**given).checked()


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


#: daemon.json in the record of a host that has none: the listener ``proxy`` needs no settings.
NOTHING = b"{}\n"


@dataclass(frozen=True)
class Change:
    """One file and its bytes to be; None: it goes."""

    path: str
    after: bytes | None


@dataclass(frozen=True)
class Expected:
    """The expected state of the host after the change. ``addresses``: (address, port) to connect to.

    ``authority_names``: DER subject names of the anchors, None where they are not known. ``by_proxy``: the proxy holds the
    ports, and dockerd none. ``filtered``: only some networks may connect.
    """

    addresses: tuple[tuple[str, int], ...] = ()
    fingerprint: str = ""
    authority_names: tuple[bytes, ...] | None = None
    by_proxy: bool = False
    filtered: bool = False


@dataclass(frozen=True)
class Plan:
    """The steps of a change. ``changed`` is False without any.

    ``files``: in the order of their swap. ``certificates``: name -> bytes of those that change. ``revision``: an older
    one that becomes live again. ``config_before_restart``: daemon.json that only switches live-restore on, before everything else.
    ``config_during_restart``: daemon.json for the restart, where the final one lacks the live-restore that keeps the containers running.
    ``config_for_rollback``: the same for a rollback. ``released``: the directory of the certificates is restored, with the files in
    ``revision`` where another tool had some, and so are ``former`` ones. ``leftovers``: files of an unfinished run (a key that waits for its
    certificate, a record), removed without touching Docker. ``proxy``: the change of its unit (``_proxy/service.py``).
    """

    action: str
    files: tuple[Change, ...] = ()
    certificates: t.Mapping[str, bytes] = field(default_factory=dict)
    revision: str | None = None
    restart: bool = False
    reload: bool = False
    with_socket: bool = False
    config_before_restart: bytes | None = None
    config_during_restart: bytes | None = None
    config_for_rollback: bytes | None = None
    command: str = ""
    expected: Expected = Expected()
    reasons: tuple[str, ...] = ()
    record: Record | None = None
    containers_stopped: int = 0
    released: bool = False
    directory_mode: int | None = None
    former: tuple[str, ...] = ()
    leftovers: bool = False
    proxy: str = ""

    @property
    def touches_docker(self) -> bool:
        """Whether anything has to be done to what dockerd, its proxy or systemd read."""
        return bool(self.files or self.certificates or self.revision or self.restart or self.reload or self.proxy)

    @property
    def changed(self) -> bool:
        """Whether anything has to be done."""
        return self.touches_docker or self.leftovers


@dataclass(frozen=True)
class Done:
    """The result of a transaction; ``verification`` as it is shown to users. ``warnings``: further messages for them."""

    restarted: bool
    verification: tuple[dict[str, t.Any], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Units:
    """Our files for systemd as they are to be (None: no file): two drop-ins, and the socket unit of the listener ``systemd``.

    ``proxy``: path -> bytes of those of the listener ``proxy``.
    """

    service: bytes | None
    socket: bytes | None
    endpoint: bytes | None
    proxy: t.Mapping[str, bytes | None]


def ordered(state: HostState, config_after: bytes | None, after: Units) -> tuple[Change, ...]:
    """Return the files that change, in an order in which dockerd could start after each.

    Those of a new proxy come last and those of an old one go first: the port is never asked for by both.
    """
    units = [
        Change(state.dropin_path, after.service),
        Change(state.socket_dropin_path, after.socket),
        Change(state.endpoint_socket_path, after.endpoint),
    ]
    if after.endpoint is None:
        units.reverse()
    json_file = Change(state.config_path, config_after)
    has_hosts = "hosts" in daemon_json.parse_daemon_json(config_after, state.config_path).values
    leaves_socket_listener = state.endpoint_socket is not None and after.endpoint is None
    sequence = [*units, json_file] if has_hosts or leaves_socket_listener else [json_file, *units]
    proxy = [Change(path, data) for path, data in after.proxy.items()]
    leaves = after.proxy.get(state.proxy.files.unit_path) is None
    sequence = [*reversed(proxy), *sequence] if leaves else [*sequence, *proxy]
    before = state.contents
    return tuple(change for change in sequence if change.after != before[change.path])


def config_reasons(
    before: t.Mapping[str, t.Any],
    after: t.Mapping[str, t.Any],
    *,
    lost: bool = False,
    addresses: t.Collection[str] = (),
) -> tuple[str, ...]:
    """Return why daemon.json changes, in the order of importance.

    ``lost``: an earlier run wrote our settings, and they are gone; ``addresses``: where the endpoint is to listen (``ADDRESS:PORT``).
    """
    changed = daemon_json.difference(before, after)
    if not changed:
        return ()
    reasons = []
    if "tlsverify" in after and "tlsverify" not in before:
        reasons.append("daemon-json-rewritten" if lost else "endpoint-new")
    elif "hosts" in changed:
        reasons.append(_listen_reason(_tcp(before), _tcp(after), set(addresses)))
    tls = {*changed} & ({*daemon_json.ENDPOINT_KEYS} - {"hosts"})
    if tls and not {"endpoint-new", "daemon-json-rewritten"} & {*reasons}:
        reasons.append("daemon-json-changed")
    if "live-restore" in changed:
        reasons.append("live-restore-changed")
    return tuple(reasons) or ("daemon-json-changed",)


def _tcp(config: t.Mapping[str, t.Any]) -> set[str]:
    """Return the addresses that dockerd itself listens on by its daemon.json."""
    hosts = config.get("hosts")
    listed = hosts if isinstance(hosts, (list, tuple)) else ()
    return {str(host)[len("tcp://") :] for host in listed if str(host).startswith("tcp://")}


def _listen_reason(before: set[str], after: set[str], addresses: set[str]) -> str:
    """Return why ``hosts`` changes: with the listeners systemd and proxy, daemon.json has no address, so its absence is no other address."""
    if before == after:
        return "daemon-json-changed"
    if not before or (not after and before == addresses):
        return "listener-changed"
    return "listen-changed"


def needs_restart(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> bool:
    """Return whether dockerd must restart for the difference: live-restore is reloaded (SIGHUP), all else of ours is not."""
    return any(key != "live-restore" for key in daemon_json.difference(before, after))


@dataclass(frozen=True)
class LiveRestore:
    """The daemon.json versions that carry running containers over a restart; see ``Plan``."""

    config_before_restart: bytes | None = None
    config_during_restart: bytes | None = None
    config_for_rollback: bytes | None = None
    containers_stopped: int = 0


def live_restore_steps(state: HostState, after: bytes | None, *, restart: bool, flagged: bool) -> LiveRestore:
    """Return the texts of daemon.json for each step, so that live-restore is on whenever dockerd stops and starts.

    Measured on 20.10 and 26.1: switched on by SIGHUP before the first secured restart, the container's process continues.
    A dockerd that starts with live-restore off stops the containers that it finds, so a rollback needs it on as well.
    ``flagged``: it is a flag in the unit and so always on.
    """
    engine = state.engine
    if not restart or engine is None or flagged:
        return LiveRestore()
    path = state.config_path
    is_on = engine.live_restore
    before_has = daemon_json.parse_daemon_json(state.config_data, path).values.get("live-restore") is True
    after_has = daemon_json.parse_daemon_json(after, path).values.get("live-restore") is True
    if not is_on and not after_has:
        return LiveRestore(containers_stopped=engine.containers_running)
    switch = {"live-restore": True}
    old = daemon_json.merge(state.config_data, switch, path=path).encode("utf-8")
    new = daemon_json.merge(after, switch, path=path).encode("utf-8")
    return LiveRestore(
        config_before_restart=None if is_on else old,
        config_during_restart=None if after_has else new,
        config_for_rollback=None if before_has and is_on else old,
    )


def of_dockerd(state: HostState, changes: t.Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes of files that dockerd's start depends on: all but those of the proxy."""
    return tuple(change for change in changes if change.path not in state.proxy.files.paths)


def outdated_reasons(state: HostState, expected: Expected) -> tuple[str, ...]:
    """Return why the running dockerd or proxy differs from its files, () where it does not (TLS files are read at its start only)."""
    if not state.services.service.is_active:
        return ("daemon-not-running",)
    if not expected.addresses or (expected.by_proxy and not state.proxy.active):
        return ()
    served = state.served
    if served is None and not any(is_on_host(state.addresses, address) for address, _port in expected.addresses):
        return ()  # an address that is away (a VPN that is down) shows nothing, right or wrong
    same = (
        served is not None
        and (not expected.fingerprint or served.fingerprint_sha256 == expected.fingerprint)
        and (expected.authority_names is None or set(served.authority_names) == set(expected.authority_names))
    )
    return () if same else ("proxy-outdated" if expected.by_proxy else "running-daemon-outdated",)


def dropin_reasons(current: bytes | None, wanted: bytes | None) -> tuple[str, ...]:
    """Return why a drop-in of ours changes."""
    reason = our_units.outdated(decoded(current), decoded(wanted))
    return (reason,) if reason else ()


def socket_reasons(current: bytes | None, wanted: bytes | None) -> tuple[str, ...]:
    """Return why the socket unit of the listener ``systemd`` changes."""
    found = dropin_reasons(current, wanted)
    if found != ("dropin-changed",):
        return found
    before, after = streams_of(current), streams_of(wanted)
    listen = ("listen-changed",) if before != after else ()
    return (*listen, *unit_reasons(_without_streams(current), _without_streams(wanted), "dropin-changed"))


def _without_streams(unit: bytes | None) -> bytes:
    return b"\n".join(line for line in (unit or b"").splitlines() if not line.startswith(b"ListenStream="))


def encoded(text: str | None) -> bytes | None:
    """Return the bytes of a file's text."""
    return None if text is None else text.encode("utf-8", "surrogateescape")


def decoded(data: bytes | None) -> str | None:
    """Return the text of a file's bytes."""
    return None if data is None else data.decode("utf-8", "surrogateescape")
