# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a host: all that a plan is made from, and whether the endpoint starts at boot.

A docker.service that is not enabled is started by the first local client, through docker.socket (systemd.socket(5)). Until
then dockerd's own TCP port is closed, so remote clients cannot be the first.

One ``systemctl show``, a few small files, two or three requests to the engine and one TLS greeting of the port:
about a tenth of a second. The engine is only asked when docker.service is active, because a connection to a socket of
systemd's would start a stopped dockerd.
"""

from __future__ import annotations

import glob
import os
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._docker.daemon_json import parse_daemon_json
from .._docker.exec_start import ENDPOINT_FLAGS, HOST_FLAGS, Derivation, derive
from .._docker.findings import Finding, warning
from .._docker.listeners import Listen
from .._docker.our_units import DROPIN_NAME, SocketListener, read_listeners
from .._docker.running_daemon import DEFAULT_CONFIG_PATH, EngineFacts
from .._docker.systemd import Services, UnitState, endpoint_socket_name
from .._docker.tls_greeting import HandshakeError, ServerGreeting, read_greeting
from .._docker.unit_file import UnitModel
from .._docker.unit_reader import UnitFacts, environment_of, program_missing, read_model, refusal, unit_facts
from .._errors import TlsError
from .._files import file_status, read_bytes_or_none
from .._host.network import Address
from .._proxy.service import listeners as proxy_listeners
from .._proxy.state import ProxyState, read_proxy
from .certificate_store import CertificateSet, adopted_revision, later_names, pending_key, read_set
from .journal import Record, StateDirectory
from .machine import Machine


def starts_at_boot(services: Services, listener: str) -> bool:
    """Return whether the boot opens the endpoint's port; ``listener``: dockerd, systemd or proxy, whichever opens it."""
    if listener == "proxy":  # its unit is enabled, wants docker.socket, and a connection starts dockerd through that
        return True
    return at_boot(services.service) or (listener == "systemd" and at_boot(services.socket))


def at_boot(unit: UnitState) -> bool:
    """Return whether a unit is started at boot: enabled, or wanted by another unit; a runtime enablement does not last.

    A unit whose state is not known counts as started.
    """
    if unit.file_state in ("", "enabled"):
        return True
    return unit.file_state != "enabled-runtime" and bool(unit.wanted_by)


def check_boot(services: Services, listener: str) -> tuple[Finding, ...]:
    """Return a warning where the endpoint is not there after a boot."""
    if starts_at_boot(services, listener):
        return ()
    name = services.service.name
    hint = f"Run systemctl enable {name}."
    if listener == "systemd":
        text = f"neither {name} nor {services.socket.name} is enabled, so the endpoint is closed after a boot"
    else:
        text = f"{name} is not enabled: after a boot the endpoint is closed until a local client starts dockerd"
        if at_boot(services.socket):
            hint = f"Run systemctl enable {name}; or set docker_daemon_listener: systemd, with which systemd opens the port at boot."
    return (warning("not-started-at-boot", text, hint),)


def check_network(listen: Listen, listener: str) -> tuple[Finding, ...]:
    """Return a warning of the remaining risk with dockerd's own listeners on single addresses (dockerd-facts 2.5)."""
    if listener != "dockerd" or not listen.needs_network():
        return ()
    named = ", ".join(address.endpoint() for address in listen.addresses)
    text = f"dockerd listens on {named} and starts after the network; if an address is missing then, Docker does not start at all"
    hint = "docker_daemon_listener: systemd binds addresses that are not there yet."
    return (warning("address-needed-at-boot", text, hint),)


_GREETING_TIMEOUT = 3.0


