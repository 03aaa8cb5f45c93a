# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verification on the host: dockerd's own validation of daemon.json before a restart, and connections to the endpoint after it.

A good client cannot be tried here, for no client's key is on the host; the controller does that (``endpoint_info``).

``dockerd --validate`` exists from 23.0 on. It checks the settings first and loads the TLS files last (measured on 26.1 and 28.5), so
without the TLS settings everything else can be validated before there is a certificate.
"""

from __future__ import annotations

import os
import typing as t

from .._docker import daemon_json
from .._docker.findings import reason
from .._docker.listeners import PLAIN_PORT
from .._docker.our_units import STRANGER
from .._errors import TlsError
from .._proxy.service import STOP, addresses_text
from . import certificate_store, probe
from .machine import Machine
from .plan import Expected, Options, Plan
from .probe import Check, Client, Target
from .state import HostState, connectable

_TIMEOUT = 10.0


def verify(
    machine: Machine, expected: Expected, server: Client | None = None, *, server_name: str = "localhost"
) -> tuple[Check, ...]:
    """Return all checks of a host: its local socket, and each listener of its endpoint.

    ``server``: the host's own certificate and key, which must not open its own door (nor, so, any other host's).
    """
    checks = [check_local_socket(machine)]
    for address, port in expected.addresses:
        target = Target(address, port, server_name, _TIMEOUT)
        found = [
            *probe.check_served(target, expected.fingerprint, expected.authority_names),
            probe.check_no_certificate(target),
            probe.check_plain_http(target),
        ]
        if server is not None:
            found.append(probe.check_refused(target, "server-certificate-as-client", server))
        checks += [Check(item.check, item.passed, f"{target.text}: {item.detail}") for item in found]
    if expected.filtered:
        checks += check_sources(machine, expected)
    if expected.by_proxy:
        checks += [check_proxy_holds(machine, expected), check_dockerd_closed(machine)]
    elif expected.addresses:
        checks.append(check_handed_over(machine, expected))
    if expected.addresses and all(port != PLAIN_PORT for _address, port in expected.addresses):
        checks.append(check_plain_port(machine))
    return tuple(checks)


def own_client(directory: str, options: Options) -> Client | None:
    """Return the certificate and key that dockerd serves with, to be tried as a client's; None where there are none."""
    files = certificate_store.read_set(directory)
    if not files.certificate or not files.key or options.allow_dual_trust:
        return None
    return Client(files.certificate.decode("ascii", "replace"), files.key.decode("ascii", "replace"))


def check_local_socket(machine: Machine) -> Check:
    """The engine answers on the local socket; one that serves only clients with a certificate has none, and cannot be asked here."""
    problem = machine.ping()
    if problem:
        return Check("local-socket", False, problem)
    version = machine.engine_version()
    if version is None and machine.engine() is None:
        return Check("local-socket", True, "dockerd has no local socket, and listens on TCP")
    detail = "/_ping is not answered any more" if version is None else f"engine {version or 'of unknown version'}"
    return Check("local-socket", version is not None, detail)


def check_plain_port(machine: Machine) -> Check:
    """dockerd does not listen on 2375, on any address. Another process may: the preflight has warned of it."""
    closed = not machine.serves(PLAIN_PORT)
    detail = "dockerd does not listen there" if closed else "SERVED: dockerd listens there"
    return Check(f"port-{PLAIN_PORT}-closed", closed, detail)


def check_handed_over(machine: Machine, expected: Expected) -> Check:
    """systemd has given dockerd no other TCP listener than the endpoint's (a ``ListenStream=`` of another tool)."""
    found = machine.sockets_of_systemd(machine.services().service.main_pid)
    other = [f"{address}:{port}" for address, port in found if (connectable(address), port) not in expected.addresses]
    detail = f"docker.socket also opens {', '.join(other)}" if other else "docker.socket opens no other port"
    return Check("no-other-listener", not other, detail)


