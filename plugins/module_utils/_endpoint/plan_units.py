# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our files for systemd as they are to be, and the command that systemd has to load from them. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._docker import drop_in, socket_unit
from .._docker.exec_start import Derivation, local_hosts
from .._docker.listeners import Listen
from .._docker.source_filter import filter_lines
from .._docker.start_guard import Fallback, local_fallback
from .._docker.systemd import endpoint_socket_name
from .._pki import reader
from .._proxy.plan import Wanted, check_foreign, no_files, wanted_files
from . import certificate_store
from .options import Options
from .plan import Units, encoded
from .state import HostState


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
        from .._proxy.lists import check_crl  # hosts with another listener do not pay for it

        asked = proxy_wanted(state, options, listen, client_ca)
        check_crl(options.crl, client_ca, state.proxy.crl or b"", state.now)
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
