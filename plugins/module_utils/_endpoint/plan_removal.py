# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans that take an endpoint away or go back to the last good state. Pure."""

from __future__ import annotations

from dataclasses import replace

from .._docker import daemon_json, our_units
from .._docker.findings import Finding, warning
from .._errors import TlsError
from .._pki import reader
from .._proxy.plan import no_files, step
from .._proxy.service import listeners
from . import certificate_store
from .desired_files import live_restore_flag, without_endpoint
from .plan import NOTHING, Expected, Options, Plan, Units, encoded, live_restore_steps, of_dockerd, ordered
from .state import HostState, configured_listeners, connectable, same_path


def plan_absent(state: HostState, options: Options) -> Plan:
    """Return the plan that restores Docker's former daemon.json and units.

    Certificates and keys of another tool that were in our directory come back. Where there were none, ours stay: they belong
    to docker_server_cert, and a key that is gone cannot be had back. A key that waits for its certificate goes.
    """
    own_dropin, own_socket, own_endpoint = map(_is_ours, (state.dropin, state.socket_dropin, state.endpoint_socket))
    proxy = no_files(state.proxy)
    managed = state.record is not None and state.record.written_config is not None and same_path(state)
    leftovers = state.pending_key is not None or has_record(state)
    configured = own_dropin or own_socket or own_endpoint or managed or state.proxy.is_there
    if not (configured or state.adopted):
        reasons = ("staged-key-unwanted",) if state.pending_key is not None else ("record-unwanted",)
        return Plan("absent", leftovers=leftovers, reasons=reasons if leftovers else ())
    after = _without_us(state, options) if configured else state.config_data
    units = Units(
        None if own_dropin else state.dropin,
        None if own_socket else state.socket_dropin,
        None if own_endpoint else state.endpoint_socket,
        proxy,
    )
    changes = ordered(state, after, units)
    # A stopped Docker stays stopped.
    runs = state.refused is None and state.services.service.active_state != "inactive"
    restart = runs and (bool(of_dockerd(state, changes)) or _reads_other_certificates(state))
    carry = live_restore_steps(state, after, restart=restart, flagged=_flagged(state))
    return Plan(
        action="absent",
        files=changes,
        revision=state.adopted,
        restart=restart,
        with_socket=own_socket or _socket_lost(state),
        config_during_restart=carry.config_during_restart,
        config_for_rollback=carry.config_for_rollback,
        command=state.derivation.original if state.derivation else "",
        reasons=(
            *(("endpoint-unwanted",) if changes else ()),
            *(("certificates-given-back",) if state.adopted or state.former else ()),
            *(("staged-key-unwanted",) if state.pending_key is not None else ()),
            *(() if changes or state.adopted or state.pending_key is not None else ("record-unwanted",)),
        ),
        record=None,
        containers_stopped=carry.containers_stopped,
        released=True,
        directory_mode=state.record.directory_mode if state.record and same_path(state) else None,
        former=state.former,
        leftovers=leftovers,
        proxy=step(state.proxy, proxy, certificates_change=False, outdated=False),
    )


def has_record(state: HostState) -> bool:
    """Return whether there is a record of a change of this daemon.json; one that only says "rolled back" is for a late confirmation."""
    record = state.record
    return record is not None and same_path(state) and (record.written_config is not None or record.rolled_back)


def put_aside(state: HostState) -> tuple[Finding, ...]:
    """Warn of files that have replaced ours: a restore moves them aside."""
    mixed = [name for name in certificate_store.NAMES if name in state.certificates.foreign]
    names = list(dict.fromkeys([*mixed, *state.later])) if state.adopted else []
    if not names:
        return ()
    text = (
        f"in {state.directory}, {', '.join(names)} were written by another tool after the first run of this collection"
    )
    hint = "The files from before the first run are restored; later ones that differ are kept beside them as NAME.docker-tls-saved."
    return (warning("files-put-aside", text, hint),)