def check_sources(machine: Machine, expected: Expected) -> list[Check]:
    """A source that is not allowed does not reach the endpoint; tried at its IPv4 addresses, from another one of loopback."""
    found = [(address, port) for address, port in expected.addresses if ":" not in address]
    open_to = [place for place in found if machine.lets_stranger_in(*place)]
    detail = f"{addresses_text(open_to)} ADMITTED {STRANGER}" if open_to else f"{STRANGER} does not get through"
    return [Check("other-source-refused", not open_to, detail)] if found else []


def check_proxy_holds(machine: Machine, expected: Expected) -> Check:
    """The listener's ports are the proxy's, on all its configured addresses."""
    held = {(connectable(address), port) for address, port in machine.proxy_listens()}
    missing = [place for place in expected.addresses if place not in held]
    detail = f"the proxy does not listen on {addresses_text(missing)}" if missing else "the proxy listens there"
    return Check("proxy-holds-port", not missing, detail)


def check_dockerd_closed(machine: Machine) -> Check:
    """dockerd itself serves its API on no TCP port, neither of its own nor of systemd's: it would go around the proxy."""
    ports = sorted(machine.api_ports())
    detail = f"dockerd listens on {', '.join(map(str, ports))} as well" if ports else "dockerd listens on no TCP port"
    return Check("dockerd-holds-no-port", not ports, detail)


def require(checks: t.Sequence[Check]) -> None:
    """Raise TlsError ``verification-failed`` that names every check that failed."""
    failed = [check for check in checks if not check.passed]
    if failed:
        raise TlsError(
            "dockerd runs with the new configuration, but the verification failed: "
            + "; ".join(f"{check.check}: {check.detail}" for check in failed),
            hint="The new configuration was not kept.",
            code="verification-failed",
        )


SINCE = 23
TLS_KEYS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey")


def validate_settings(machine: Machine, found: HostState, data: bytes) -> None:
    """Raise TlsError ``validate-failed`` where dockerd refuses the settings in ``data`` other than those for TLS."""
    if _is_able(found):
        validate(machine, found, daemon_json.merge(data, {}, TLS_KEYS, found.config_path).encode("utf-8"))


def validate(machine: Machine, found: HostState, data: bytes) -> None:
    """Raise TlsError ``validate-failed`` where dockerd refuses ``data`` as its daemon.json; older dockerds are not asked.

    ``data`` is in memory only: a daemon.json may hold the password of a proxy.
    """
    derivation = found.derivation
    if derivation is None or not _is_able(found):
        return
    descriptor = os.memfd_create("daemon.json")
    try:
        _write(descriptor, data)
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        problem = machine.validate(derivation.binary, derivation.arguments, path)
    finally:
        os.close(descriptor)
    if not problem or f"open {path}" in problem:  # a security module may keep dockerd from reading it
        return
    raise TlsError(
        f"dockerd --validate refuses the new configuration: {(reason(problem) or problem).replace(path, found.config_path)}",
        hint=f"Check the settings of {found.config_path} that are not ours.",
        code="validate-failed",
    )


def validate_proxy(machine: Machine, found: HostState, plan: Plan, revision: str | None) -> None:
    """Raise TlsError ``proxy-config-refused`` where HAProxy refuses its new configuration. ``revision``: that of the new certificates."""
    files = found.proxy.files
    after = {**found.proxy.contents, **{change.path: change.after for change in plan.files}}
    text = after[files.config]
    if plan.proxy in ("", STOP) or text is None:
        return
    kept = revision if revision is not None else found.certificates.revision
    given = certificate_store.read_revision(found.directory, kept) if kept is not None else found.certificates.files()
    pieces = [given.get(name, b"").strip() for name in (certificate_store.CERTIFICATE, certificate_store.KEY)]
    contents = {files.bundle: b"\n".join(pieces) + b"\n", files.client_ca: given.get(certificate_store.CLIENT_CA, b"")}
    machine.validate_proxy(text, {**contents, files.crl: after[files.crl] or b""})


def _is_able(found: HostState) -> bool:
    release = found.engine.version.split(".")[0] if found.engine is not None else ""
    return release.isdigit() and int(release) >= SINCE and found.derivation is not None


def _write(descriptor: int, data: bytes) -> None:
    rest: t.Any = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
