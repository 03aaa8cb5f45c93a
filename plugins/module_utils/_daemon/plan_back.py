# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans that take an endpoint away or go back to the last good state. Pure. PRIVATE: may change without notice."""

from __future__ import annotations

from dataclasses import replace

from .._errors import TlsError
from .._host import certstore
from .._x509 import inspect
from . import config, dropin
from .journal import SavedFile
from .options import Options
from .plan import Expected, Plan, encoded, live_restore_steps, ordered
from .plan_present import live_restore_flag
from .state import HostState, configured_listeners, same_path, serves_tcp


def plan_absent(state: HostState, options: Options) -> Plan:
    """Return what has to be done so that Docker has the daemon.json and the units that it had without us.

    The certificates stay: they belong to docker_server_cert, and a key that is gone cannot be had back.
    """
    own_dropin = state.dropin is not None and dropin.is_ours(state.dropin.decode("utf-8", "replace"))
    own_socket = state.socket_dropin is not None and dropin.is_ours(state.socket_dropin.decode("utf-8", "replace"))
    managed = state.record is not None and state.record.written_config is not None and same_path(state)
    if not (own_dropin or own_socket or managed):
        return Plan("absent")
    after = _without_us(state, options)
    changes = ordered(state, after, None if own_dropin else state.dropin, None if own_socket else state.socket_dropin)
    carry = live_restore_steps(state, after, restart=bool(changes), flagged=_flagged(state))
    adopted = any(item.is_tcp for item in state.socket_listeners)  # comes back, and as plain text as it was found
    return Plan(
        action="absent",
        files=changes,
        restart=bool(changes) and state.refused is None,
        with_socket=own_socket or _socket_lost(state),
        config_last=own_socket and serves_tcp(state.socket_dropin) and not adopted,
        during=carry.during,
        bridge=carry.bridge,
        command=state.derivation.original if state.derivation else "",
        reasons=("endpoint-unwanted",) if changes else ("record-unwanted",),
        record=None,
        containers_stopped=carry.containers_stopped,
    )


def plan_rolled_back(state: HostState) -> Plan:
    """Return what has to be done to have the last good state again; nothing where that was done already.

    Raises TlsError ``nothing-to-roll-back`` where no earlier state is known.
    """
    record = state.record
    if record is not None and record.rolled_back:
        return Plan("rolled_back")
    if record is None or not record.good or not same_path(state):
        raise TlsError(
            "there is no earlier state of this host's Docker to go back to",
            hint="The last good state is kept from the first change that this collection makes on a host.",
            code="nothing-to-roll-back",
        )
    good = {saved.path: saved for saved in record.good}
    after = _bytes(good, state.config_path, state.config_data)
    socket = _bytes(good, state.socket_dropin_path, state.socket_dropin)
    changes = ordered(
        state,
        after,
        _bytes(good, state.dropin_path, state.dropin),
        socket,
    )
    generation = record.good_generation if record.good_generation != state.certificates.generation else None
    changed = bool(changes or generation)
    carry = live_restore_steps(state, after, restart=changed, flagged=_flagged(state))
    socket_changed = any(change.path == state.socket_dropin_path for change in changes)
    return Plan(
        action="rolled_back",
        files=changes,
        generation=generation,
        restart=changed,
        with_socket=socket_changed or _socket_lost(state),
        config_last=serves_tcp(state.socket_dropin) and not serves_tcp(socket) and not _has_hosts(state, after),
        interim=carry.interim,
        during=carry.during,
        bridge=carry.bridge,
        expected=_expected(state, after, socket, generation),
        reasons=("rolled-back",) if changed else (),
        record=replace(record, written_config=after, rolled_back=True),
        containers_stopped=carry.containers_stopped,
    )


def _without_us(state: HostState, options: Options) -> bytes | None:
    """Return daemon.json without our settings; None: there was none."""
    record = state.record if same_path(state) else None
    if record is not None and record.written_config is not None and state.config_data is not None:
        text = config.unmerge(state.config_data, record.written_config, record.original_config, state.config_path)
        return encoded(text)
    if record is not None and record.written_config is not None:
        return record.original_config
    values = config.parse_daemon_json(state.config_data, state.config_path).values
    if not str(values.get("tlscert", "")).startswith(options.directory.rstrip("/") + "/"):
        return state.config_data
    return encoded(config.merge(state.config_data, {}, config.ENDPOINT_KEYS, state.config_path))


def _expected(state: HostState, after: bytes | None, socket_dropin: bytes | None, generation: str | None) -> Expected:
    """Return what the former endpoint must show; nothing where there was none."""
    values = config.parse_daemon_json(after, state.config_path).values
    addresses = configured_listeners(values, socket_dropin) if values.get("tlsverify") is True else ()
    if not addresses:
        return Expected()
    files = certstore.read_generation(state.directory, generation) if generation else state.certificates.files()
    leaf, anchors = files.get(certstore.CERTIFICATE), files.get(certstore.CLIENT_CA)
    if not leaf or not anchors:
        return Expected(addresses)
    names = tuple(item.subject.public_bytes() for item in inspect.load_certificates(anchors, "the client authorities"))
    view = inspect.view_certificate(inspect.load_certificate(leaf, "the certificate"))
    return Expected(addresses, view.fingerprint_sha256, names)


def _bytes(good: dict[str, SavedFile], path: str, otherwise: bytes | None) -> bytes | None:
    return good[path].data if path in good else otherwise


def _has_hosts(state: HostState, after: bytes | None) -> bool:
    """Return whether dockerd itself listens in the former state: then it has to start with that daemon.json."""
    return "hosts" in config.parse_daemon_json(after, state.config_path).values


def _flagged(state: HostState) -> bool:
    return state.derivation is not None and live_restore_flag(state.derivation)


def _socket_lost(state: HostState) -> bool:
    """Return whether the local socket's path no longer leads to systemd's, which the unit's own ``-H fd://`` needs."""
    hosts = state.derivation.hosts if state.derivation else ()
    activated = any(host.startswith("fd://") for host in hosts)
    return activated and state.services.service.is_active and state.socket_usable and not state.socket_is_systemds
