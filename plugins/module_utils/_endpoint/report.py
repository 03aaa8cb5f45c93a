# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run: the module's result with diff and reasons, never a key, and its plan in one line.

For example: ``listen 0.0.0.0:2376, admits + clients-g1, restart yes, 14 containers kept (endpoint-new)``.
"""

from __future__ import annotations

import types
import typing as t
from dataclasses import dataclass

from .._docker import findings as docker_findings
from .._docker.findings import Finding
from .._docker.listeners import Listen, client_addresses
from .._docker.our_units import sources_text
from .._docker.running_daemon import EngineFacts
from .._docker.systemd import streams_of
from .._errors import TlsError
from .._pki import reader
from .._pki import renewal as wording
from .._proxy.service import addresses_text, listeners
from . import certificate_store
from .journal import UNCONFIRMED, Journal
from .plan import Done, Options, Plan
from .state import HostState, starts_at_boot

_ACTIONS = {
    "absent": "endpoint removed, Docker as it was before",
    "rolled_back": "back to the last good state",
    "confirmed": "change confirmed",
}
_SHOW_ADDRESSES = {"endpoint-new", "daemon-json-rewritten", "listen-changed", "listener-changed", "proxy-new"}


def plan_text(
    found: HostState,
    plan: Plan,
    listen: Listen | None,
    reasons: t.Sequence[str],
    after: t.Mapping[str, bytes],
    pending: t.Iterable[str] = (),
) -> str:
    """Return the line for a change; ``after`` are the TLS files as they will be, ``pending`` the groups whose authority the run would make."""
    if not plan.touches_docker and plan.leftovers:
        return f"leftovers of an unfinished run are removed, Docker is not touched ({', '.join(reasons)})"
    before = found.certificates.files()
    parts = [_ACTIONS[plan.action]] if plan.action in _ACTIONS else []
    parts += _listen_text(found, plan, listen)
    admitted, admits = before.get(certificate_store.CLIENT_CA), after.get(certificate_store.CLIENT_CA)
    parts += _authorities_text("admits", admitted, admits, pending, _limited(found, plan) if plan.proxy else {})
    parts += _limits_text(found, plan)
    parts += _authorities_text("ca.pem", before.get(certificate_store.CA), after.get(certificate_store.CA))
    parts += [f"proxy {plan.proxy}"] if plan.proxy else []
    if plan.restart or plan.action not in _ACTIONS:
        parts += [f"restart {'yes' if plan.restart else 'no'}", *_containers_text(found, plan)]
    return f"{', '.join(parts)} ({', '.join(reasons)})"


def _listen_text(found: HostState, plan: Plan, listen: Listen | None) -> list[str]:
    if listen is None or not _SHOW_ADDRESSES & {*plan.reasons}:
        return []
    before = _listens(found)
    after = " ".join(address.endpoint() for address in listen.addresses)
    if " ".join(before) == after:  # only the holder of the port changes
        return [f"listen {after}"]
    return [f"listen {' '.join(before)} -> {after}" if before else f"listen {after}"]


def _listens(found: HostState) -> list[str]:
    """Return where the endpoint listens, whoever holds the port."""
    hosts = found.config_values.get("hosts")
    listed = hosts if isinstance(hosts, list) else []
    by_dockerd = [str(host)[len("tcp://") :] for host in listed if str(host).startswith("tcp://")]
    by_systemd = streams_of(found.endpoint_socket)
    return by_dockerd or [*by_systemd] or addresses_text(listeners(found.proxy.config)).replace(",", "").split()


def _limits_text(found: HostState, plan: Plan) -> list[str]:
    """Return whose rights change, and which sources may connect."""
    named = {"rights-changed", "allowed-sources-changed"} & {*plan.reasons}
    after = {change.path: change.after for change in plan.files} if named else {}
    parts = []
    if "rights-changed" in named:
        from .._proxy.plan import rights_texts

        parts += rights_texts(found.proxy.config, after.get(found.proxy.files.config))
    if "allowed-sources-changed" in named:
        units = {found.endpoint_socket_path: found.endpoint_socket, found.proxy.files.unit_path: found.proxy.unit}
        parts += [text for path in units if path in after for text in sources_text(units[path], after[path])]
    return parts


def _limited(found: HostState, plan: Plan) -> dict[str, str]:
    """Return the rights of the access groups that a new configuration of the proxy limits."""
    config = next((change.after for change in plan.files if change.path == found.proxy.files.config), None)
    if not config:
        return {}
    from .._proxy.plan import parts

    return {name: words for name, words in parts(config).rights.items() if words not in ("", "full")}


def _authorities_text(
    what: str,
    before: bytes | None,
    after: bytes | None,
    pending: t.Iterable[str] = (),
    rights: t.Mapping[str, str] = types.MappingProxyType({}),
) -> list[str]:
    """Return the authorities that come and go; ``rights`` of groups that come are named: ``admits + ci-g1 (read-only)``."""
    old, new = _authorities(before), _authorities(after)
    limits = {name: rights.get(name.rpartition("-g")[0]) for name in new}
    signs = [f"+ {name} ({limits[name]})" if limits[name] else f"+ {name}" for name in new if name not in old]
    signs += [f"- {name}" for name in old if name not in new]
    signs += [f"+ {name} (a new authority{f', {rights[name]}' if name in rights else ''})" for name in pending]
    return [f"{what} {' '.join(signs)}"] if signs else []


def _authorities(data: bytes | None) -> list[str]:
    """Return the authorities in a file as people call them; none where it cannot be read."""
    return [wording.authority_text(subject) for subject in reader.subjects(data or b"")]


def _containers_text(found: HostState, plan: Plan) -> list[str]:
    running = found.engine.containers_running if found.engine else 0
    if not plan.restart or not running:
        return []
    stopped = min(plan.containers_stopped, running)
    return [
        f"{count} container{'' if count == 1 else 's'} {verb}"
        for count, verb in ((running - stopped, "kept"), (stopped, "stopped"))
        if count
    ]


#: The reason for a verification from the controller that is still due.
NOT_VERIFIED = "not-verified"


@dataclass(frozen=True)
class Report:
    """All that a result is made of. ``before``: reasons from clearing up after an earlier run."""

    found: HostState
    plan: Plan
    listen: Listen | None
    findings: tuple[Finding, ...]
    options: Options
    before: tuple[str, ...] = ()
    done: Done | None = None
    stopped: tuple[str, ...] = ()
    after: EngineFacts | None = None
    journal: Journal | None = None
    verification: tuple[dict[str, t.Any], ...] = ()
    plain_port: t.Sequence[str] = ()  # other processes on port 2375


def report(source: Report) -> dict[str, t.Any]:
    """Return the result of the module ``endpoint``."""
    plan, done = source.plan, source.done
    pending = source.journal is not None and source.journal.phase == UNCONFIRMED
    changed = plan.changed or bool(source.before) or done is not None
    lines = _plan(source, changed)
    waits = source.options.state == "present" and source.options.verification_follows
    due = waits and source.found.unverified
    return {
        "changed": changed,
        "plan": lines,
        "restarted": done.restarted if done else False,
        "restart_needed": plan.restart,
        "reasons": [*source.before, *plan.reasons, *([NOT_VERIFIED] if due else [])],
        "warnings": _warnings(source),
        "containers_stopped": plan.containers_stopped,
        "unconfirmed": pending,
        "not_verified": due or (waits and done is not None),
        "endpoint": _endpoint(source),
        "verification": list(done.verification if done else source.verification),
        "diff": _diff(source, lines),
    }


def _warnings(source: Report) -> list[str]:
    found = [item.text() for item in docker_findings.warnings(source.findings) if item.code != "containers-will-stop"]
    found += source.done.warnings if source.done else ()
    count = source.plan.containers_stopped
    if count:
        named = f": {', '.join(source.stopped)}" if source.stopped else ""
        verb = "stopped" if source.done else "would stop"
        engine = source.found.engine
        advice = docker_findings.keep_containers_hint(in_swarm=bool(engine and engine.swarm_active))
        found.append(
            f"the restart of dockerd {verb} {count} running container{'' if count == 1 else 's'}{named}. {advice}"
        )
    return found


def _endpoint(source: Report) -> dict[str, t.Any]:
    found, listen = source.found, source.listen
    engine = source.after or found.engine
    files = _files_after(source)
    return {
        "state": "present" if listen else source.plan.action,
        "listen": [address.endpoint() for address in listen.addresses] if listen else [],
        "addresses": list(client_addresses(listen, found.addresses)) if listen else [],
        "config_path": found.config_path,
        "directory": found.directory,
        "certificate": _view(files.get(certificate_store.CERTIFICATE)),
        "access": list(reader.subjects(files.get(certificate_store.CLIENT_CA, b""))),
        "engine_version": engine.version if engine else "",
        "containers_running": engine.containers_running if engine else 0,
        "live_restore": engine.live_restore if engine else False,
        "swarm": engine.swarm_active if engine else False,
        "starts_at_boot": starts_at_boot(found.services, source.options.listener),
        "port_2375": list(source.plain_port),
        "revocation_lists": _revocation_lists(source) if listen else [],
    }


def _revocation_lists(source: Report) -> list[dict[str, t.Any]]:
    """Return the lists that the proxy checks after the plan."""
    proxy = source.found.proxy
    if source.options.listener != "proxy":
        return []
    swapped = (change.after for change in source.plan.files if change.path == proxy.files.crl)
    data = next(swapped, proxy.crl)
    if not data:
        return []
    from .._proxy.authorities import describe  # hosts with another listener do not pay for it

    return describe(data)


def _view(data: bytes | None) -> dict[str, t.Any] | None:
    try:
        return reader.view_certificate(reader.load_certificate(data or b"", "the certificate")).to_dict()
    except TlsError:
        return None


def _plan(source: Report, changed: bool) -> list[str]:
    """Return the change in one line, none where there is none; before it, in check mode, the package that the role installs."""
    if not changed:
        return []
    if source.before and not source.plan.changed:
        return [f"unfinished change of an earlier run ({', '.join(source.before)})"]
    pass  # JOINED-EMPTY  # only what changes pays for its import

    reasons = [*source.before, *source.plan.reasons]
    pending = [name for name, text in source.options.group_authorities if not text.strip()]
    line = plan_text(source.found, source.plan, source.listen, reasons, _files_after(source), pending)
    haproxy = source.found.proxy.package
    if haproxy is not None and not haproxy.version:
        from .._proxy.state import package_line

        return [package_line(source.options.haproxy_package), line]
    return [line]


def _files_after(source: Report) -> dict[str, bytes]:
    """Return the TLS files as they are after the plan."""
    if source.plan.released and source.done:  # the revision is gone, and its files are at their names again
        return dict(certificate_store.read_set(source.found.directory).files())
    if source.plan.revision is not None:
        return dict(certificate_store.read_revision(source.found.directory, source.plan.revision))
    return {**source.found.certificates.files(), **source.plan.certificates}


def _diff(source: Report, plan: t.Sequence[str]) -> list[dict[str, str]]:
    """Return the plan as it is read, then before and after of every text file that changes; never a key."""
    before = source.found.contents
    files = [_part(change.path, before.get(change.path), change.after) for change in source.plan.files]
    return [*({"prepared": f"{line}\n"} for line in plan), *files]


def _part(path: str, before: bytes | None, after: bytes | None) -> dict[str, str]:
    return {
        "before_header": path if before is not None else f"{path} (absent)",
        "after_header": path if after is not None else f"{path} (absent)",
        "before": (before or b"").decode("utf-8", "replace"),
        "after": (after or b"").decode("utf-8", "replace"),
    }
