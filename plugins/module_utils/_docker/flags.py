# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dockerd's flags in a list of arguments, found as dockerd's own parser (spf13/pflag) finds them.

Source: pflag parseLongArg/parseSingleShortArg; ``dockerd --help`` of 20.10.24, 26.1.5
and 28.5.2 (measured) for which flags take a value.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# Flags that take no value unless written --flag=value.
BOOLEAN_FLAGS = frozenset(
    """
    allow-direct-routing cri-containerd debug disable-legacy-registry experimental help icc init ip-forward
    ip-forward-no-drop ip-masq ip6tables iptables ipv6 live-restore no-new-privileges raw-logs rootless selinux-enabled
    tls tlsverify userland-proxy validate version
    """.split()
)
# Short flags: the long name, and whether a value follows.
SHORT_FLAGS = {
    "D": ("debug", False),
    "h": ("help", False),
    "v": ("version", False),
    "H": ("host", True),
    "l": ("log-level", True),
    "G": ("group", True),
    "b": ("bridge", True),
    "e": ("exec-driver", True),
    "g": ("graph", True),
    "p": ("pidfile", True),
    "s": ("storage-driver", True),
}


@dataclass(frozen=True)
class Flag:
    """One flag: its long name, its value (None: it has none), and the arguments that it is written in.

    ``first`` and ``last`` are the indexes of the first and last argument that belong to it. ``rest`` is what remains of
    argument ``first`` without this flag, when it stands in a group of short flags (``-D`` of ``-DH``), else "".
    """

    name: str
    value: str | None
    first: int
    last: int
    rest: str = ""


def find_flags(arguments: t.Sequence[str]) -> list[Flag]:
    """Return the flags in ``arguments`` (without the program) in order; what follows ``--`` is not a flag."""
    found: list[Flag] = []
    index = 0
    while index < len(arguments) and arguments[index] != "--":
        argument = arguments[index]
        following = arguments[index + 1] if index + 1 < len(arguments) else None
        if argument.startswith("--"):
            flags = [_long_flag(argument, following, index)]
        elif argument.startswith("-") and len(argument) > 1:
            flags = _short_flags(argument, following, index)
        else:
            flags = []
        found += flags
        index = max([index, *(flag.last for flag in flags)]) + 1
    return found


def _long_flag(argument: str, following: str | None, index: int) -> Flag:
    name, equals, value = argument[2:].partition("=")
    if equals:
        return Flag(name, value, index, index)
    if name in BOOLEAN_FLAGS or following is None:
        return Flag(name, None, index, index)
    if following.startswith("-") and name not in _VALUED_FLAGS:
        return Flag(
            name, None, index, index
        )  # a flag of a newer dockerd: more likely a switch than one with the value "-H"
    return Flag(name, following, index, index + 1)


def _short_flags(argument: str, following: str | None, index: int) -> list[Flag]:
    """Read a group such as -DH fd://, -Hfd:// or -H=fd://."""
    found: list[Flag] = []
    letters = argument[1:]
    for position, letter in enumerate(letters):
        name, takes_value = SHORT_FLAGS.get(letter, (letter, False))
        rest = "-" + letters[:position] if position else ""
        after = letters[position + 1 :]
        if len(after) > 1 and after.startswith("="):
            return [*found, Flag(name, after[1:], index, index, rest)]
        if not takes_value:
            found.append(Flag(name, None, index, index))
            continue
        if after:
            return [*found, Flag(name, after, index, index, rest)]
        if following is None:
            return [*found, Flag(name, None, index, index, rest)]
        return [*found, Flag(name, following, index, index + 1, rest)]
    return found


_VALUED_FLAGS = frozenset(
    """
    add-runtime allow-nondistributable-artifacts api-cors-header authorization-plugin bip bip6 bridge
    cdi-spec-dir cgroup-parent cluster-advertise cluster-store cluster-store-opt config-file containerd
    containerd-namespace containerd-plugins-namespace cpu-rt-period cpu-rt-runtime data-root default-address-pool
    default-cgroupns-mode default-gateway default-gateway-v6 default-ipc-mode default-network-opt default-runtime
    default-shm-size default-stop-timeout default-ulimit dns dns-opt dns-search exec-opt exec-root feature
    firewall-backend fixed-cidr fixed-cidr-v6 graph group host host-gateway-ip http-proxy https-proxy init-path
    insecure-registry ip isolation label log-driver log-format log-level log-opt max-concurrent-downloads
    max-concurrent-uploads max-download-attempts metrics-addr mtu network-control-plane-mtu network-diagnostic-port
    no-proxy node-generic-resource oom-score-adjust pidfile registry-mirror seccomp-profile shutdown-timeout
    storage-driver storage-opt swarm-default-advertise-addr tlscacert tlscert tlskey userland-proxy-path userns-remap
    """.split()
)
