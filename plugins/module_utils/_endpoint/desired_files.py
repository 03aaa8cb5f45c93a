# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoint that a host has, and the files of the one that is wanted.

Of an endpoint of another tool two things must survive a change to ours: its clients, who must not be shut out unless that was asked for, and the
addresses that it listens on.

On port 2375 clients expect Docker's API without TLS. dockerd's own listener there is closed by the change, and verified. Another process (a socket
proxy published by a container, an HTTP server) is not ours to close: it is reported with its name, and blocks nothing.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._docker import daemon_json, our_units
from .._docker.exec_start import ENDPOINT_FLAGS, Derivation, is_local, local_hosts
from .._docker.findings import Finding, error, warning
from .._docker.listeners import PLAIN_PORT, Listen, default_entries, kept_entries, undecided
from .._docker.our_units import Fallback, filter_lines, local_fallback
from .._docker.systemd import endpoint_socket_name
from .._docker.unit_reader import environment_of
from .._errors import TlsError
from .._files import read_bytes_or_none
from .._pki import keys, reader
from .._proxy.plan import Wanted, check_foreign, no_files, wanted_files
from . import certificate_store
from .journal import Record
from .plan import NOTHING, Options, Units, encoded
from .probe import Target, ask
from .state import HostState, connectable, same_path

if t.TYPE_CHECKING:
    from .._adoption.effective_settings import Endpoint


_GIVE_UP = (
    "Adopt the CA first (portcullis.docker_tls.adopt with docker_adopt_authorities), or give it up, which shuts all of its clients out, with "
    "docker_daemon_existing_settings: replace."
)
_NAME_ONE = (
    "Set tlscacert to the CA whose clients should be admitted, restart Docker and adopt that CA; or shut them all out with "
    "docker_daemon_existing_settings: replace."
)

Read = t.Callable[[str], t.Optional[bytes]]
Listener = tuple[str, int, str]
_TIMEOUT = 3.0


@dataclass(frozen=True)
class Listening:
    """The entries of docker_daemon_listen that count, which of them were kept from others, and the findings about them."""

    entries: tuple[str, ...]
    kept: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def managed_record(state: HostState) -> Record | None:
    """Return the record of our endpoint, None where the host has none of ours."""
    record = state.record
    return record if record is not None and record.written_config is not None and same_path(state) else None


def without_endpoint(state: HostState, directory: str) -> bytes | None:
    """Return daemon.json as it is without our settings, where the record of earlier runs is lost; unchanged where they are not ours.

    Another tool's daemon.json can name the same directory: the first run that adopts it has no file for systemd yet.
    """
    ours = str(state.config_values.get("tlscert", "")).startswith(directory.rstrip("/") + "/")
    if state.config_data is None or not ours:
        return state.config_data
    return daemon_json.merge(state.config_data, {}, daemon_json.ENDPOINT_KEYS, state.config_path).encode("utf-8")


def has_own_unit_file(state: HostState) -> bool:
    """Return whether systemd has a file of an earlier run."""
    files = (state.dropin, state.socket_dropin, state.endpoint_socket)
    return any(data is not None and our_units.is_ours(data.decode("utf-8", "replace")) for data in files)


def settings_are_lost(state: HostState) -> bool:
    """Return whether daemon.json had our TLS settings after our last change and has none now. With the listener proxy it has none of ours."""
    record = managed_record(state)
    if record is None or not record.written_config:
        return False
    written = daemon_json.parse_daemon_json(record.written_config, state.config_path).values
    return "tlsverify" in written and "tlsverify" not in state.config_values


def endpoint_of_others(state: HostState) -> Endpoint:
    """Return the settings of dockerd that others made. Only for a host without an endpoint of ours.

    Raises TlsError ``daemon-json-invalid``, ``file-unreadable``.
    """
    from .._adoption import effective_settings  # the look of a host with an endpoint of ours needs none of it

    flags = state.derivation.flags if state.derivation else ()
    if state.dropin is not None and our_units.is_ours(state.dropin.decode("utf-8", "replace")):
        flags = tuple(use for use in flags if use.name not in ENDPOINT_FLAGS)
    variables = environment_of(state.model) if state.model else {}
    environment = {name: variable.value for name, variable in variables.items()}
    return effective_settings.read_endpoint(
        flags, state.config_values, environment, state.config_path, socket_addresses(state)
    )


def socket_addresses(state: HostState) -> list[tuple[str, str]]:
    """Return (address, file) of the TCP listeners that others gave docker.socket; a number alone is a port on all addresses."""
    found = [(item.value.partition("%")[0], item.path) for item in state.socket_listeners if item.is_tcp]
    return [(f"0.0.0.0:{address}" if address.isdigit() else address, path) for address, path in found]


