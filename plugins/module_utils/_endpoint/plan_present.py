# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for an endpoint with state present. Pure."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace

from .._docker import daemon_json, our_units
from .._docker.exec_start import Derivation, unread_config
from .._docker.findings import Finding, error, errors, raise_errors, warnings
from .._docker.listeners import Listen, is_on_host, resolve_listen
from .._docker.our_units import check_other_sockets, check_socket, stranger_is_refused
from .._errors import TlsError
from .._pki import reader
from .._proxy import plan as proxy_plan
from . import certificate_store, desired_files
from .plan import (
    Expected,
    Options,
    Plan,
    config_reasons,
    decoded,
    dropin_reasons,
    live_restore_steps,
    needs_restart,
    of_dockerd,
    ordered,
    outdated_reasons,
    socket_reasons,
)
from .state import HostState, check_boot, check_network, connectable, same_path

_REASON_OF_FILE = {
    certificate_store.CERTIFICATE: "certificate-changed",
    certificate_store.KEY: "certificate-changed",
    certificate_store.CLIENT_CA: "anchors-changed",
    certificate_store.CA: "authority-changed",
}


# Asked only before a change: (address, port, process) of the TCP listeners on these ports that are not Docker's.
Listeners = t.Callable[[Listen], t.Sequence[tuple[str, int, str]]]


@dataclass(frozen=True)
class Present:
    """A plan, the findings of the checks before it, and its listeners.

    ``plain_port``: the processes other than dockerd that listen on port 2375, as they are shown.
    """

    plan: Plan
    listen: Listen | None
    findings: tuple[Finding, ...]
    plain_port: t.Sequence[str] = ()


def plan_present(state: HostState, options: Options, *, check_mode: bool, listeners: Listeners) -> Present:
    """Return the plan that makes the host match ``options``. Raises TlsError where the host's Docker cannot be managed.

    In check mode a certificate that is not there yet is taken as one that will be issued. Obstacles to a change are searched for only
    where there is one: a host without a change pays for none of it.
    """
    derivation = _manageable(state)
    listening = desired_files.wanted_listen(state, options)
    raise_errors(listening.findings, "the endpoint cannot be set up")
    listen = resolve_listen(
        listening.entries,
        port=options.port,
        addresses=state.addresses,
        listener=options.listener,
        allow_public_address=options.allow_public_address,
        allow_port_2375=options.allow_port_2375,
    )
    if not listen.addresses:
        raise_errors(listen.findings, "the endpoint cannot be set up")
    settings = desired_files.wanted_settings(state, options, listen, derivation)
    files = desired_files.wanted_certificates(state, options)
    kept, sockets = check_socket(state.socket_listeners, decoded(state.socket_dropin), options.existing_settings)
    plan = _plan(
        state,
        options,
        derivation,
        listen,
        settings,
        files,
        kept,
        kept_listen=listening.kept,
        pending=_pending(state, options, check_mode),
        check_mode=check_mode,
    )
    others = (*_left_behind(state), *_shared(state, options))
    sockets = (
        *(others or unread_config(derivation, state.config_path)),
        *sockets,
        *_other_sockets(state, options, derivation),
    )
    if not plan.changed:
        findings: tuple[Finding, ...] = (*listen.findings, *sockets, *_check_standing(state, options, files))
    else:
        found = _check(state, options, listen, settings, files, plan, listeners, check_mode=check_mode)
        findings = (*errors(sockets), *_unprovable(state, options, plan), *found, *warnings(sockets))
    findings = (*findings, *check_boot(state.services, options.listener))
    return Present(plan, listen, findings)


def _other_sockets(state: HostState, options: Options, derivation: Derivation) -> tuple[Finding, ...]:
    """Return what other socket units open, where dockerd takes what systemd passes to it."""
    activated = options.listener == "systemd" or any(host.startswith("fd://") for host in derivation.hosts)
    return check_other_sockets(state.services) if activated else ()


def expected(listen: Listen, files: t.Mapping[str, bytes]) -> Expected:
    """Return the expected state of the endpoint with ``files``."""
    leaf = files.get(certificate_store.CERTIFICATE)
    anchors = files.get(certificate_store.CLIENT_CA)
    view = reader.view_certificate(reader.load_certificate(leaf, "the certificate")) if leaf else None
    loaded = reader.load_certificates(anchors, "the client authorities") if anchors else ()
    names = tuple(item.subject.public_bytes() for item in loaded) or None
    return Expected(
        tuple((connectable(str(address.ip)), address.port) for address in listen.addresses),
        view.fingerprint_sha256 if view else "",
        names,
    )


def _manageable(state: HostState) -> Derivation:
    if state.refused is not None or state.derivation is None:
        unread = error("unit-unsupported", "the unit of Docker cannot be read", "Check `systemctl cat docker.service`.")
        found = state.refused or unread
        raise TlsError(found.message, hint=found.hint, code=found.code)
    return state.derivation


