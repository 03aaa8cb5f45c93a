# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of an endpoint in daemon.json, and their part of the record. Pure."""

from __future__ import annotations

import typing as t

from .._docker import daemon_json
from .._docker.exec_start import Derivation, is_local, local_hosts
from .._docker.listeners import Listen
from . import certificate_store, existing_endpoint
from .journal import Record
from .options import Options
from .plan import NOTHING, encoded
from .state import HostState


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
    data = _original(state, existing_endpoint.misspelled_keys(state, options))
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
    return None if empty and _original(state, mistaken) is None else encoded(after)


def new_record(
    state: HostState,
    after: bytes | None,
    settings: dict[str, t.Any],
    mistaken: t.Sequence[str],
    kept_listen: tuple[str, ...],
) -> Record:
    return Record(
        original_config=_original(state, mistaken),
        written_config=NOTHING if after is None else after,
        config_path=state.config_path,
        settings=settings,
        adopted_listen=kept_listen,
    )


def _original(state: HostState, mistaken: t.Sequence[str]) -> bytes | None:
    """Return the daemon.json that the host would have without us: the one found first, with the later changes of others."""
    record = existing_endpoint.managed_record(state)
    if record is None or record.written_config is None:
        return existing_endpoint.without_refused_keys(state, mistaken)
    if state.config_data is None:
        return None
    return encoded(
        daemon_json.unmerge(state.config_data, record.written_config, record.original_config, state.config_path)
    )