def wanted_listen(state: HostState, options: Options) -> Listening:
    """Return where to listen: as in the options; otherwise where the endpoint that is taken over listens; otherwise on all addresses."""
    record = managed_record(state)
    if record is not None:
        kept = record.adopted_listen
    else:
        kept = _kept(endpoint_of_others(state), options.port) if options.takes_over else ()
    if options.listen:
        return Listening(options.listen, kept)
    if not kept or record is not None:
        return Listening(kept or default_entries(options.port), kept)
    return Listening(kept, kept, undecided(kept, options.port))


def _kept(endpoint: Endpoint, port: int) -> tuple[str, ...]:
    return kept_entries(endpoint.tcp, 0 if endpoint.tls else port)


def check_clients(
    state: HostState, options: Options, client_ca: bytes, read: Read = read_bytes_or_none
) -> tuple[Finding, ...]:
    """Refuse to shut out clients of a CA that the new client authorities (``client_ca``, PEM) do not hold.

    Not asked of an endpoint of ours: there, dockerd's anchors are the collection's own. Raises as ``endpoint_of_others``.
    """
    record = managed_record(state)
    ours = record is not None and (record.settings or {}).get("tlscacert") == state.config_values.get("tlscacert")
    if ours or options.existing_settings == "replace":
        return ()
    from .._adoption import effective_settings

    endpoint = endpoint_of_others(state)
    if endpoint.admits == effective_settings.SYSTEM:
        text = "dockerd verifies clients without tlscacert, so it admits clients of every authority of the operating system, and they would be shut out"
        return (error("clients-would-be-shut-out", text, _NAME_ONE),)
    if endpoint.admits != effective_settings.CLIENTS:
        return ()
    path = endpoint.paths[effective_settings.CA]
    admitted = _authorities(read(path), path)
    kept = _authorities(client_ca, "the new client authorities")
    lost = [name for key, name in admitted.items() if key not in kept]
    if not lost:
        return ()
    place = f"{path}, set in {endpoint.where.get(effective_settings.CA, '?')}"
    text = f"dockerd admits clients of {'; '.join(lost)} ({place}), and the new client authorities do not: all of them would be shut out"
    return (error("clients-would-be-shut-out", text, _GIVE_UP),)


def _authorities(data: bytes | None, what: str) -> dict[tuple[str, str], str]:
    """Return the anchors of a file by name and key (a certificate that was renewed with both admits the same clients), with words."""
    try:
        found = reader.load_certificates(data or b"", what)
        views = [reader.view_certificate(one, what) for one in found]
    except TlsError:
        return {}  # dockerd does not start with it either: no client is admitted
    return {
        (view.subject, view.public_key_fingerprint): f"{view.subject} (sha256 {view.fingerprint_sha256[:16]})"
        for view in views
    }


def misspelled_keys(state: HostState, options: Options) -> tuple[str, ...]:
    """Return the keys of daemon.json that were meant to be settings of the endpoint, where these are taken over."""
    if not options.takes_over or managed_record(state) is not None:
        return ()
    found = daemon_json.misspelled_keys(state.config_values)
    return tuple(key for key, meant in found if meant in daemon_json.ENDPOINT_KEYS)


def without_refused_keys(state: HostState, keys: t.Sequence[str]) -> bytes | None:
    """Return daemon.json as state absent is to bring it back: without ``keys`` that dockerd does not start with (all but host)."""
    refused = [key for key in keys if key != "host"]
    if not refused or state.config_data is None:
        return state.config_data
    return daemon_json.merge(state.config_data, {}, refused, state.config_path).encode("utf-8")


def check_plain_port(listeners: t.Iterable[Listener], *, api_only: bool) -> tuple[Finding, ...]:
    """Return a warning for each of ``listeners``, the (address, port, process) of other processes, on port 2375.

    ``api_only``: report only those that answer as Docker's API; a host gets a warning of those in every run.
    """
    found = []
    for address, port, process in listeners:
        if port == PLAIN_PORT:
            answers = ask(Target(connectable(address), port, "localhost", _TIMEOUT), None).docker
            if answers or not api_only:
                found.append(_finding(address, process or "another process", answers))
    return tuple(dict.fromkeys(found))


def shown(listeners: t.Iterable[Listener]) -> list[str]:
    """Return the other processes on port 2375 as the result shows them: ``docker-proxy (123) on 127.0.0.1``."""
    found = ((address, process or "another process") for address, port, process in listeners if port == PLAIN_PORT)
    return [f"{process} on {address}" for address, process in found]


def _finding(address: str, process: str, answers: bool) -> Finding:
    place = f"[{address}]:{PLAIN_PORT}" if ":" in address else f"{address}:{PLAIN_PORT}"
    if not answers:
        text = f"{process} listens on {place}, where clients expect Docker; it is not dockerd and does not answer as Docker's API"
        hint = "Nothing has to be done if that is intended; the run does not touch it."
        return warning("port-2375-other", text, hint)
    text = f"{process} serves Docker's API without TLS on {place}: anyone who can connect there has root on this host"
    hint = (
        "Stop it, or let it listen only where its own clients are. This run does not touch it; if it is intended, "
        "docker_daemon_allow_port_2375: true ends this warning."
    )
    return warning("docker-api-unencrypted", text, hint)