def _pending(state: HostState, options: Options, check_mode: bool) -> bool:
    """Return whether a certificate would come that a check run cannot have."""
    return (
        check_mode and not options.certificate and (options.certificate_pending or not state.certificates.certificate)
    )


def _plan(
    state: HostState,
    options: Options,
    derivation: Derivation,
    listen: Listen,
    settings: dict[str, t.Any],
    files: dict[str, bytes],
    kept: tuple[str, ...] | None,
    *,
    kept_listen: tuple[str, ...],
    pending: bool,
    check_mode: bool,
) -> Plan:
    before = state.config_values
    mistaken = desired_files.misspelled_keys(state, options)
    after = desired_files.config_after(state, options, settings, mistaken)
    values = daemon_json.parse_daemon_json(after, state.config_path).values
    client_ca = files.get(certificate_store.CLIENT_CA, b"")
    wanted = desired_files.wanted_units(state, options, derivation, listen, kept, client_ca, check_mode=check_mode)
    changes = ordered(state, after, wanted)
    certificates = desired_files.changed_certificates(state, files)
    install = desired_files.files_to_install(state, files)
    proxied = options.listener == "proxy"
    filtered = stranger_is_refused(options.allowed_sources)
    shown = replace(expected(listen, files), by_proxy=proxied, filtered=filtered)
    reasons = [
        *(("certificate-pending",) if pending else ()),
        *config_reasons(
            before,
            values,
            lost=desired_files.settings_are_lost(state),
            addresses=[address.endpoint() for address in listen.addresses],
        ),
        *dict.fromkeys(_REASON_OF_FILE[name] for name in sorted(certificates)),
        *dropin_reasons(state.dropin, wanted.service),
        *dropin_reasons(state.socket_dropin, wanted.socket),
        *socket_reasons(state.endpoint_socket, wanted.endpoint),
        *proxy_plan.reasons(state.proxy, wanted.proxy),
    ]
    if install and not certificates:
        reasons.append("certificate-links-missing")
    revision = _insecure_revision(state) if not install else None
    if revision:
        reasons += ["modes-repaired"] if state.certificates.insecure else ["directory-mode-changed"]
    own = of_dockerd(state, changes)
    units = any(change.path != state.config_path for change in own)
    read = pending or bool(set(certificates) - {certificate_store.CA})  # the files that the endpoint reads at its start
    restart = needs_restart(before, values) or units or (read and not proxied)
    outdated = () if restart else outdated_reasons(state, shown)
    if read and proxied:  # its reload is for the new certificate
        outdated = tuple(reason for reason in outdated if reason != "proxy-outdated")
    reasons += outdated
    restart = restart or bool(set(outdated) - {"proxy-outdated"})
    step = proxy_plan.step(state.proxy, wanted.proxy, certificates_change=read, outdated="proxy-outdated" in outdated)
    flagged = desired_files.live_restore_flag(derivation)
    carry = live_restore_steps(state, after, restart=restart, flagged=flagged)
    socket_changed = any(change.path == state.socket_dropin_path for change in changes)
    return Plan(
        action="present",
        files=changes,
        certificates=install,
        revision=revision,
        restart=restart,
        reload=not restart and bool(own),
        with_socket=restart and (socket_changed or _needs_socket(state, settings)),
        config_before_restart=carry.config_before_restart,
        config_during_restart=carry.config_during_restart,
        config_for_rollback=carry.config_for_rollback,
        command=desired_files.wanted_command(state, options, derivation),
        expected=shown,
        reasons=tuple(dict.fromkeys(reasons)),
        record=desired_files.new_record(state, options, after, settings, mistaken, kept_listen),
        containers_stopped=carry.containers_stopped,
        proxy=step,
    )


def _insecure_revision(state: HostState) -> str | None:
    """Return the live revision where others may read it or its directory: making it live again corrects the mode."""
    certificates = state.certificates
    insecure = certificates.insecure or certificates.directory_mode not in (None, 0o700)
    return certificates.revision if insecure else None


def _needs_socket(state: HostState, settings: t.Mapping[str, t.Any]) -> bool:
    """Return whether docker.socket has to be restarted too: its path leads elsewhere, and ``fd://`` is wanted.

    A dockerd that has bound /run/docker.sock itself has unlinked systemd's, and takes the path away when it ends
    (measured): with ``fd://`` no client would then reach the new one.
    """
    activated = any(str(host).startswith("fd://") for host in settings.get("hosts", ("fd://",)))
    if not activated or not state.socket_usable:
        return False
    if not state.services.service.is_active:
        return not state.services.socket.is_active
    return not state.socket_is_systemds