@dataclass(frozen=True)
class HostState:
    """The state of the host. ``model`` and ``derivation`` are None where ``refused`` has the reason why Docker cannot be managed."""

    now: datetime
    services: Services
    unit_facts: UnitFacts
    refused: Finding | None
    model: UnitModel | None
    derivation: Derivation | None
    config_path: str
    config_data: bytes | None
    config_in_use: bool
    unit_in_use: bool  # the running dockerd was started with the unit's files as they are
    left_behind: str  # another daemon.json that still has our settings
    dropin_path: str
    dropin: bytes | None
    socket_dropin_path: str
    socket_dropin: bytes | None
    socket_listeners: tuple[SocketListener, ...]  # of other people's files
    endpoint_socket_path: str  # our socket unit of the listener ``systemd``
    endpoint_socket: bytes | None
    proxy: ProxyState
    directory: str
    certificates: CertificateSet
    pending_key: bytes | None
    engine: EngineFacts | None
    addresses: tuple[Address, ...]
    running_arguments: tuple[str, ...]
    process: str
    socket_is_systemds: bool
    served: ServerGreeting | None
    record: Record | None
    config_link: str = ""  # the daemon.json that the unit names, where that is a link to ``config_path``
    adopted: str | None = None  # the revision with the files that another tool had at our names
    later: tuple[str, ...] = ()  # names where other files have replaced ours since
    former: tuple[str, ...] = ()  # directories of earlier runs that hold another tool's files
    unverified: bool = False  # changed, and not verified from the controller since
    neighbours: t.Mapping[str, Record] = field(default_factory=dict)  # records of this host's other Docker services

    @property
    def config_values(self) -> dict[str, t.Any]:
        """The keys of daemon.json. Raises TlsError ``daemon-json-invalid``."""
        return parse_daemon_json(self.config_data, self.config_path).values

    @property
    def contents(self) -> dict[str, bytes | None]:
        """Path -> bytes (None: no file) of all files that a change swaps, but for those of the certificates."""
        return {
            self.config_path: self.config_data,
            self.dropin_path: self.dropin,
            self.socket_dropin_path: self.socket_dropin,
            self.endpoint_socket_path: self.endpoint_socket,
            **self.proxy.contents,
        }

    @property
    def socket_usable(self) -> bool:
        """Whether ``fd://`` can work: docker.socket is there and not masked."""
        return self.services.socket.load_state == "loaded"

    @property
    def socket_streams(self) -> tuple[str, ...]:
        """What docker.socket listens on, as systemd has loaded it."""
        return self.services.socket.streams


def gather(
    machine: Machine,
    state: StateDirectory,
    *,
    now: datetime,
    directory: str,
    config_path: str = "",
    strip_endpoint_flags: bool = False,
    proxy_wanted: bool = False,
) -> HostState:
    """Read the host. ``config_path`` "": the daemon.json that the unit names. Raises TlsError for unreadable files."""
    services = machine.services()
    dropin_path = _dropin_path(machine, services.service.name)
    facts = unit_facts(services, machine.init_system())
    refused = refusal(facts)
    model = derivation = None
    if refused is None:
        model = read_model(services.service, dropin_path)
        environment = environment_of(model, services.service.main_pid)
        derivation = derive(model, environment, ENDPOINT_FLAGS if strip_endpoint_flags else HOST_FLAGS)
        if not machine.has_program(derivation.binary):
            refused = program_missing(derivation.binary, model.command_path)
    named = config_path or (derivation.config_path if derivation else DEFAULT_CONFIG_PATH)
    path = os.path.realpath(named)
    config_data = _read_config(path)
    active = services.service.is_active
    engine = machine.engine_facts(networks=True) if active else None
    socket_dropin_path = _dropin_path(machine, services.socket.name)
    endpoint_socket_path = os.path.join(machine.unit_directory, endpoint_socket_name(services.service.name))
    endpoint_socket = read_bytes_or_none(endpoint_socket_path)
    record = state.read_record()
    proxy = read_proxy(machine, wanted=proxy_wanted)
    return HostState(
        now=now,
        services=services,
        unit_facts=facts,
        refused=refused,
        model=model,
        derivation=derivation,
        config_path=path,
        config_data=config_data,
        left_behind=_left_behind(record, path, directory),
        config_in_use=active and _in_use(machine, services, path, config_data, record),
        unit_in_use=active and _unit_in_use(machine, services, model),
        dropin_path=dropin_path,
        dropin=read_bytes_or_none(dropin_path),
        socket_dropin_path=socket_dropin_path,
        socket_dropin=read_bytes_or_none(socket_dropin_path),
        socket_listeners=read_listeners(services.socket, socket_dropin_path),
        endpoint_socket_path=endpoint_socket_path,
        endpoint_socket=endpoint_socket,
        proxy=proxy,
        directory=directory,
        certificates=read_set(directory),
        pending_key=pending_key(directory),
        engine=engine,
        addresses=machine.addresses(engine.bridges if engine else ()),
        running_arguments=machine.arguments(services.service.main_pid),
        process=machine.identity(services.service.main_pid),
        socket_is_systemds=active and machine.socket_is_systemds(),
        served=_served(config_data, path, endpoint_socket, proxy) if active or proxy.active else None,
        record=record,
        config_link=named if os.path.islink(named) else "",
        adopted=adopted_revision(directory),
        later=later_names(directory),
        former=tuple(one for one in (record.former if record else ()) if one != directory and adopted_revision(one)),
        unverified=state.is_unverified(),
        neighbours=state.neighbours(),
    )