def wanted_certificates(state: HostState, options: Options) -> dict[str, bytes]:
    """Return the complete set of TLS files for dockerd; a file without a source is not in it.

    The key is the pending one where that belongs to the certificate, else the one in use.
    """
    found = dict(state.certificates.files())
    given = {
        certificate_store.CERTIFICATE: options.certificate,
        certificate_store.CA: options.ca,
        certificate_store.CLIENT_CA: options.client_ca,
    }
    for name, text in given.items():
        data = (text.strip() + "\n").encode("utf-8") if text.strip() else b""
        if data and data.strip() != found.get(name, b"").strip():
            found[name] = data
    certificate = found.get(certificate_store.CERTIFICATE)
    pending = state.pending_key
    if certificate and pending and (certificate_store.KEY not in found or _belongs(pending, certificate)):
        found[certificate_store.KEY] = pending
    return found


def changed_certificates(state: HostState, files: t.Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of the wanted set whose contents differ from those at their names on the host."""
    have = state.certificates.files()
    return {name: data for name, data in files.items() if data != have.get(name)}


def files_to_install(state: HostState, files: t.Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that a new set has to be written for; {} where the live set is right.

    dockerd reads the files below ``current``. Where plain files are at the names (of another tool, or of a restore that
    followed our links), equal contents there are not enough: the set has to be made and linked.
    """
    if state.certificates.layout in ("plain", "mixed"):
        return dict(files)
    return changed_certificates(state, files)


def _belongs(key: bytes, certificate: bytes) -> bool:
    try:
        public = keys.load_private_key(key, what="the pending key").public_key()
        leaf = reader.load_certificate(certificate, "the certificate")
    except TlsError:
        return False
    return keys.public_key_fingerprint(public) == keys.public_key_fingerprint(leaf.public_key())


def wanted_settings(state: HostState, options: Options, listen: Listen, derivation: Derivation) -> dict[str, t.Any]:
    """Return the keys that daemon.json must have. Always all of the TLS keys: each one alone is a way to fail open."""
    settings: dict[str, t.Any] = {}
    if options.listener == "dockerd":
        local = derivation.hosts or _listed_hosts(state.config_values)
        settings["hosts"] = [*local_hosts(local, state.socket_usable, state.socket_streams), *listen.urls()]
    if options.listener == "proxy":
        local = tuple(filter(is_local, _listed_hosts(_original_values(state, options))))
        settings.update({"hosts": [*local]} if local else {})
    else:
        settings.update({"tls": True, "tlsverify": True})
        for key, name in certificate_store.NAME_OF_SETTING.items():
            settings[key] = certificate_store.live_path(options.directory, name)
    swarm = state.engine is not None and state.engine.swarm_active
    if options.live_restore != "keep" and not live_restore_flag(derivation) and not swarm:
        settings["live-restore"] = True
    return settings


def _original_values(state: HostState, options: Options) -> dict[str, t.Any]:
    """Return the keys of the daemon.json that the host would have without us."""
    data = _original(state, options, misspelled_keys(state, options))
    return daemon_json.parse_daemon_json(data, state.config_path).values


def _listed_hosts(values: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Return the listeners of a daemon.json: the local ones stay, also when the rest is adopted from another tool."""
    hosts = values.get("hosts")
    return tuple(host for host in hosts if isinstance(host, str)) if isinstance(hosts, list) else ()


def live_restore_flag(derivation: Derivation) -> bool:
    """Return whether live-restore is a flag of the unit; it must not be in daemon.json then."""
    return any(use.name == "live-restore" for use in derivation.flags)


def config_after(
    state: HostState, options: Options, settings: dict[str, t.Any], mistaken: t.Sequence[str]
) -> bytes | None:
    """Return daemon.json as it has to be (None: no file). With the proxy nothing of an endpoint is in it."""
    if options.listener != "proxy":
        remove = (*mistaken, *(() if options.listener == "dockerd" else ("hosts",)))
        return encoded(daemon_json.merge(state.config_data, settings, remove, state.config_path)) or b""
    remove = (*mistaken, *(key for key in daemon_json.ENDPOINT_KEYS if key not in settings))
    values = daemon_json.parse_daemon_json(state.config_data, state.config_path).values
    if not settings and not any(key in values for key in remove):
        return state.config_data
    after = daemon_json.merge(state.config_data, settings, remove, state.config_path)
    empty = not daemon_json.parse_daemon_json(after, state.config_path).values
    return None if empty and _original(state, options, mistaken) is None else encoded(after)


def new_record(
    state: HostState,
    options: Options,
    after: bytes | None,
    settings: dict[str, t.Any],
    mistaken: t.Sequence[str],
    kept_listen: tuple[str, ...],
) -> Record:
    return Record(
        original_config=_original(state, options, mistaken),
        written_config=NOTHING if after is None else after,
        config_path=state.config_path,
        settings=settings,
        adopted_listen=kept_listen,
    )


def _original(state: HostState, options: Options, mistaken: t.Sequence[str]) -> bytes | None:
    """Return the daemon.json that the host would have without us: the one found first, with the later changes of others."""
    record = managed_record(state)
    if record is None or record.written_config is None:
        if state.record is None and has_own_unit_file(state):
            return without_endpoint(state, options.directory)
        return without_refused_keys(state, mistaken)
    if state.config_data is None:
        return None
    return encoded(
        daemon_json.unmerge(state.config_data, record.written_config, record.original_config, state.config_path)
    )


def wanted_units(
    state: HostState,
    options: Options,
    derivation: Derivation,
    listen: Listen,
    kept: tuple[str, ...] | None,
    client_ca: bytes,
    *,
    check_mode: bool,
) -> Units:
    """Return our files for systemd and for the proxy. ``kept``: see ``our_units.check_socket``; ``client_ca``: all anchors."""
    if options.listener == "proxy":
        service = our_units.local_dropin(derivation)
        check_foreign(state.proxy)
        from .._proxy import authorities  # hosts with another listener do not pay for it

        installed = state.proxy.crl or b""
        unrenewed = authorities.kept_lists(options.kept_lists, dict(options.group_authorities), installed)
        crl = authorities.together(options.crl, unrenewed, installed)
        authorities.check_crl(crl, client_ca, installed, state.now, unrenewed)
        asked = replace(proxy_wanted(state, options, listen, client_ca), crl=crl)
        follows = check_mode and bool(options.haproxy_package)
        proxy = wanted_files(state.proxy, replace(asked, package_follows=follows))
        return Units(encoded(service), encoded(our_units.socket_dropin(kept)), None, proxy)
    if options.listener == "dockerd":
        fallback = _fallback(state, derivation)
        service = our_units.service_dropin(derivation, after_network=listen.needs_network(), fallback=fallback)
        return Units(encoded(service), encoded(our_units.socket_dropin(kept)), None, no_files(state.proxy))
    anchors = certificate_store.live_path(options.directory, certificate_store.CLIENT_CA)
    service, socket = state.services.service.name, state.services.socket.name
    name = endpoint_socket_name(service)
    return Units(
        encoded(our_units.guard_dropin(state.config_path, anchors, derivation, name)),
        encoded(our_units.socket_dropin(kept, name)),
        encoded(our_units.endpoint_socket_text(listen.endpoints(), service, socket, _filtering(options, listen))),
        no_files(state.proxy),
    )


def _filtering(options: Options, listen: Listen) -> list[str]:
    own = (str(address.ip) for address in listen.addresses if not address.ip.is_unspecified)
    return filter_lines(options.allowed_sources, own)


def proxy_wanted(state: HostState, options: Options, listen: Listen, client_ca: bytes) -> Wanted:
    """Return the options of the listener ``proxy``. One group has all authorities where none are named."""
    from .._proxy.rights import parse_group_rights  # hosts with another listener do not pay for it

    named: t.Sequence[tuple[str, t.Any]] = options.group_authorities or (("clients", client_ca),)
    rights = parse_group_rights(options.group_rights, [name for name, _text in named], "docker_daemon_group_rights")
    groups = {
        name: reader.load_certificates(text, f"the authorities of {name}") for name, text in named if text.strip()
    }
    return Wanted(
        listen=tuple((str(address.ip), address.port) for address in listen.addresses),
        groups=groups,
        rights=rights,
        certificates=f"{options.directory.rstrip('/')}/{certificate_store.CURRENT}",
        crl=options.crl,
        stream_timeout=options.stream_timeout,
        sources=options.allowed_sources,
        docker_socket_unit=state.services.socket.name,
    )


def _fallback(state: HostState, derivation: Derivation) -> Fallback | None:
    """Return how dockerd gets its local listeners where daemon.json names none; None: the unit's command stays as it is."""
    if not derivation.changed:
        return None
    hosts = local_hosts(derivation.hosts, state.socket_usable, state.socket_streams)
    return local_fallback(derivation.command, state.config_path, state.services.service.name, hosts)


def wanted_command(state: HostState, options: Options, derivation: Derivation) -> str:
    """Return the command that systemd must have loaded before the restart."""
    if options.listener != "dockerd":
        return our_units.socket_command(derivation) or derivation.original
    fallback = _fallback(state, derivation)
    return fallback.command if fallback else derivation.command
