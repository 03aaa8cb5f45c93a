# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check before a change, all reported together, with the same verdict on every engine.

Source of the rules: dockerd-facts 1 and 2 (measured on dockerd 20.10.5 to 29.7).
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._docker import daemon_json
from .._docker.command_line import find_flags
from .._docker.exec_start import Derivation, conflicts, is_local, local_hosts
from .._docker.findings import Finding, error, errors, keep_containers_hint, warning, warnings
from .._docker.listeners import Listen, ListenAddress
from .._docker.unit_file import UnitModel
from .._docker.unit_reader import UnitFacts, check_keys, refusal
from .._errors import TlsError
from .._host.network import Address
from .._time import isoformat
from .preflight_certificates import TlsFiles, check_certificates

OLDEST_ENGINE = (20, 10)
CLOCK_TOLERANCE = timedelta(seconds=60)
# A new certificate is valid from five minutes before it was signed. A host that is further behind would refuse each one that
# is signed for it; one that is days ahead would soon ask for the next.
CLOCK_BEHIND = timedelta(minutes=4)
CLOCK_AHEAD = timedelta(days=1)
# Consequences of a wrong clock, which are not reported beside it.
_OF_DATES = frozenset(
    "certificate-not-yet-valid certificate-expired authority-not-valid anchors-not-valid anchors-all-invalid".split()
)
# Files there are gone after a reboot, and dockerd would not start.
_NOT_LASTING = ("/tmp/", "/var/tmp/", "/run/", "/var/run/", "/dev/", "/proc/", "/sys/")  # noqa: S108 - to refuse them
_HOMES = ("/home/", "/root/", "/run/user/")
_HIDING = ("yes", "true", "on", "1", "tmpfs")
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
# dockerd's list flags have another name in daemon.json; settings that are allowed in both ("runtimes") are not here.
_LIST_KEYS = {
    "allow-nondistributable-artifact": "allow-nondistributable-artifacts",
    "authorization-plugin": "authorization-plugins",
    "default-address-pool": "default-address-pools",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}


@dataclass(frozen=True)
class HostFacts:
    """The state of the host; gathered by the transaction, assessed here."""

    now: datetime  # the host's clock, aware
    unit_facts: UnitFacts
    unit: UnitModel | None  # None: there is none (refusal has the reason)
    derivation: Derivation | None
    config_path: str  # the daemon.json that dockerd reads
    config_data: bytes | None  # its bytes now
    addresses: tuple[Address, ...]
    config_in_use: bool = False  # the running dockerd has read these bytes
    controller_now: datetime | None = None  # the controller's clock at the same moment
    engine_version: str | None = None  # "26.1.5+dfsg1"; None: not known
    swarm_active: bool = False
    live_restore_active: bool = False  # of the running daemon (/info)
    containers_running: int | None = None
    listeners: tuple[tuple[str, int, str], ...] = ()  # (address, port, process) of TCP listeners that are not Docker's
    running_arguments: tuple[str, ...] = ()  # /proc/<MainPID>/cmdline, without the program
    unit_in_use: bool = False  # the running dockerd was started with the unit's files as they are
    socket_streams: tuple[str, ...] = ()  # what docker.socket listens on


@dataclass(frozen=True)
class WantedEndpoint:
    """The wanted state; files are the bytes that dockerd will read after the change."""

    listen: Listen
    settings: dict[str, t.Any]  # the keys that we will write to daemon.json
    directory: str
    certificate: bytes
    key: bytes
    ca: bytes  # server authority: signs the certificate
    client_ca: bytes  # anchors of the admitted groups
    listener: str = "dockerd"
    existing_settings: str = "fail"  # or adopt, replace
    live_restore: str = "keep"  # keep, enable, require
    restart_needed: bool = True
    written: dict[str, t.Any] | None = field(default=None)  # our keys as we wrote them last; None: first run
    allow_dual_trust: bool = False
    new_certificate: bool = False  # a certificate comes that is not there yet, given or still to be signed
    flags_taken_over: bool = False  # our drop-in replaces this very command already


