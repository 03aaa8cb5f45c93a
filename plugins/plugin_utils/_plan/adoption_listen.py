# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where hosts listen before and after an adoption, and by which names their clients know them. Pure."""

from __future__ import annotations

import typing as t

from ...module_utils._docker.listeners import default_entries, is_wildcard, kept_entries, undecided
from .._variables.fleet_variables import connected_address
from .host_reports import LOCAL_NAMES
from .inventory import as_list, ascii_name, listen_addresses

Mapping = t.Mapping[str, t.Any]

_PORT = 2376
_LOCAL = ("fd://", "unix://")


def listener_lines(host: str, found: Mapping, variables: Mapping) -> list[str]:
    """Return what becomes of the listeners of ``host``, and which names its clients will no longer find in its certificate.

    In: inventory name, the ``adoption`` of M(adoption_info), and the host's variables.
    """
    if found["managed"]:
        return []
    before, after = _before(found), _after(found, variables)
    kept = not found["plain_listeners"] and sorted(before) == sorted(after)
    if kept:
        lines = [f"    listener: {', '.join(after)}, as it is"]
    else:
        plain = " without TLS" if found["plain_listeners"] else ""
        source = " (docker_daemon_listen)" if _told(variables) else ""
        lines = [f"    listener: {', '.join(before) or 'none over TCP'}{plain} -> {', '.join(after)}{source}"]
    if found["listeners"] and not any(str(url).startswith(_LOCAL) for url in found["listeners"]):
        lines.append("    listener: dockerd has no local socket now; it gets one")
    if kept and not all(map(is_wildcard, after)) and not _told(variables):
        lines.append(f"        -> To have that in the inventory too: docker_daemon_listen: {after}")
    gone = [name for name in found["names"] if not _is_named(str(name), host, variables, after)]
    if gone:
        lines.append(f"    names: the new certificate will not have {', '.join(gone)}, which the old one has")
        lines.append(f"        -> Where clients connect by one of them: docker_server_cert_names: {gone}")
    return lines


def listener_problems(host: str, found: Mapping, variables: Mapping) -> list[str]:
    """Return why the listeners of ``host`` cannot be kept as they are, as sentences; () where they are configured or can be kept."""
    kept = _kept(found, variables)
    if found["managed"] or _told(variables) or not kept:
        return []
    problems = [f"{host}: {finding.message}. {finding.hint}" for finding in undecided(kept, _port(variables))]
    unknown = [
        entry
        for entry in kept
        if not is_wildcard(entry)
        and not _is_named(listen_addresses([entry])[0] if listen_addresses([entry]) else entry, host, variables, ())
    ]
    if unknown and not problems:
        problems.append(
            f"{host}: it listens on {', '.join(unknown)} only, which the inventory does not name, so the new certificate would not have that address. "
            f"Set docker_daemon_listen: {list(kept)} for this host to keep it, or other addresses."
        )
    return problems


def _told(variables: Mapping) -> list[str]:
    return [str(entry) for entry in as_list(variables.get("docker_daemon_listen"))]


def _port(variables: Mapping) -> int:
    text = str(variables.get("docker_daemon_port", _PORT))
    return int(text) if text.isdigit() else _PORT


def _tcp(found: Mapping) -> list[str]:
    return [str(url) for url in found["listeners"] if not str(url).startswith(_LOCAL)]


def _before(found: Mapping) -> list[str]:
    return list(kept_entries(_tcp(found)))


def _kept(found: Mapping, variables: Mapping) -> tuple[str, ...]:
    return kept_entries(_tcp(found), _port(variables) if found["plain_listeners"] else 0)


def _after(found: Mapping, variables: Mapping) -> list[str]:
    return _told(variables) or list(_kept(found, variables)) or list(default_entries(_port(variables)))


def _is_named(name: str, host: str, variables: Mapping, listen: t.Iterable[str]) -> bool:
    """Return whether a certificate for ``host`` has ``name``: its own names, declared names, and its inventory name with a domain."""
    declared = [host, connected_address(host, variables), variables.get("docker_daemon_address")]
    declared += [*as_list(variables.get("docker_server_cert_names")), variables.get("docker_server_cert_common_name")]
    declared += [
        *as_list(variables.get("docker_server_cert_addresses")),
        *listen_addresses(list(listen)),
        *LOCAL_NAMES,
    ]
    own = {ascii_name(str(each)) for each in declared if each}
    return ascii_name(name) in own or ("." not in host and ascii_name(name).startswith(f"{ascii_name(host)}."))