def configured_listeners(values: t.Mapping[str, t.Any], endpoint_socket: bytes | None) -> tuple[tuple[str, int], ...]:
    """Return (address to connect to, port) of the TCP listeners in daemon.json's hosts and in our socket unit."""
    entries = [str(host)[6:] for host in values.get("hosts") or () if str(host).startswith("tcp://")]
    for line in (endpoint_socket or b"").decode("utf-8", "replace").splitlines():
        key, _equals, value = line.partition("=")
        if key == "ListenStream":
            entries.append(value)
    found = []
    for entry in entries:
        host, _colon, port = entry.rpartition(":")
        if port.isdigit():
            found.append((connectable(host.strip("[]")), int(port)))
    return tuple(found)


def same_path(state: HostState) -> bool:
    """Return whether the record of earlier runs is about this very daemon.json."""
    return state.record is not None and state.record.config_path in ("", state.config_path)


def connectable(address: str) -> str:
    """Return where to connect to reach a listener on ``address``: loopback for the wildcards."""
    return "127.0.0.1" if address in ("", "0.0.0.0", "::") else address


def _dropin_path(machine: Machine, unit: str) -> str:
    return os.path.join(machine.unit_directory, f"{unit}.d", DROPIN_NAME)


def _read_config(path: str) -> bytes | None:
    """Read daemon.json. Raises TlsError where that is not a file: a rename onto /dev/null would break the whole host."""
    if os.path.lexists(path) and not os.path.isfile(path):
        raise TlsError(
            f"{path} is not a regular file, so daemon.json cannot be changed safely",
            hint="Look where the file's link leads; put a file there, or remove the link.",
            code="daemon-json-invalid",
        )
    return read_bytes_or_none(path)


def _left_behind(record: Record | None, path: str, directory: str) -> str:
    """Return another daemon.json that still has the endpoint that we gave it, "" where there is none."""
    if record is None or record.written_config is None or record.config_path in ("", path):
        return ""
    try:
        values = parse_daemon_json(read_bytes_or_none(record.config_path), record.config_path).values
    except TlsError:
        return ""
    ours = str(values.get("tlscert", "")).startswith(directory.rstrip("/") + "/")
    return record.config_path if ours else ""


def _in_use(machine: Machine, services: Services, path: str, config_data: bytes | None, record: Record | None) -> bool:
    """Return whether the running dockerd has read these very bytes: it is younger than the file, or we have verified them."""
    if record is not None and config_data is not None and record.written_config == config_data:
        return True
    return _older(machine, services, [path])


def _unit_in_use(machine: Machine, services: Services, model: UnitModel | None) -> bool:
    """Return whether the running dockerd is younger than each of its unit's files, and systemd has loaded them as they are."""
    service = services.service
    files = [service.fragment_path, *service.drop_in_paths]
    for source in model.environment_files if model else ():
        files += glob.glob(source.pattern)
    return not service.need_daemon_reload and _older(machine, services, [path for path in files if path])


def _older(machine: Machine, services: Services, paths: t.Sequence[str]) -> bool:
    """Return whether files are there and were last changed before dockerd's start."""
    started = machine.time() - (machine.monotonic() - services.service.started)
    found = [file_status(path) for path in paths]
    return services.service.started > 0 and all(
        status is not None and max(status.st_mtime, status.st_ctime) < started for status in found
    )


def _served(
    config_data: bytes | None, path: str, endpoint_socket: bytes | None, proxy: ProxyState
) -> ServerGreeting | None:
    """Return the greeting of the proxy or the running daemon on its first configured TCP listener, None where there is none."""
    try:
        listeners = (
            tuple((connectable(address), port) for address, port in proxy_listeners(proxy.config))
            if proxy.is_there
            else configured_listeners(parse_daemon_json(config_data, path).values, endpoint_socket)
        )
    except TlsError:
        return None
    for address, port in listeners:
        try:
            return read_greeting(address, port, _GREETING_TIMEOUT)
        except (HandshakeError, OSError):
            continue
    return None
