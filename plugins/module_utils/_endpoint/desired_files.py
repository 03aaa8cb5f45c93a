# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each file of an endpoint is to contain: the TLS files, daemon.json with its part of the record, and our files for systemd. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._docker import daemon_json, drop_in, socket_unit
from .._docker.exec_start import Derivation, is_local, local_hosts
from .._docker.listeners import Listen
from .._docker.source_filter import filter_lines
from .._docker.start_guard import Fallback, local_fallback
from .._docker.systemd import endpoint_socket_name
from .._errors import TlsError
from .._pki import keys, reader
from .._proxy.plan import Wanted, check_foreign, no_files, wanted_files
from . import certificate_store, existing_endpoint
from .journal import Record
from .options import Options
from .plan import NOTHING, Units, encoded
from .state import HostState


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
        settings.update(
            {
                "tls": True,
                "tlsverify": True,
                "tlscacert": certificate_store.live_path(options.directory, certificate_store.CLIENT_CA),
                "tlscert": certificate_store.live_path(options.directory, certificate_store.CERTIFICATE),
                "tlskey": certificate_store.live_path(options.directory, certificate_store.KEY),
            }
        )
    swarm = state.engine is not None and state.engine.swarm_active
    if options.live_restore != "keep" and not live_restore_flag(derivation) and not swarm:
        settings["live-restore"] = True
    return settings


def _original_values(state: HostState, options: Options) -> dict[str, t.Any]:
    """Return the keys of the daemon.json that the host would have without us."""
    data = _original(state, options, existing_endpoint.misspelled_keys(state, options))
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
    record = existing_endpoint.managed_record(state)
    if record is None or record.written_config is None:
        if state.record is None and existing_endpoint.has_own_unit_file(state):
            return existing_endpoint.without_endpoint(state, options.directory)
        return existing_endpoint.without_refused_keys(state, mistaken)
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
    """Return our files for systemd and for the proxy. ``kept``: see ``socket_unit.check_socket``; ``client_ca``: all anchors."""
    if options.listener == "proxy":
        service = drop_in.local_dropin(derivation)
        check_foreign(state.proxy)
        from .._proxy import lists  # hosts with another listener do not pay for it

        installed = state.proxy.crl or b""
        unrenewed = lists.kept_lists(options.kept_lists, dict(options.group_authorities), installed)
        crl = lists.together(options.crl, unrenewed, installed)
        lists.check_crl(crl, client_ca, installed, state.now, unrenewed)
        asked = replace(proxy_wanted(state, options, listen, client_ca), crl=crl)
        follows = check_mode and bool(options.haproxy_package)
        proxy = wanted_files(state.proxy, replace(asked, package_follows=follows))
        return Units(encoded(service), encoded(drop_in.socket_dropin(kept)), None, proxy)
    if options.listener == "dockerd":
        fallback = _fallback(state, derivation)
        service = drop_in.service_dropin(derivation, after_network=listen.needs_network(), fallback=fallback)
        return Units(encoded(service), encoded(drop_in.socket_dropin(kept)), None, no_files(state.proxy))
    anchors = certificate_store.live_path(options.directory, certificate_store.CLIENT_CA)
    service, socket = state.services.service.name, state.services.socket.name
    name = endpoint_socket_name(service)
    return Units(
        encoded(drop_in.guard_dropin(state.config_path, anchors, derivation, name)),
        encoded(drop_in.socket_dropin(kept, name)),
        encoded(socket_unit.endpoint_socket_text(listen.endpoints(), service, socket, _filtering(options, listen))),
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
    if options.listener == "proxy":
        return drop_in.socket_command(derivation) or derivation.original
    if options.listener == "dockerd":
        fallback = _fallback(state, derivation)
        return fallback.command if fallback else derivation.command
    return drop_in.socket_command(derivation) or derivation.original
