# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filtering by source address in the kernel: ``IPAddressAllow=`` of a unit. The lines are pure.

systemd attaches a BPF program to the unit's cgroup, which needs the unified hierarchy (systemd.resource-control(5)); where that is
missing systemd only logs it and admits every address. So support is checked before, and a source that is not allowed is tried
afterwards. Dropped packets have no answer: a client waits for its own timeout (measured on Debian 12 and 13). It counts in both
directions and for the whole unit, which is why docker.service itself cannot have it.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import typing as t

_UNIFIED = "/sys/fs/cgroup/cgroup.controllers"
#: Loopback has all of 127.0.0.0/8, and only 127.0.0.1 is allowed in any case.
STRANGER = "127.0.0.2"
_TIMEOUT = 1.5
_ALLOW = "IPAddressAllow="


def filter_lines(sources: t.Sequence[str], own_addresses: t.Iterable[str]) -> list[str]:
    """Return the lines that let only ``sources`` connect, and the host itself at its own addresses; none for no sources."""
    if not sources:
        return []
    listed = dict.fromkeys((*sources, "127.0.0.1", "::1", *own_addresses))
    return ["IPAddressDeny=any", f"{_ALLOW}{' '.join(listed)}"]


def sources_of(unit: bytes | None) -> tuple[str, ...]:
    """Return the sources that a unit of ours admits, () for all: networks, which the host's own addresses in its filter are not."""
    words = [
        line[len(_ALLOW) :].split()
        for line in (unit or b"").decode("utf-8", "replace").splitlines()
        if line.startswith(_ALLOW)
    ]
    return tuple(word for each in words for word in each if "/" in word)


def unit_reasons(before: bytes | None, after: bytes | None, other: str) -> list[str]:
    """Return why a unit of ours that may filter changes, as stable words; ``other``: the word where it is for something else.

    The host's own addresses are in the filter too: where only these differ, another reason (other addresses of the endpoint) explains it.
    """
    found = ["allowed-sources-changed"] if sources_of(before) != sources_of(after) else []
    return [*found, other] if _without_filter(before) != _without_filter(after) else found


def sources_text(before: bytes | None, after: bytes | None) -> list[str]:
    """Return the change of the sources that a unit admits in words: ``sources all -> 192.0.2.0/24``."""
    old, new = (" ".join(sources_of(unit)) or "all" for unit in (before, after))
    return [f"sources {old} -> {new}"] if old != new else []


def _without_filter(unit: bytes | None) -> list[bytes]:
    return [line for line in (unit or b"").splitlines() if not line.startswith((b"IPAddressAllow=", b"IPAddressDeny="))]


def stranger_is_refused(sources: t.Sequence[str]) -> bool:
    """Return whether sources are filtered so that ``STRANGER`` must not get through."""
    stranger = ipaddress.ip_address(STRANGER)
    return bool(sources) and not any(stranger in ipaddress.ip_network(source) for source in sources)


def is_supported(unified: str = _UNIFIED) -> bool:
    """Return whether systemd can filter here: the unified cgroup hierarchy is in use."""
    return os.path.exists(unified)


def lets_stranger_in(address: str, port: int) -> bool:
    """Return whether a connection from a loopback address that is not allowed comes up."""
    try:
        with socket.create_connection((address, port), timeout=_TIMEOUT, source_address=(STRANGER, 0)):
            return True
    except OSError:
        return False
