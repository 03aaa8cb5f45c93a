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


def filter_lines(sources: t.Sequence[str], own_addresses: t.Iterable[str]) -> list[str]:
    """Return the lines that let only ``sources`` connect, and the host itself at its own addresses; none for no sources."""
    if not sources:
        return []
    listed = dict.fromkeys((*sources, "127.0.0.1", "::1", *own_addresses))
    return ["IPAddressDeny=any", f"IPAddressAllow={' '.join(listed)}"]


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