def _check(
    state: HostState,
    options: Options,
    listen: Listen,
    settings: dict[str, t.Any],
    files: dict[str, bytes],
    plan: Plan,
    listeners: Listeners,
    *,
    check_mode: bool,
) -> tuple[Finding, ...]:
    """Return the findings of the checks before a change. A certificate or CA that check mode cannot have yet is not reported as missing."""
    from .preflight import HostFacts, WantedEndpoint, check

    engine = state.engine
    pending = _pending(state, options, check_mode)
    not_known_yet = _MISSING if pending else ()
    facts = HostFacts(
        now=state.now,
        unit_facts=state.unit_facts,
        unit=state.model,
        derivation=state.derivation,
        config_path=state.config_path,
        config_data=state.config_data,
        addresses=state.addresses,
        config_in_use=state.config_in_use,
        controller_now=options.controller_now,
        engine_version=engine.version if engine else None,
        swarm_active=bool(engine and engine.swarm_active),
        live_restore_active=bool(engine and engine.live_restore),
        containers_running=engine.containers_running if engine else None,
        listeners=tuple(listeners(listen)),
        running_arguments=state.running_arguments,
        unit_in_use=state.unit_in_use,
        socket_streams=state.socket_streams,
    )
    wanted = WantedEndpoint(
        listen=listen,
        settings=settings,
        directory=options.directory,
        certificate=b"" if pending else files.get(certificate_store.CERTIFICATE, b""),
        key=b"" if pending else files.get(certificate_store.KEY, b""),
        ca=files.get(certificate_store.CA, b""),
        client_ca=files.get(certificate_store.CLIENT_CA, b""),
        listener=options.listener,
        existing_settings=options.existing_settings,
        live_restore=options.live_restore,
        restart_needed=plan.restart,
        written=dict(state.record.settings or {}) if state.record and same_path(state) else None,
        allow_dual_trust=options.allow_dual_trust,
        new_certificate=certificate_store.CERTIFICATE in plan.certificates or "certificate-pending" in plan.reasons,
        flags_taken_over=our_units.replaces(decoded(state.dropin), state.derivation),
    )
    found = (*check(facts, wanted), *check_network(listen, options.listener))
    if options.takes_over or not errors(found):
        unknown = check_mode and not wanted.client_ca  # a CA that a check run would make, or adopt
        found = (*found, *(() if unknown else desired_files.check_clients(state, options, wanted.client_ca)))
    return tuple(item for item in found if item.code not in not_known_yet)


def _check_standing(state: HostState, options: Options, files: t.Mapping[str, bytes]) -> tuple[Finding, ...]:
    """Return why the installed files cannot be used: dockerd reads them at its next start, which may be unattended."""
    from .preflight_certificates import TlsFiles, check_certificates

    given = TlsFiles(
        files.get(certificate_store.CERTIFICATE, b""),
        files.get(certificate_store.KEY, b""),
        files.get(certificate_store.CA, b""),
        files.get(certificate_store.CLIENT_CA, b""),
    )
    return check_certificates(given, state.now, (), allow_dual_trust=options.allow_dual_trust)


def _unprovable(state: HostState, options: Options, plan: Plan) -> tuple[Finding, ...]:
    """Refuse a restart that cannot be verified at a missing address: it would be rolled back, by a second one.

    With ``hosts`` such an address is refused in any case; systemd's listeners wait for it, and then all goes by itself.
    """
    away = [address for address, _port in plan.expected.addresses if not is_on_host(state.addresses, address)]
    if not (plan.restart or plan.proxy) or not away or options.listener == "dockerd":
        return ()
    text = f"the host does not have the address {', '.join(away)} now, so the change could not be verified there, and would be rolled back"
    hint = "Bring it up (its VPN, for example) and run again. Docker continues as it is."
    return (error("listen-address-absent", text, hint),)


def _left_behind(state: HostState) -> tuple[Finding, ...]:
    """Refuse to leave our settings in one daemon.json and continue with another: ``absent`` would know the last one only."""
    if not state.left_behind:
        return ()
    text = f"the endpoint was set up in {state.left_behind}, which still has it, and now {state.config_path} should have it"
    hint = f"Run with state absent and the path {state.left_behind} first; or remove hosts and tls* there, if dockerd does not read it."
    return (error("config-path-changed", text, hint),)


def _shared(state: HostState, options: Options) -> tuple[Finding, ...]:
    """Refuse to change what belongs to the endpoint of another Docker service of this host (two proxies, for example)."""
    found = []
    for service, record in state.neighbours.items():
        if record.directory and os.path.realpath(record.directory) == os.path.realpath(options.directory):
            text = f"{options.directory} has the certificates of the endpoint of {service}, another Docker service of this host"
            hint = (
                f"Give {state.services.service.name} a directory of its own (option directory of the module endpoint)."
            )
            found.append(error("endpoint-shared", text, hint))
        if record.config_path == state.config_path and (options.listener != "proxy" or record.settings):
            text = f"{state.config_path} is also read by {service}, another Docker service of this host, whose endpoint it would change or undo"
            hint = f"Start {state.services.service.name} with a daemon.json of its own (dockerd --config-file), or give both the listener proxy."
            found.append(error("endpoint-shared", text, hint))
    return tuple(found)


# For a pending certificate the authorities are checked where they are known; on the first run in check mode the CA does not exist yet.
_MISSING = ("certificate-missing", "authority-missing", "anchors-missing")
