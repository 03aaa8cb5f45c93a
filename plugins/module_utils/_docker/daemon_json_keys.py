# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that dockerd takes at the top of daemon.json, by engine, and the check of a file's names against them.

Source: measured. dockerd 20.10.5, 20.10.24, 26.1.5 and 28.5.2 were each given a daemon.json with every name of their ``--help``,
every JSON tag in their binary and some made-up ones; each names all that it does not know in one message ("the following
directives don't match any configuration option"). A name is what dockerd compares, flags (``label``) and keys (``labels``)
alike: both pass, only the key is read. Releases in between were not measured: where the two next to them differ, or a name
is in no table, nothing is found here, and dockerd's own ``--validate`` (23.0 and later) has to decide. dockerd does not start with a key that it
does not know.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from .findings import Finding, error, warning

Release = tuple[int, int]

MEASURED: tuple[Release, ...] = ((20, 10), (26, 1), (28, 5))

# Known to every measured release.
ALWAYS = frozenset(
    """
    add-runtime allow-nondistributable-artifacts api-cors-header authorization-plugin authorization-plugins bip bridge builder
    cgroup-parent config-file containerd containerd-namespace containerd-plugins-namespace cpu-rt-period cpu-rt-runtime
    cri-containerd data-root debug default-address-pool default-address-pools default-cgroupns-mode default-gateway
    default-gateway-v6 default-ipc-mode default-runtime default-shm-size default-ulimit default-ulimits deprecated-key-path dns
    dns-opt dns-opts dns-search exec-opt exec-opts exec-root experimental features fixed-cidr fixed-cidr-v6 group help host
    host-gateway-ip hosts icc init init-path insecure-registries insecure-registry ip ip-forward ip-masq ip6tables iptables ipv6
    label labels live-restore log-driver log-level log-opt log-opts max-concurrent-downloads max-concurrent-uploads
    max-download-attempts metrics-addr mtu network-control-plane-mtu network-diagnostic-port no-new-privileges
    node-generic-resource node-generic-resources pidfile raw-logs registry-mirror registry-mirrors restart rootless runtimes
    seccomp-profile selinux-enabled shutdown-timeout storage-driver storage-opt storage-opts swarm-default-advertise-addr tls
    tlscacert tlscert tlskey tlsverify userland-proxy userland-proxy-path userns-remap version
    """.split()
)

# Name -> (the last measured release that does not know it, the first that does).
APPEARED: t.Mapping[str, tuple[Release, Release]] = {
    **dict.fromkeys(
        """
        cdi-spec-dir cdi-spec-dirs default-network-opt default-network-opts http-proxy https-proxy log-format
        no-proxy validate
        """.split(),
        ((20, 10), (26, 1)),
    ),
    **dict.fromkeys(
        ("allow-direct-routing", "bip6", "feature", "host-gateway-ips", "ip-forward-no-drop"), ((26, 1), (28, 5))
    ),
}

# Name -> (the last measured release that knows it, the first that does not).
DISAPPEARED: t.Mapping[str, tuple[Release, Release]] = dict.fromkeys(
    ("cluster-advertise", "cluster-store", "cluster-store-opts", "graph", "oom-score-adjust"), ((20, 10), (26, 1))
)

# Keys whose value is one setting. Of every other object dockerd compares the names within, and never that of the object
# itself: that is how {"proxies": {"http-proxy": ...}} works (moby daemon/config/config.go, flatOptions).
WHOLE = frozenset("builder cluster-store-opts default-network-opts default-ulimits features log-opts runtimes".split())


def knows(name: str, release: Release) -> bool | None:
    """Return whether dockerd of ``release`` takes the name; None: not measured, so only that dockerd can decide."""
    if not MEASURED[0] <= release <= MEASURED[-1]:
        return None
    if name in ALWAYS:
        return True
    for table, before in ((APPEARED, False), (DISAPPEARED, True)):
        if name in table:
            last, first = table[name]
            return before if release <= last else (not before if release >= first else None)
    return False if release in MEASURED else None


def known(release: Release) -> tuple[str, ...]:
    """Return the names that dockerd of ``release`` is known to take, sorted."""
    return tuple(sorted(name for name in (*ALWAYS, *APPEARED, *DISAPPEARED) if knows(name, release)))


def compared_names(values: t.Mapping[str, t.Any], release: Release) -> tuple[str, ...]:
    """Return the names in a daemon.json that dockerd compares with those that it knows."""
    found: dict[str, None] = {}
    for key, value in values.items():
        whole = key in WHOLE and (key not in APPEARED or knows(key, release) is not False)
        found.update(dict.fromkeys(value if isinstance(value, dict) and not whole else (key,)))
    return tuple(found)


_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def check_keys(values: t.Mapping[str, t.Any], path: str, engine_version: str | None, *, in_use: bool) -> list[Finding]:
    """Return a finding for each name in ``values`` that the engine is known not to know.

    ``in_use``: dockerd runs with this very file. Then it is our table that is wrong, and the finding only a warning.
    """
    match = _VERSION.match(engine_version or "")
    if not match:
        return []
    release = (int(match[1]), int(match[2]))
    unknown = [name for name in compared_names(values, release) if knows(name, release) is False]
    return [_finding(name, path, release, str(engine_version), in_use=in_use) for name in unknown]


def _finding(name: str, path: str, release: tuple[int, int], version: str, *, in_use: bool) -> Finding:
    near = difflib.get_close_matches(name, known(release), 1)
    text = f"{path} has the key {name!r}, which Docker Engine {version} is not known to have"
    if in_use:
        return warning("daemon-json-key-unknown", text, "dockerd runs with it anyway, so it was left alone.")
    hint = f"The nearest key that it knows is {near[0]!r}. Correct it or remove it." if near else "Remove it."
    return error("daemon-json-key-unknown", f"{text}; it would refuse to start", hint)