def plan_rolled_back(state: HostState) -> Plan:
    """Return the plan that restores the last good state; an empty one where that was done already.

    Raises TlsError ``nothing-to-roll-back`` where no earlier state is known.
    """
    record = state.record
    if record is not None and record.rolled_back:
        return Plan("rolled_back")
    if record is None or not record.last_good or not same_path(state):
        raise TlsError(
            "there is no earlier state of this host's Docker to go back to",
            hint="The last good state is kept from the first change that this collection makes on a host.",
            code="nothing-to-roll-back",
        )
    former = {**state.contents, **{saved.path: saved.data for saved in record.last_good}}
    after = former[state.config_path]
    units = Units(
        former[state.dropin_path],
        former[state.socket_dropin_path],
        former[state.endpoint_socket_path],
        {path: former[path] for path in state.proxy.contents},
    )
    changes = ordered(state, after, units)
    own = of_dockerd(state, changes)
    proxied = units.proxy[state.proxy.files.unit_path] is not None
    first = record.last_good_revision is None and state.adopted is not None  # the former set was another tool's
    revision = record.last_good_revision if record.last_good_revision != state.certificates.revision else None
    revision = state.adopted if first else revision
    changed = bool(changes or revision)
    restart = bool(own) or (bool(revision) and not proxied)
    carry = live_restore_steps(state, after, restart=restart, flagged=_flagged(state))
    socket_changed = any(change.path == state.socket_dropin_path for change in changes)
    return Plan(
        action="rolled_back",
        files=changes,
        revision=revision,
        restart=restart,
        with_socket=socket_changed or (restart and _socket_lost(state)),
        config_before_restart=carry.config_before_restart,
        config_during_restart=carry.config_during_restart,
        config_for_rollback=carry.config_for_rollback,
        expected=_expected(state, after, units, revision),
        reasons=("rolled-back",) if changed else (),
        record=replace(record, written_config=NOTHING if after is None and proxied else after, rolled_back=True),
        proxy=step(state.proxy, units.proxy, certificates_change=bool(revision), outdated=False),
        containers_stopped=carry.containers_stopped,
        released=first,
        directory_mode=record.directory_mode,
    )


def _without_us(state: HostState, options: Options) -> bytes | None:
    """Return daemon.json without our settings; None: there was none."""
    record = state.record if same_path(state) else None
    if record is not None and record.written_config is not None and state.config_data is not None:
        text = daemon_json.unmerge(state.config_data, record.written_config, record.original_config, state.config_path)
        return encoded(text)
    if record is not None and record.written_config is not None:
        return record.original_config
    return without_endpoint(state, options.directory)


def _expected(state: HostState, after: bytes | None, units: Units, revision: str | None) -> Expected:
    """Return the expected state of the former endpoint; nothing where there was none."""
    values = daemon_json.parse_daemon_json(after, state.config_path).values
    addresses = configured_listeners(values, units.endpoint) if values.get("tlsverify") is True else ()
    places = state.proxy.files
    by_proxy = units.proxy[places.unit_path] is not None
    if by_proxy:
        addresses = tuple((connectable(address), port) for address, port in listeners(units.proxy[places.config]))
    if not addresses:
        return Expected()
    files = certificate_store.read_revision(state.directory, revision) if revision else state.certificates.files()
    leaf, anchors = files.get(certificate_store.CERTIFICATE), files.get(certificate_store.CLIENT_CA)
    if not leaf or not anchors:
        return Expected(addresses, by_proxy=by_proxy)
    names = tuple(item.subject.public_bytes() for item in reader.load_certificates(anchors, "the client authorities"))
    view = reader.view_certificate(reader.load_certificate(leaf, "the certificate"))
    return Expected(addresses, view.fingerprint_sha256, names, by_proxy)


def _reads_other_certificates(state: HostState) -> bool:
    """Return whether the running dockerd has read other files from our directory than those that are restored."""
    if state.adopted is None or not state.services.service.is_active:
        return False
    place = state.directory.rstrip("/") + "/"
    named = [*state.running_arguments, *map(str, state.config_values.values())]
    given = certificate_store.read_revision(state.directory, state.adopted)
    return any(place in text for text in named) and given != state.certificates.files()


def _is_ours(data: bytes | None) -> bool:
    return data is not None and our_units.is_ours(data.decode("utf-8", "replace"))


def _flagged(state: HostState) -> bool:
    return state.derivation is not None and live_restore_flag(state.derivation)


def _socket_lost(state: HostState) -> bool:
    """Return whether the local socket's path no longer leads to systemd's, which the unit's own ``-H fd://`` needs."""
    hosts = state.derivation.hosts if state.derivation else ()
    activated = any(host.startswith("fd://") for host in hosts)
    return activated and state.services.service.is_active and state.socket_usable and not state.socket_is_systemds