def check(facts: HostFacts, wanted: WantedEndpoint) -> tuple[Finding, ...]:
    """Return all findings, errors first. Never raises for a problem of the host.

    Where Docker cannot be managed at all, that is the one finding. An address that is listened on by itself should be in the
    certificate; behind a wildcard any name will do.
    """
    refused = refusal(facts.unit_facts)
    if refused is not None:
        return (refused,)
    found = [
        *wanted.listen.findings,
        *_check_unit(facts, wanted),
        *_check_config(facts, wanted),
        *_check_ports(facts, wanted),
        *_check_engine(facts, wanted),
        *_check_clock(facts, wanted),
        *_check_directory(facts, wanted),
        *check_certificates(
            TlsFiles(wanted.certificate, wanted.key, wanted.ca, wanted.client_ca),
            facts.now,
            [str(item.ip) for item in wanted.listen.addresses if not item.ip.is_unspecified],
            allow_dual_trust=wanted.allow_dual_trust,
        ),
    ]
    if any(item.code == "host-clock-wrong" for item in found):
        found = [item for item in found if item.code not in _OF_DATES]
    unique = tuple(dict.fromkeys(found))
    return errors(unique) + warnings(unique)


def check_unit_files(model: UnitModel) -> list[Finding]:
    """Return an error for each drop-in of others that would override ours."""
    text = "{} sets ExecStart and is read after our drop-in, so ours would have no effect"
    hint = "Rename it so that it sorts before zz-docker-tls.conf."
    return [error("dropin-after-ours", text.format(path), hint) for path in model.late_overrides]


