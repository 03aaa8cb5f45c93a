# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of an endpoint, as one line that reads like a plan.

For example: ``listen 0.0.0.0:2376, admits + clients-g1, restart yes, 14 containers kept (endpoint-new)``.
"""

from __future__ import annotations

import types
import typing as t

from .._docker.listeners import Listen
from .._docker.source_filter import sources_text
from .._docker.systemd import streams_of
from .._pki import plan_text as wording
from .._pki import reader
from .._proxy.files import addresses_text, listeners
from . import certificate_store
from .plan import Plan
from .state import HostState

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
        from .._proxy.differences import rights_texts

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
    from .._proxy.differences import parts

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