def _check_unit(facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    """Check the unit: flags that collide with our keys, drop-ins that would override ours, the socket that it needs."""
    found = [] if facts.unit is None else check_unit_files(facts.unit)
    if facts.derivation is None:
        return found
    found += facts.derivation.notes
    found += _check_flag_listeners(facts.derivation, wanted)
    found += [_flag_conflict(use.text(), use.name) for use in conflicts(facts.derivation, wanted.settings)]
    return found + _check_socket(facts, wanted, facts.derivation) + _check_running(facts, facts.derivation)


def _check_flag_listeners(derivation: Derivation, wanted: WantedEndpoint) -> list[Finding]:
    """Refuse to remove a TCP listener that dockerd has as a flag, like one in daemon.json."""
    if wanted.existing_settings != "fail" or wanted.flags_taken_over:
        return []
    listed = [use.text() for use in derivation.flags if use.name == "host" and not is_local(use.value or "")]
    if not listed:
        return []
    hint = "Remove it there, or set docker_daemon_existing_settings: adopt to have it replaced."
    text = f"dockerd is started with the TCP listener {', '.join(listed)}, which this collection has not set up"
    return [error("flag-listener-foreign", text, hint)]


def _flag_conflict(text: str, name: str) -> Finding:
    hint = "Remove it there, or set docker_daemon_existing_settings: adopt to have it replaced."
    if name == "live-restore":
        hint = "It is on already, so docker_daemon_live_restore: keep is right for this host; or remove the flag."
    problem = f"dockerd is started with {text}, and does not start when daemon.json sets it too"
    return error("flag-conflict", problem, hint)


def _check_socket(facts: HostFacts, wanted: WantedEndpoint, derivation: Derivation) -> list[Finding]:
    state = facts.unit_facts.socket_load_state
    needed = facts.unit is not None and "docker.socket" in facts.unit.requires
    activated = any(host.startswith("fd://") for host in derivation.hosts)
    if state != "loaded" and needed:
        text = f"docker.service requires docker.socket, which is {state}; dockerd could not start again"
        if state == "masked":
            return [error("socket-masked", text, "Run systemctl unmask docker.socket.")]
        return [error("socket-missing", text, "Reinstall Docker's package, which brings it.")]
    if wanted.listener == "systemd" and (state != "loaded" or not activated):
        text = "the listener systemd needs a docker.socket and a docker.service that takes it (-H fd://), which this host does not have"
        return [error("socket-listener-unsupported", text, "Set docker_daemon_listener: dockerd.")]
    return []


def _check_running(facts: HostFacts, derivation: Derivation) -> list[Finding]:
    """Report a listener of the running dockerd that nothing in the unit's files explains.

    Where it was started with those files, the flag comes in a way that is not read here, and the next start has it
    too: dockerd would refuse it beside ``hosts`` in daemon.json.
    """
    running = [flag.value or "" for flag in find_flags(facts.running_arguments) if flag.name == "host"]
    usable = facts.unit_facts.socket_load_state == "loaded"
    known = (*derivation.hosts, *local_hosts(derivation.hosts, usable, facts.socket_streams))
    unknown = [host for host in running if host not in known]
    if not unknown:
        return []
    flags = f"-H {', -H '.join(unknown)}"
    if facts.unit_in_use:
        text = f"the running dockerd was started with {flags}, and no readable file or variable of its unit sets them"
        hint = "Find it with systemctl show docker.service and remove it. If it is removed already, restart Docker. Then run again."
        return [error("running-flags-unexplained", text, hint)]
    text = f"the running dockerd was started with {flags}, which its unit does not set"
    hint = "The unit's files were changed after dockerd's start; the listener ends with the restart."
    return [warning("running-flags-differ", text, hint)]


def _check_config(facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    """Check the present daemon.json."""
    try:
        values = daemon_json.parse_daemon_json(facts.config_data, facts.config_path).values
    except TlsError as problem:
        return [error(problem.code, problem.message, problem.hint)]
    found = [_misspelled(key, meant, facts, wanted) for key, meant in daemon_json.misspelled_keys(values)]
    named = {key for key, _meant in daemon_json.misspelled_keys(values)}
    others = {key: value for key, value in values.items() if key not in named}
    found += check_keys(others, facts.config_path, facts.engine_version, in_use=facts.config_in_use)
    foreign = daemon_json.foreign_endpoint_settings(values, wanted.settings, wanted.written)
    if foreign:
        found.append(_foreign(foreign, facts.config_path, wanted.existing_settings))
    return found + _check_own_conflicts(values, facts, wanted)


def _misspelled(key: str, meant: str, facts: HostFacts, wanted: WantedEndpoint) -> Finding:
    """Check a misspelt key. One of an endpoint that is taken over is removed with it."""
    text = f"{facts.config_path} has the key {key!r}, which dockerd does not read as {meant!r}"
    if wanted.existing_settings != "fail" and wanted.written is None and meant in daemon_json.ENDPOINT_KEYS:
        hint = "" if key == "host" else "State absent does not bring it back: dockerd does not start with it."
        return warning("daemon-json-misspelled", f"{text}; it is removed", hint)
    return error("daemon-json-misspelled", text, f"Write {meant!r} if this is the intended key, otherwise remove it.")


def _foreign(foreign: t.Sequence[daemon_json.ForeignSetting], path: str, existing_settings: str) -> Finding:
    listed = ", ".join(f"{item.key} = {json.dumps(item.found)}" for item in foreign)
    if existing_settings != "fail":
        text = f"{path} had {listed}; these are replaced"
        return warning("existing-settings-adopted", text, "state absent brings them back.")
    hint = "Another tool has set that. Remove it, or set docker_daemon_existing_settings: adopt, which replaces it."
    return error("existing-settings", f"{path} already sets where or how Docker listens: {listed}", hint)


def _check_own_conflicts(values: t.Mapping[str, t.Any], facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    """Find keys of others that dockerd refuses beside the unit's flags: it would not come back from our restart."""
    if facts.derivation is None:
        return []
    found = []
    for use in facts.derivation.flags:
        key = _LIST_KEYS.get(use.name, use.name)
        if key in values and key not in wanted.settings and not use.stripped:
            text = f"{facts.config_path} sets {key!r} and dockerd is started with {use.text()}; with both it does not start"
            hint = "Remove one of the two: dockerd would not survive its next restart."
            found.append(error("existing-conflict", text, hint))
    return found


def _check_ports(facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    found = []
    for item in wanted.listen.addresses:
        for address, port, process in facts.listeners:
            if port == item.port and _same_place(item, address):
                holder = process or "another process"
                text = f"port {port} is taken on {address} by {holder}, so dockerd could not listen"
                found.append(error("port-taken", text, f"End it, or take another port than that of {item.endpoint()}."))
    return found


def _same_place(item: ListenAddress, address: str) -> bool:
    """Return whether a listener on ``address`` (``*`` for any) conflicts."""
    bare = address.strip("[]").split("%")[0]
    if bare in ("*", "") or item.ip.is_unspecified:
        return True
    try:
        other = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return other.is_unspecified or other == item.ip


def _check_engine(facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    found: list[Finding] = []
    match = _VERSION.match(facts.engine_version or "")
    if match and (int(match[1]), int(match[2])) < OLDEST_ENGINE:
        text = (
            f"Docker Engine {facts.engine_version} is older than 20.10, where TLS without tlsverify admits every client"
        )
        found.append(error("engine-too-old", text, "Upgrade Docker first."))
    if facts.swarm_active and (wanted.settings.get("live-restore") or wanted.live_restore == "require"):
        hint = f"Set docker_daemon_live_restore: keep. {keep_containers_hint(in_swarm=True)}"
        text = "live-restore is not available in swarm mode, and this host is in a swarm"
        found.append(error("live-restore-swarm", text, hint))
    return found + _check_containers(facts, wanted)


def _check_containers(facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    flagged = facts.derivation is not None and any(use.name == "live-restore" for use in facts.derivation.flags)
    switched_on = wanted.settings.get("live-restore") and not facts.swarm_active
    kept = facts.live_restore_active or flagged or switched_on
    count = facts.containers_running or 0
    if wanted.restart_needed and not flagged and facts.containers_running is None and facts.running_arguments:
        return [_containers_unknown(wanted)]
    if not wanted.restart_needed or kept or not count:
        return []
    text = f"the restart of dockerd stops {count} running container{'s' if count != 1 else ''}"
    if wanted.live_restore == "require":
        hint = "Stop them first, or drain the node; docker_daemon_live_restore is require."
        return [error("containers-would-stop", text, hint)]
    return [warning("containers-will-stop", text, keep_containers_hint(in_swarm=facts.swarm_active))]


def _containers_unknown(wanted: WantedEndpoint) -> Finding:
    text = "dockerd has no local socket to ask it on, so live-restore cannot be switched on and the restart stops its containers"
    hint = "Give it a local socket first (-H unix:///var/run/docker.sock)"
    if wanted.live_restore == "require":
        return error("containers-would-stop", text, f"{hint}, or use keep.")
    return warning("containers-unknown", text, f"{hint} to keep them.")


def _check_clock(facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    if facts.controller_now is None:
        return []
    ahead = facts.now - facts.controller_now
    if wanted.new_certificate and not -CLOCK_BEHIND <= ahead <= CLOCK_AHEAD:
        place = "ahead of" if ahead > timedelta(0) else "behind"
        text = (
            f"the host's clock is at {isoformat(facts.now)}, which is {_roughly(abs(ahead))} {place} the controller's; "
            "by that clock a new certificate is not valid, or soon due again"
        )
        hint = (
            "Set the host's clock (timedatectl, NTP) and run again. Until then no certificate is signed for this host."
        )
        return [error("host-clock-wrong", text, hint)]
    skew = abs(ahead)
    if skew <= CLOCK_TOLERANCE:
        return []
    text = f"the host's clock and the controller's differ by {int(skew.total_seconds())} seconds"
    return [warning("clock-skew", text, "Certificates may seem expired or not yet valid; set the clocks (NTP).")]


def _roughly(span: timedelta) -> str:
    """Return a span of time in its largest unit."""
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(span.total_seconds() // seconds)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{int(span.total_seconds())} seconds"


def _check_directory(facts: HostFacts, wanted: WantedEndpoint) -> list[Finding]:
    place = wanted.directory.rstrip("/") + "/"
    if not place.startswith("/") or "/../" in place:
        text = f"the directory of the certificates is {wanted.directory!r}, which is not an absolute path"
        return [error("directory-invalid", text, "Write an absolute path without .., for example /etc/docker/certs.")]
    if place.startswith(_NOT_LASTING):
        text = f"files in {wanted.directory} do not last, so dockerd would not start after a reboot"
        return [error("directory-not-lasting", text, "Take /etc/docker/certs or another lasting directory.")]
    hides = facts.unit is not None and facts.unit.protect_home in _HIDING
    if hides and place.startswith(_HOMES):
        text = f"the unit has ProtectHome=, so dockerd cannot see {wanted.directory}"
        return [error("directory-hidden", text, "Take /etc/docker/certs or another directory outside the homes.")]
    return []
